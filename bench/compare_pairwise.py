#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pair sums side by side: the yardstick, Dipole on the devices given, and the peers that can be imported.

Everybody computes the energy of each point and its gradient from the same numbers. Rounds are interleaved: each runs every
program once, in a process of its own, so that what else the machine does hits all alike. Writes a table in Markdown and, where
asked, everything measured as JSON. Needs no network; how to install the peers stands in README.md.
"""
import argparse
import glob
import importlib
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import side_by_side

EPS = 0.1  # softening of Coulomb, cap of Riesz; as in common.h
POTENTIALS = ("coulomb", "riesz", "gauss")
DIMS = (2, 3, 16)
PEERS = {  # name: modules it needs
    "keops": ("pykeops", "numpy"),
    "torch-cdist": ("torch", "numpy"),
    "torch-broadcast": ("torch", "numpy"),
    "openmm": ("openmm", "numpy"),
}
SIZES = {"torch-cdist": 4096, "torch-broadcast": 2048}  # what their N x M matrices leave room and time for
MAX_ERROR = 1e-4  # a peer beyond that is said to be wrong


# The worker: one peer, one round, in a process of its own -----------------------------------------------------------------

def points(numpy, count, dim, seed):
    return side_by_side.fill(numpy, count * dim, seed).reshape(count, dim)


def error_of(numpy, potential, x, y, energy, gradient, same):
    """The largest error over some points against f64, relative to the sum of the terms' sizes."""
    rows = [k * 0x9E3779B1 % len(x) for k in range(16)]
    difference = x[rows, None, :].astype(numpy.float64) - y[None].astype(numpy.float64)
    t = (difference ** 2).sum(-1)
    if same:  # unsoftened, without the pair of a point with itself
        t[range(len(rows)), rows] = numpy.inf
        value, slope = t ** -0.5, -t ** -1.5
    elif potential == "coulomb":
        value, slope = (t + EPS ** 2) ** -0.5, -(t + EPS ** 2) ** -1.5
    elif potential == "riesz":
        capped = numpy.maximum(t, EPS ** 2) ** -0.5
        value, slope = capped * (1.5 - 0.5 * t * capped ** 2), -capped ** 3
    else:
        value = numpy.exp(-0.5 * t)
        slope = -value
    terms = slope[..., None] * difference
    errors = [numpy.abs(gradient[rows] - terms.sum(1)) / numpy.abs(terms).sum(1)]
    if energy is not None:
        errors.append((numpy.abs(energy[rows].ravel() - value.sum(1)) / numpy.abs(value).sum(1))[:, None])
    return float(max(e.max() for e in errors))


def keops_calls(potential, x, y):
    """Energy and gradient as one reduction of the joined terms."""
    from pykeops.numpy import Genred
    t, e2, d = "SqDist(x, y)", f"IntInv({round(EPS ** -2)})", "(x - y)"
    r = {"coulomb": f"Rsqrt({t} + {e2})", "riesz": f"Rsqrt(({t} + {e2} + Abs({t} - {e2})) / IntCst(2))",
         "gauss": f"Exp(-{t} / IntCst(2))"}[potential]
    value, slope = {"coulomb": (r, f"({r} * {r} * {r})"), "gauss": (r, r),
                    "riesz": (f"({r} * (IntCst(3) - {t} * {r} * {r}) / IntCst(2))", f"({r} * {r} * {r})")}[potential]
    dim = x.shape[1]
    both = Genred(f"Concat({value}, -{slope} * {d})", [f"x = Vi({dim})", f"y = Vj({dim})"], reduction_op="Sum", axis=1)

    def run():
        out = both(x, y, backend="CPU")
        return out[:, 0], out[:, 1:]
    return run


def torch_calls(potential, x, y, broadcast):
    import torch
    torch.set_num_threads(os.cpu_count())
    points_y = torch.from_numpy(y)

    def run():
        points_x = torch.from_numpy(x).requires_grad_()
        if broadcast:
            t = ((points_x[:, None] - points_y[None]) ** 2).sum(-1)
        else:
            t = torch.cdist(points_x, points_y, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        if potential == "coulomb":
            k = torch.rsqrt(t + EPS ** 2)
        elif potential == "riesz":
            r = torch.rsqrt(torch.clamp(t, min=EPS ** 2))
            k = torch.where(t < EPS ** 2, 1.5 / EPS - 0.5 / EPS ** 3 * t, r)
        else:
            k = torch.exp(-0.5 * t)
        energy = k.sum(1)
        energy.sum().backward()
        return energy.detach().numpy(), points_x.grad.numpy()
    return run


def openmm_calls(x, platform_name):
    """Coulomb among one set of points, each pair once; gradients are what it calls forces, with the sign changed."""
    import numpy
    import openmm
    from openmm import unit
    for folder in glob.glob("/usr/lib/*/openmm"):
        openmm.Platform.loadPluginsFromDirectory(folder)
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    for _ in range(len(x)):
        system.addParticle(1)
        force.addParticle(1, 1, 0)
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(1e-3), openmm.Platform.getPlatformByName(platform_name))
    positions = x.astype(numpy.float64)
    context.setPositions(positions)
    coulomb = 138.935456  # kJ nm / (mol e^2)

    def run():
        state = context.getState(getEnergy=True, getForces=True)
        return None, state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer) / coulomb
    return run


def measure(run, seconds, pairs):
    """Rates of runs until the time is over, at least 3 unless they are slow; the first run warms up."""
    results = run()
    rates, start = [], time.monotonic()
    while not rates or time.monotonic() - start < (seconds if len(rates) >= 3 else 5 * seconds):
        begin = time.monotonic()
        run()
        rates.append(pairs / (time.monotonic() - begin))
    return results, rates


def worker(peer, size, seconds, cases):
    import numpy
    results = []
    for potential, dim in cases:
        x, y = points(numpy, size, dim, 1), points(numpy, size, dim, 2)
        if peer == "keops":
            run = keops_calls(potential, x, y)
        elif peer == "openmm":
            run = openmm_calls(x, "OpenCL")
        else:
            run = torch_calls(potential, x, y, peer == "torch-broadcast")
        (energy, gradient), rates = measure(run, seconds, float(size) ** 2)
        sign = -1 if peer == "openmm" else 1
        results.append({"name": potential, "dim": dim, "n": size, "m": size, "rates": rates,
                        "error": error_of(numpy, potential, x, x if peer == "openmm" else y, energy, sign * gradient,
                                          peer == "openmm")})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"results": results, "peak_mib": peak}, sys.stdout)


# The comparison -----------------------------------------------------------------------------------------------------------

class Table:
    """Samples of every program, by (potential, dim, n, x = y) or by the name of another measurement."""

    def __init__(self):
        self.rates, self.errors, self.peak, self.failures, self.what = {}, {}, {}, {}, {}

    def add(self, program, output):
        self.peak[program] = max(self.peak.get(program, 0), output["peak_mib"])
        self.what[program] = output.get("what", "")
        for row in output["results"]:
            key = (row["name"] + {"exact": "-exact", "both": "-both"}.get(row.get("variant"), ""), row.get("dim", 0), row.get("n", 0),
                   row.get("self", False))
            self.rates.setdefault((program, key), []).extend(row["rates"])
            self.errors[program, key] = max(self.errors.get((program, key), 0), row.get("error", 0))

    def median(self, program, key):
        rates = self.rates.get((program, key))
        return statistics.median(rates) if rates else None

    def spread(self, program, key, scale=1e-9):
        return side_by_side.spread(self.rates.get((program, key)), scale)


def run_program(table, program, command, environment=None, timeout=600):
    if program in table.failures:
        return
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                              env={**os.environ, **(environment or {})})
        start = done.stdout.find("{")  # peers greet on the same stream
        if done.returncode == 77:
            table.failures[program] = "skipped: " + done.stderr.strip().splitlines()[-1]
        elif done.returncode or start < 0:
            table.failures[program] = "failed: " + (done.stderr.strip().splitlines() or ["no output"])[-1][:150]
        else:
            table.add(program, json.loads(done.stdout[start:]))
    except (subprocess.TimeoutExpired, json.JSONDecodeError, OSError) as error:
        table.failures[program] = f"failed: {type(error).__name__}"


def missing_module(peer):
    return next((m for m in PEERS[peer] if importlib.util.find_spec(m) is None), None)


def cases_of(peer, options):
    if peer == "openmm":
        return [("coulomb", 3)] if 3 in options.dims and "coulomb" in options.potentials else []
    return [(p, d) for p in options.potentials for d in options.dims]


def one_round(table, options):
    seconds = ["--seconds", str(options.seconds), "--json"]
    size = ["--n", str(options.size), "--m", str(options.size)]
    for potential in options.potentials:
        for dim in options.dims:
            case = ["--potential", potential, "--dim", str(dim)]
            peaks = ["--suite"] if (potential, dim) == (options.potentials[0], options.dims[0]) else []
            run_program(table, "yardstick", [f"{options.build}/bench/yardstick", *case, *size, *seconds, *peaks])
            for device in options.device:
                run_program(table, device, [f"{options.build}/bench/pairwise", "--device", device, *case, *size, *seconds])
            for peer in options.peers:
                small = min(options.size, SIZES.get(peer, options.size))
                if (potential, dim) in cases_of(peer, options):
                    run_program(table, peer, [sys.executable, os.path.abspath(__file__), "--worker", peer, "--size",
                                              str(small), "--seconds", str(options.seconds), "--potentials", potential,
                                              "--dims", str(dim)], {"CXXFLAGS": "-march=native -ffast-math"})


def suites(table, options):
    for device in options.device:
        if device.startswith("opencl") or options.all_suites:
            run_program(table, device + " ", [f"{options.build}/bench/pairwise", "--device", device, "--potential", "coulomb",
                                              "--dim", "3", "--suite", "--seconds", str(options.seconds), "--json"])


def grid_lines(table, options, programs):
    names = {"torch-cdist": "PyTorch cdist", "torch-broadcast": "PyTorch broadcast", "keops": "KeOps CPU",
             "openmm": "OpenMM OpenCL", "yardstick": "yardstick"}
    keys = [(p, d) for p in options.potentials for d in options.dims]
    lines = ["| | " + " | ".join(f"{p} d={d}" for p, d in keys) + " | peak MiB |", "| --- |" + " --- |" * (len(keys) + 1)]

    def row(program, potential, dim):
        sizes = [k[2] for (who, k) in table.rates if who == program and k[:2] == (potential, dim)]
        return (potential, dim, max(sizes), False) if sizes else None
    for program in programs:
        cells = [table.spread(program, row(program, p, d)) for p, d in keys]
        lines.append(f"| {names.get(program, program)} | " + " | ".join(cells) + f" | {table.peak.get(program, 0):.0f} |")
        if program == "yardstick":
            cells = [table.spread(program, (p + "-exact", d, options.size, False)) for p, d in keys]
            lines.append("| yardstick, exact 1 / sqrt | " + " | ".join(cells) + " | |")
    lines += ["", "Medians in ratio:", "", "| | " + " | ".join(f"{p} d={d}" for p, d in keys) + " |",
              "| --- |" + " --- |" * len(keys)]
    for device in options.device:
        for other in programs:
            if other in options.device:
                continue
            pairs = [(table.median(device, row(device, p, d)), table.median(other, row(other, p, d))) for p, d in keys]
            if any(a and b for a, b in pairs):
                lines.append(f"| {device} / {names.get(other, other)} | " +
                             " | ".join(side_by_side.figure(a / b) if a and b else "-" for a, b in pairs) + " |")
    return lines


def suite_lines(table, options):
    lines = []
    for device in options.device:
        program = device + " "
        rows = [k for (who, k) in table.rates if who == program]
        if rows:
            lines += ["", f"## Sizes, on {device}", "", "| problem | rate | one call |", "| --- | --- | --- |"]
        for key in rows:
            name, dim, n, same = key
            rate = table.median(program, key)
            if name == "matmul":
                lines.append(f"| matmul 1024^3 | {table.spread(program, key)} GFLOP/s | {side_by_side.figure(1e3 * 2 * 1024 ** 3 / rate)} ms |")
            elif name.endswith("-both"):
                lines.append(f"| {name[:-5]} d={dim}, {n} x {n}, gradients to both sides | {table.spread(program, key)} GFLOP/s, "
                             f"7 d a pair | {side_by_side.figure(1e3 * 7 * dim * n * n / rate)} ms |")
            else:
                flops = f", {side_by_side.figure(5 * dim * rate * 1e-9)} GFLOP/s counted as 5 d a pair" if dim > 16 else ""
                lines.append(f"| {name} d={dim}, {n} x {n}{', x = y' if same else ''} | {table.spread(program, key)} Gpairs/s"
                             f"{flops} | {side_by_side.figure(1e3 * n * n / rate)} ms |")
    return lines


def report(table, options):
    programs = ["yardstick", *options.device, *options.peers]
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->", "# Pair sums, side by side", "",
        "Written by `bench/compare_pairwise.py`; see [bench/README.md](../../bench/README.md) for what is measured and how to "
        "repeat it.", "",
        side_by_side.machine_line(),
        f"- {options.rounds} rounds, interleaved, {options.seconds} s each; N = M = {options.size}; PyTorch, which "
        f"stores the matrix, {min(options.size, SIZES['torch-cdist'])} (cdist) and {min(options.size, SIZES['torch-broadcast'])}",
    ]
    for device in options.device:
        lines.append(f"- {table.what.get(device) or device}")
    for module in sorted({PEERS[p][0] for p in options.peers}):
        lines.append(f"- {module} {side_by_side.version_of(module)}")
    for peer, reason in table.failures.items():
        lines.append(f"- {peer.strip()}: {reason}")
    for peer in PEERS:
        if peer not in options.peers:
            lines.append(f"- {peer}: {'module ' + missing_module(peer) + ' is missing' if missing_module(peer) else 'left out'}")
    lines += ["", "## Energy and gradient to x", "", "Gpairs/s: median (lowest-highest). f32, N x M counted. OpenMM computes "
              "each pair of one set once, in its own units, unsoftened.", ""]
    lines += grid_lines(table, options, [p for p in programs if any(who == p for who, _ in table.rates)])
    machine = [f"{name} {table.spread('yardstick', (name, 0, 0, False))} {unit}" for name, unit in
               (("fma", "GFLOP/s"), ("triad", "GB/s"))]
    lines += ["", "The machine in the same run: " + ", ".join(machine) + "."]
    lines += suite_lines(table, options)
    wrong = [f"{who.strip()} {key[0]} d={key[1]}: {error:.1e}" for (who, key), error in table.errors.items() if error > MAX_ERROR]
    lines += ["", "Largest error of a sample against f64, relative to the sum of the terms' sizes: " +
              ", ".join(f"{p} {max((e for (who, _), e in table.errors.items() if who == p), default=0):.0e}"
                        for p in programs if any(who == p for who, _ in table.errors)) + "."]
    if wrong:
        lines.append("**Wrong values:** " + ", ".join(wrong) + ".")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build folder, configured with -Dbench=true")
    parser.add_argument("--device", action="append", help="a device of Dipole; may be repeated; default: opencl:0")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of them: " + ",".join(PEERS))
    parser.add_argument("--potentials", default=",".join(POTENTIALS))
    parser.add_argument("--dims", default=",".join(map(str, DIMS)))
    parser.add_argument("--size", type=int, default=16384, help="N = M, a multiple of 64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
    parser.add_argument("--no-suite", action="store_true", help="leave out other sizes, x = y, d = 784 and matmul")
    parser.add_argument("--all-suites", action="store_true", help="those on Vulkan and the reference too; slow on software")
    parser.add_argument("--output", metavar="FILE", help="the table; text below 'What limits what' in it is kept")
    parser.add_argument("--json", metavar="FILE", help="everything measured")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.potentials = [p for p in options.potentials.split(",") if p in POTENTIALS]
    options.dims = [int(d) for d in options.dims.split(",")]
    if options.worker:
        worker(options.worker, options.size, options.seconds, [(p, d) for p in options.potentials for d in options.dims])
        return
    options.device = options.device or ["opencl:0"]
    options.peers = [p for p in options.peers.split(",") if p in PEERS and not missing_module(p)]
    table = Table()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        one_round(table, options)
        if not options.no_suite:
            suites(table, options)
    side_by_side.write(options.output, report(table, options))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([{"program": who.strip(), "name": key[0], "dim": key[1], "n": key[2], "self": key[3], "rates": rates,
                        "error": table.errors[who, key], "peak_mib": table.peak[who]}
                       for (who, key), rates in table.rates.items()], file, indent=1)
    sys.exit(1 if any("failed" in reason for reason in table.failures.values()) else 0)


if __name__ == "__main__":
    main()
