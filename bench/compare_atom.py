#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Losses of Atom Modeling and EIEG side by side: bench/atom on a device, and the same in PyTorch, value and gradient.

Rounds are interleaved: each runs both once, in processes of their own, so that what else the machine does hits both alike. Both
compute from the same numbers, and their values and gradients are compared. Writes a table in Markdown. Needs no network.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import side_by_side

CASES = {  # name: what PyTorch does for the same
    "shift": "all 64 x 64 pairs of sub-units of B pairs of samples; PyTorch forms each",
    "closed": "all pairs of sub-units of all B (B - 1) pairs of samples; PyTorch goes over B - 1 shifts, which takes long",
    "drawn": "min(100, 64) pairs of sub-units of B pairs of samples, as in the paper",
    "generator": "L_G of 256 generated and 256 real points in the plane",
    "discriminator": "L_D of the same, stabiliser C, gradients to both",
}
WEIGHT = 0.02
EPS, EPS_STAB = 0.1, 0.8


# The worker: PyTorch, one round, in a process of its own ------------------------------------------------------------------

def states(torch, e):
    q, p = torch.tanh(e[..., 0] / 2), e[..., 1:]
    missing = torch.clamp(-q, min=0)
    mu = ((1 - missing)[..., None] * p).mean(1)
    r = (missing * (p - mu[:, None]).norm(dim=2)).mean(1)
    return q, mu, r


def regularisers(q):
    n = q.shape[1]
    return (q.sum(1) ** 2).mean() + (((q * q).sum(1) - 2 * n / 3) ** 2).mean()


def force(torch, x, y, mu, r, a, b):
    """Mean over pairs of samples of the sum over products x y of charges, whose first axis is that of the pairs."""
    products = x * y
    distance = torch.clamp((mu[a] - mu[b]).norm(dim=1), min=1e-6)
    wide = distance + (r[a] + r[b]) / 2
    shape = [-1] + [1] * (products.dim() - 1)
    return (products / torch.where(products < 0, wide.reshape(shape), distance.reshape(shape))).flatten(1).sum(1).mean()


def atom_calls(torch, case, e):
    batch, units = e.shape[:2]
    first = torch.arange(batch)
    shift = (first + 1) % batch

    def run():
        x = e.clone().requires_grad_()
        q, mu, r = states(torch, x)
        if case == "drawn":
            i = torch.stack([torch.randperm(units) for _ in range(batch)])
            j = torch.stack([torch.randperm(units) for _ in range(batch)])
            energy = force(torch, q[first].gather(1, i), q[shift].gather(1, j), mu, r, first, shift)
        elif case == "shift":
            energy = force(torch, q[first][:, :, None], q[shift][:, None, :], mu, r, first, shift)
        else:
            energy = sum(force(torch, q[:, :, None], q[(first + t) % batch][:, None, :], mu, r, first, (first + t) % batch)
                         for t in range(1, batch)) / (batch - 1)
        value = WEIGHT * (energy + regularisers(q))
        value.backward()
        return value.item(), x.grad.flatten()[:3].tolist()
    return run


def capped(torch, t, s, eps):
    u = torch.clamp(t, min=eps * eps)
    return u ** (-s / 2) * (1 + s / 2 * torch.clamp(1 - t / (eps * eps), min=0))


def squares(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def within(torch, x, s, eps):
    """The mean over all pairs, those with i = j left out of the sum."""
    n = len(x)
    return (capped(torch, squares(x, x), s, eps).sum() - n * (s + 2) / 2 * eps ** -s) / (n * n)


def eieg_calls(torch, case, x, y):
    s = x.shape[1] - 1

    def run():
        f, g = x.clone().requires_grad_(), y.clone()
        if case == "generator":
            value = within(torch, f, s, EPS) - 2 * capped(torch, squares(f, g), s, EPS).mean()
        else:
            g.requires_grad_()
            value = (-within(torch, f, s, EPS) - within(torch, g, s, EPS) + 2 * capped(torch, squares(f, g), s, EPS).mean()
                     + within(torch, f, s + 2, EPS_STAB))
        value.backward()
        return value.item(), f.grad.flatten()[:3].tolist()
    return run


def worker(case, options):
    import numpy
    import torch
    torch.set_num_threads(1 if options.cpu_time else os.cpu_count())  # threads that wait for each other count as CPU time
    clock = time.process_time if options.cpu_time else time.monotonic
    if case in ("generator", "discriminator"):
        sets = [torch.from_numpy(side_by_side.fill(numpy, options.points * 2, seed).reshape(-1, 2)) for seed in (2, 3)]
        run = eieg_calls(torch, case, *sets)
    else:
        e = side_by_side.fill(numpy, options.batch * options.units * options.channels, 1)
        run = atom_calls(torch, case, torch.from_numpy(e.reshape(options.batch, options.units, options.channels)))
    times = []
    for k in range(options.repeats + 2):
        start = clock()
        value, gradient = run()
        if k >= 2:
            times.append(1e3 * (clock() - start))
    json.dump({"case": case, "way": "PyTorch", "value": value, "gradient": gradient, "ms": times}, sys.stdout)


# The comparison -----------------------------------------------------------------------------------------------------------

def outputs(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def agree(case, ours, theirs):
    if case == "drawn":  # by each in its own way
        return "-"
    largest = max(map(abs, theirs["gradient"])) or 1
    error = max(abs(a - b) for a, b in zip(ours["gradient"], theirs["gradient"])) / largest
    error = max(error, abs(ours["value"] - theirs["value"]) / max(abs(theirs["value"]), 1e-30))
    return f"{error:.0e}"


def compare(options):
    ours, theirs, launches, errors = {}, {}, {}, {}
    for _ in range(options.rounds):
        for case in options.cases:
            command = [f"{options.build}/bench/atom", "--only", case, "--repeats", str(options.repeats)]
            for name in ("batch", "units", "channels", "points"):
                command += [f"--{name}", str(getattr(options, name))]
            command += ["--cpu-time"] if options.cpu_time else []
            rows = outputs(command + (["--device", options.device] if options.device else []))
            for row in rows:
                ours.setdefault((case, row["way"]), []).extend(row["ms"])
            launches[case] = rows[0]["launches"]
            own = [sys.executable, __file__, "--worker", case, "--repeats", str(max(options.repeats // 4, 2))]
            for name in ("batch", "units", "channels", "points"):
                own += [f"--{name}", str(getattr(options, name))]
            own += ["--cpu-time"] if options.cpu_time else []
            result = outputs(own)[0]
            theirs.setdefault(case, []).extend(result["ms"])
            errors[case] = agree(case, rows[0], result)
    return ours, theirs, launches, errors


def table(options, ours, theirs, launches, errors):
    lines = ["# Losses of Atom Modeling and EIEG beside PyTorch", "",
             f"- {options.batch} samples of {options.units} sub-units of {options.channels} channels; {options.points} points a set",
             side_by_side.machine_line(), f"- PyTorch {side_by_side.version_of('torch')}, {'one thread' if options.cpu_time else 'all cores'}; device {options.device}",
             f"- ms of {'CPU time' if options.cpu_time else 'the clock'} for value and gradient, median (lowest-highest) of all rounds; times: PyTorch's median over the program's", "",
             "| case | calls | program | launches | PyTorch | times | difference |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for case in options.cases:
        ratio = statistics.median(theirs[case]) / statistics.median(ours[case, "program"])
        lines.append(f"| {case} | {side_by_side.spread(ours[case, 'calls'])} | {side_by_side.spread(ours[case, 'program'])} | "
                     f"{launches[case]} | {side_by_side.spread(theirs[case])} | {side_by_side.figure(ratio)} | {errors[case]} |")
    lines += ["", "| case | |", "| --- | --- |"] + [f"| {case} | {CASES[case]} |" for case in options.cases]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="folder of a build with -Dbench=true")
    parser.add_argument("--device", default="", help="Dipole's; default: the best there is")
    parser.add_argument("--cpu-time", action="store_true", help="of all threads instead of the clock's; PyTorch on one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=12, help="of Dipole a round; PyTorch a quarter of it")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--points", type=int, default=256)
    parser.add_argument("--cases", nargs="+", default=[c for c in CASES if c != "closed"], choices=list(CASES))
    parser.add_argument("--output", help="a file in Markdown, whose notes are kept; default: standard output")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options)
        return
    side_by_side.write(options.output, table(options, *compare(options)))


if __name__ == "__main__":
    main()
