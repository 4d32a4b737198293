/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect.h"
#include "../kernels/math.h"
#include "../kernels/contract_direct.body"
