#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps side by side: `dipole train` on the devices given, and PyTorch on the CPU.

The same models, sizes and losses: a GAN of points, 2-100-50-2 on both sides, with the elastic interaction energy; the DCGAN of
32 x 32 images (100-256-128-64-3 and 3-64-128-256-16) with the same loss on 16 features. A step is one of the discriminator and one of
the generator, with Adam, data drawn at random. Contenders run in turn, round by round, and ratios are those of one round; a rate is
counted behind the first steps, in which kernels are built. Writes a table in Markdown. Needs no network.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import side_by_side
from side_by_side import spread

CASES = {
    "points-64": {"batch": 64, "steps": 2000, "title": "MLP GAN 2-100-50-2, batch 64"},
    "points-256": {"batch": 256, "steps": 1500, "title": "MLP GAN 2-100-50-2, batch 256"},
    "dcgan-64": {"batch": 64, "steps": 24, "title": "DCGAN 32 x 32, batch 64"},
}
EPS, EPS_STABILISER, FEATURES = 0.1, 0.8, 16
WARM_UP = 4  # steps of PyTorch that are not counted; the command leaves out its own


# PyTorch --------------------------------------------------------------------------------------------------------------------

def torch_kernel(torch, a, b, s, eps, scale):
    """The capped Riesz kernel of all pairs, times scale^s."""
    r2 = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    far = (torch.clamp(r2, min=eps * eps) / scale ** 2) ** (-s / 2)
    near = (scale / eps) ** s * ((s + 2) / 2 - s / 2 * r2 / eps ** 2)
    return torch.where(r2 >= eps * eps, far, near)


def torch_self(torch, x, s, eps, scale):
    k = torch_kernel(torch, x, x, s, eps, scale)
    return (k.sum() - k.diagonal().sum()) / len(x) ** 2


def torch_networks(torch, case, features):
    nn = torch.nn
    if case.startswith("points"):
        def mlp():
            return nn.Sequential(nn.Linear(2, 100), nn.LeakyReLU(.2), nn.Linear(100, 50), nn.LeakyReLU(.2), nn.Linear(50, 2))
        return mlp(), mlp()

    def up(a, b, stride, pad):
        return nn.ConvTranspose2d(a, b, 4, stride, pad, bias=False)

    def down(a, b, stride, pad):
        return nn.Conv2d(a, b, 4, stride, pad, bias=False)
    g = nn.Sequential(up(100, 256, 1, 0), nn.BatchNorm2d(256), nn.ReLU(True), up(256, 128, 2, 1), nn.BatchNorm2d(128), nn.ReLU(True),
                      up(128, 64, 2, 1), nn.BatchNorm2d(64), nn.ReLU(True), up(64, 3, 2, 1), nn.Tanh())
    d = nn.Sequential(down(3, 64, 2, 1), nn.LeakyReLU(.2, True), down(64, 128, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(.2, True),
                      down(128, 256, 2, 1), nn.BatchNorm2d(256), nn.LeakyReLU(.2, True), down(256, features, 1, 0), nn.Flatten())
    return g, d


class TorchRun:
    def __init__(self, torch, case):
        self.torch, self.batch, self.points = torch, CASES[case]["batch"], case.startswith("points")
        torch.manual_seed(1)
        n = 2 if self.points else FEATURES
        self.s, self.scale = n - 1, 1.0 if self.points else EPS
        self.g, self.d = torch_networks(torch, case, FEATURES)
        self.adam_g = torch.optim.Adam(self.g.parameters(), 1e-4, (.5, .999))
        self.adam_d = torch.optim.Adam(self.d.parameters(), 1e-5, (.5, .999))
        grid = torch.tensor([[2 * i / 2.828, 2 * j / 2.828] for i in range(-2, 3) for j in range(-2, 3)])
        self.data = grid if self.points else torch.rand(4096, 3, 32, 32) * 2 - 1

    def real(self):
        index = self.torch.randint(len(self.data), (self.batch,))
        return self.data[index] + .01768 * self.torch.randn(self.batch, 2) if self.points else self.data[index]

    def noise(self):
        return self.torch.randn(self.batch, 2) if self.points else self.torch.randn(self.batch, 100, 1, 1)

    def kernel_sum(self, a, b):
        return torch_kernel(self.torch, a, b, self.s, EPS, self.scale).mean()

    def step(self):
        torch, s, scale = self.torch, self.s, self.scale
        with torch.no_grad():
            fake = self.g(self.noise())
        f, g = self.d(self.real()), self.d(fake)
        stabiliser = torch_self(torch, f, s + 2, EPS_STABILISER, scale) * (1 if self.points else scale ** -2)
        loss = -(torch_self(torch, f, s, EPS, scale) + torch_self(torch, g, s, EPS, scale) - 2 * self.kernel_sum(f, g)) + stabiliser
        self.adam_d.zero_grad()
        loss.backward()
        self.adam_d.step()
        with torch.no_grad():
            f = self.d(self.real())
        for p in self.d.parameters():
            p.requires_grad_(False)
        g = self.d(self.g(self.noise()))
        loss = torch_self(torch, g, s, EPS, scale) - 2 * self.kernel_sum(f, g)
        self.adam_g.zero_grad()
        loss.backward()
        self.adam_g.step()
        for p in self.d.parameters():
            p.requires_grad_(True)


def torch_rate(case, threads):
    """Steps a second; runs in a process of its own."""
    import torch
    torch.set_num_threads(threads)
    run, steps = TorchRun(torch, case), max(CASES[case]["steps"] // 8, 10)
    for _ in range(WARM_UP):
        run.step()
    start = time.perf_counter()
    for _ in range(steps):
        run.step()
    return steps / (time.perf_counter() - start)


# Contenders -----------------------------------------------------------------------------------------------------------------

def write_images(path):
    """An IDX file of images of noise: what they show costs nothing."""
    import random
    random.seed(1)
    count, shape = 4096, (3, 32, 32)
    with open(path, "wb") as file:
        file.write(bytes([0, 0, 8, 4]) + b"".join(n.to_bytes(4, "big") for n in (count, *shape)))
        file.write(random.randbytes(count * 3 * 32 * 32))


def dipole_rate(args, case, device, images):
    with tempfile.TemporaryDirectory() as folder:
        common = ["--out", folder + "/run", "--device", device, "--json", "--batch", str(CASES[case]["batch"]), "--d-steps", "1",
                  "--d-batch", str(CASES[case]["batch"]), "--penalty", "0", "--latent", "normal", "--average", "0", "--attraction", "1",
                  "--eps", str(EPS), "--rate", "1e-4", "--rate-d", "1e-5", "--beta1", "0.5",
                  "--steps", str(CASES[case]["steps"]), "--save-every", "0", "--log-every", "1000000", "--samples", "100"]
        data = ["--data", "25gaussians"] if case.startswith("points") else ["--data", images, "--feature-dim", str(FEATURES), "--side", "32"]
        done = subprocess.run([args.build + "/dipole", "train", "eieg-gan"] + data + common, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{case} on {device}: {done.stderr.strip()}")
        return json.loads(done.stdout)["steps_per_second"]


def rate(args, contender, case, images):
    if contender != "PyTorch":
        return dipole_rate(args, case, contender, images)
    best = 0  # of one thread and of all: on small tensors, or a machine that others use, one may be faster
    for threads in sorted({1, args.threads}):
        done = subprocess.run([sys.executable, os.path.abspath(__file__), "--torch", case, "--threads", str(threads)], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{case} with PyTorch: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        best = max(best, float(done.stdout))
    return best


def table(results, contenders):
    lines = ["| step | " + " | ".join(f"{c}, steps/s" for c in contenders) + " | " + " | ".join(f"{c} / PyTorch" for c in contenders if c != "PyTorch") + " |",
             "| --- |" + " --- |" * (2 * len(contenders) - 1)]
    for case, rates in results.items():
        cells = [spread(rates[c]) for c in contenders]
        for c in contenders:
            if c != "PyTorch":
                cells.append(f"**{statistics.median(a / b for a, b in zip(rates[c], rates['PyTorch'])):.2f}**")
        lines.append(f"| {CASES[case]['title']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--device", action="append", help="of Dipole; several times for several (opencl:0)")
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output")
    parser.add_argument("--torch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch:
        print(torch_rate(args.torch, args.threads))
        return
    contenders = ["PyTorch"] + (args.device or ["opencl:0"])
    results = {case: {c: [] for c in contenders} for case in args.case or CASES}
    with tempfile.TemporaryDirectory() as folder:
        images = folder + "/images.idx"
        write_images(images)
        for number in range(args.rounds):
            for case in results:
                for contender in contenders:
                    results[case][contender].append(rate(args, contender, case, images))
                    print(f"round {number + 1}  {case}  {contender}  {results[case][contender][-1]:.4g} steps/s", file=sys.stderr)
    text = ("# Training steps\n\nMedians of steps a second over rounds (lowest-highest); ratios are medians of those of one round.\n\n"
            + table(results, contenders) + "\n\n" + side_by_side.machine_line() + f"\n- PyTorch {side_by_side.version_of('torch')}, "
            + f"the faster of 1 and {args.threads} threads; {args.rounds} rounds\n")
    side_by_side.write(args.output, text)


if __name__ == "__main__":
    main()
