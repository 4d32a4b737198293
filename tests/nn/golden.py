#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints tests/nn/golden.h: values of PyTorch's layers and losses in f64, of small inputs that f32 holds exactly."""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def numbers(count, k, scale=8):
    return torch.tensor([((7 * i * i + 3 * i * k + 5 * k) % 17 - 8) / scale for i in range(count)])


def show(name, values):
    text = ", ".join("%.17g" % v for v in values.detach().flatten().tolist())
    print("static const double %s[] = {%s};" % (name, text))


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by tests/nn/golden.py with PyTorch %s. */" % torch.__version__)
x = numbers(12, 1).reshape(2, 2, 1, 3).requires_grad_()
scale = torch.tensor([1.5, -0.5], requires_grad=True)
shift = torch.tensor([0.25, 0.5], requires_grad=True)
mean, variance = torch.tensor([0.125, -0.25]), torch.tensor([1.0, 2.0])
y = F.leaky_relu(F.batch_norm(x, mean, variance, scale, shift, True, 0.1, 1e-5), 0.2)
y.backward(numbers(12, 3).reshape(2, 2, 1, 3))
show("golden_batch", y)
show("golden_batch_mean", mean)
show("golden_batch_variance", variance)
show("golden_batch_x", x.grad)
show("golden_batch_scale", scale.grad)
show("golden_batch_shift", shift.grad)
mean, variance = torch.tensor([0.125, -0.25]), torch.tensor([1.0, 2.0])
show("golden_infer", F.relu(F.batch_norm(x.detach(), mean, variance, scale, shift, False, 0.1, 1e-5)))

x = numbers(12, 2).reshape(2, 2, 3).requires_grad_()
scale, shift = numbers(3, 4).requires_grad_(), numbers(3, 5).requires_grad_()
y = F.layer_norm(x, (3,), scale, shift, 1e-5)
y.backward(numbers(12, 3).reshape(2, 2, 3))
show("golden_layer", y)
show("golden_layer_x", x.grad)
show("golden_layer_scale", scale.grad)
show("golden_layer_shift", shift.grad)

x = numbers(6, 2).reshape(2, 3)
show("golden_linear", F.linear(x, numbers(12, 3).reshape(4, 3), numbers(4, 6)))
show("golden_softmax", torch.softmax(x * 4, -1))

x = (numbers(12, 3) * 4).reshape(4, 3).requires_grad_()
y = F.cross_entropy(x, torch.tensor([2, 0, 1, 1]))
y.backward()
show("golden_cross", y)
show("golden_cross_x", x.grad)

x = (numbers(6, 4) * 8).requires_grad_()
y = F.binary_cross_entropy_with_logits(x, torch.tensor([0, 1, 0.25, 0.5, 1, 0]))
y.backward()
show("golden_binary", y)
show("golden_binary_x", x.grad)
show("golden_binary_constant", F.binary_cross_entropy_with_logits(x, torch.full_like(x, 0.75)))
show("golden_mse", F.mse_loss(numbers(6, 1), numbers(6, 2)))
