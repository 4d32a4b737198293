#version 450
/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect.h"
#include "../kernels/half.h"
#include "../kernels/cast.body"
