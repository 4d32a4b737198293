/* SPDX-License-Identifier: Apache-2.0 */
/* Dipole: pairwise physics and tensor work on OpenCL, Vulkan, or a plain C reference. This includes all of it. */
#ifndef DIPOLE_DIPOLE_H
#define DIPOLE_DIPOLE_H

#include <dipole/atom.h>
#include <dipole/base.h>
#include <dipole/batch.h>
#include <dipole/bound.h>
#include <dipole/cache.h>
#include <dipole/data.h>
#include <dipole/device.h>
#include <dipole/eieg.h>
#include <dipole/explain.h>
#include <dipole/file.h>
#include <dipole/formula.h>
#include <dipole/grad.h>
#include <dipole/image.h>
#include <dipole/metric.h>
#include <dipole/loss.h>
#include <dipole/network.h>
#include <dipole/nn.h>
#include <dipole/ops.h>
#include <dipole/optimizer.h>
#include <dipole/pairwise.h>
#include <dipole/potential.h>
#include <dipole/profile.h>
#include <dipole/program.h>
#include <dipole/tensor.h>
#include <dipole/tune.h>
#include <dipole/vq.h>

#endif
