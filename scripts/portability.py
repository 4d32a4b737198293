#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every kernel of the library for GPUs that are not there, and holds what the compilers say to a table.

    portability.py --check  [--all] [--target NAME]... [--kernel TEXT] [--require] [--plant] [--build FOLDER]
    portability.py --update [--all] [--target NAME]... [--kernel TEXT] [--build FOLDER]
    portability.py --show   [--all] [--target NAME]... [--kernel TEXT] [--build FOLDER]

--check compares with tests/portability/table.txt and fails where a kernel does not compile, spills where it did not, or
takes much more of something, and where the table and the library do not have the same kernels. --update writes the
table's rows anew, --show prints the rows and compares nothing. They take the targets that are quick to compile for,
--all takes every one, --target those that it names ("help" lists them); --kernel only kernels with TEXT in their names.
A compiler that is not there, or is not the table's version of it, is skipped, and said so; with --require a missing one
is an error. --plant compiles one kernel that needs more registers than any GPU has: --check must then fail. FOLDER is a
build with -Dtests=enabled (default: build). See docs/portability.md. Status 1: the check failed; 2: it could not be
made.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import portability_compilers as compilers
from portability_compilers import Failure, Missing

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests/portability/table.txt"
COLUMNS = ("regs", "spill", "scratch", "local", "code", "simd", "insns")


class Target:
    """A GPU and the compiler for it. `kind`: of gpu_kinds in tests/portability/record.c; None: every kind, and no
    figures. Slow ones, and those that repeat what another one says, wait for --all; an optional compiler is never an
    error."""

    def __init__(self, name, kind, tool, chip, quick=True, optional=False):
        self.name, self.kind, self.tool, self.chip, self.quick, self.optional = name, kind, tool, chip, quick, optional
        self.dialect = "vulkan" if tool in ("radv", "anv", "spirv-val") else "opencl"
        self.version = None


TARGETS = [
    Target("amdgcn-gfx900", "gcn", "amdgcn", "gfx900"),
    Target("amdgcn-gfx1030", "rdna", "amdgcn", "gfx1030"),
    Target("anv-dg2", "arc", "anv", "dg2"),
    Target("anv-skl", "gen9", "anv", "skl"),
    Target("anv-tgl", "xe", "anv", "tgl"),
    Target("nvptx-sm_75", "nvidia", "nvptx", "sm_75"),
    Target("ocloc-acm-g10", "arc", "ocloc", "acm-g10"),
    Target("ocloc-skl", "gen9", "ocloc", "skl", quick=False),
    Target("ocloc-tgllp", "xe", "ocloc", "tgllp", quick=False),
    Target("ptxas-sm_75", "nvidia", "ptxas", "sm_75", quick=False, optional=True),
    Target("ptxas-sm_86", "nvidia", "ptxas", "sm_86", quick=False, optional=True),
    Target("radv-polaris10", "gcn", "radv", "polaris10"),
    Target("radv-navi21", "rdna", "radv", "navi21"),
    Target("radv-gfx1100", "rdna", "radv", "gfx1100"),
]
LINTS = [Target("lint", None, "lint", None), Target("spirv-val", None, "spirv-val", None)]
# A compiler that is run for each kernel, and what tells its version. Mesa's drivers take many at once.
ONE_BY_ONE = {
    "amdgcn": (compilers.amdgcn, compilers.clang_version),
    "lint": (compilers.lint, compilers.clang_version),
    "nvptx": (compilers.nvptx, compilers.clang_version),
    "ocloc": (compilers.ocloc, compilers.ocloc_version),
    "ptxas": (compilers.ptxas, compilers.ptxas_version),
    "spirv-val": (compilers.spirv_val, compilers.spirv_version),
}


class Kernel:
    """A row of index.json, see tests/portability/kernels.c."""

    def __init__(self, row, folder):
        self.name, self.file, self.entry, self.bindings = row["name"], row["file"], row["entry"], row["bindings"]
        self.kind, self.dialect, self.defines, self.group = row["kind"], row["dialect"], row["defines"], row["group"]
        self.path = str(folder / row["file"])


class Table:
    """The checked-in figures: (kernel, target) to {column: number}, and each target's compiler."""

    def __init__(self, text=""):
        self.rows, self.versions = {}, {}
        for line in text.splitlines():
            version = re.match(r"# (\S+) by (.+)$", line)
            if version:
                self.versions[version[1]] = version[2]
            elif line.strip() and not line.startswith("#"):
                kernel, target, *numbers = line.split()
                self.rows[kernel, target] = {c: int(n) for c, n in zip(COLUMNS, numbers) if n != "-"}

    def text(self):
        width = max((len(kernel) for kernel, _ in self.rows), default=6)
        lines = ["# SPDX-License-Identifier: Apache-2.0",
                 "# What compilers make of every kernel for GPUs that are not there. Written by scripts/portability.py",
                 "# --update; how it is read: docs/portability.md.", "#"]
        lines += [f"# {target} by {version}" for target, version in sorted(self.versions.items())]
        lines += ["#", head(width)] + [line(key, figures, width) for key, figures in sorted(self.rows.items())]
        return "\n".join(lines) + "\n"


def head(width):
    return f"{'# kernel':<{width}} {'target':<14} " + " ".join(f"{column:>7}" for column in COLUMNS)


def line(key, figures, width=0):
    return f"{key[0]:<{width}} {key[1]:<14} " + " ".join(f"{figures.get(column, '-'):>7}" for column in COLUMNS)


# Most that each column may grow: by which factor, and at least by how much. A wider SIMD is never worse.
LIMITS = {"regs": (1.15, 8), "spill": (1.15, 8), "scratch": (1.15, 64), "local": (1.3, 1024), "code": (1.3, 512),
          "insns": (1.3, 64)}
HINTS = {"nvptx": {"regs": (1.3, 64)}}  # registers before there is a limit to them


def worse(old, new, tool):
    """The columns in which `new` is worse than the limits allow."""
    found = []
    for column in COLUMNS:
        before, after = old.get(column), new.get(column)
        if before is None or after is None:
            continue
        factor, step = {**LIMITS, **HINTS.get(tool, {})}.get(column, (1, 0))
        if column == "simd":
            bad = after < before
        elif column in ("spill", "scratch") and before == 0:
            bad = after > 0
        else:
            bad = after > before * factor and after > before + step
        if bad:
            found.append(f"{column} {before} -> {after}")
    return found


# ---- compiling ----

def write_kernels(programs, folder, plant):
    """Runs the program that lists the kernels."""
    command = [str(programs / "kernels"), *(["--plant"] if plant else []), str(folder)]
    try:
        print(subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout.strip())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}\nportability.py needs a build with -Dtests=enabled, OpenCL and Vulkan")
    rows = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return [Kernel(row, folder) for row in rows]


class Run:
    """One run over some targets: `figures` by (kernel, target), `failures` alike, `missing` by target."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.figures, self.failures, self.missing = {}, {}, {}
        self.seconds = {}

    def environment(self, target):
        make = compilers.radv_environment if target.tool == "radv" else compilers.anv_environment
        return make(self.programs, target.chip)

    def find(self, target):
        """Whether the target's compiler is there and works."""
        try:
            if target.tool in ONE_BY_ONE:
                target.version = ONE_BY_ONE[target.tool][1]()
            else:
                target.version = compilers.mesa_version(self.programs, self.environment(target), self.folder)
        except (Missing, Failure) as reason:
            self.missing[target.name] = str(reason)
        return target.name not in self.missing

    def one(self, target, kernel):
        start = time.monotonic()
        try:
            self.figures[kernel.name, target.name] = ONE_BY_ONE[target.tool][0](kernel, target.chip)
        except Missing as reason:
            self.missing[target.name] = str(reason)
        except Failure as reason:
            self.failures[kernel.name, target.name] = str(reason)
        self.seconds[target.name] = self.seconds.get(target.name, 0) + time.monotonic() - start

    def several(self, target, kernels):
        """Where a driver minds one of them: each alone, so that the others count."""
        start = time.monotonic()
        figures = compilers.radv_figures if target.tool == "radv" else compilers.anv_figures
        try:
            said = compilers.pipelines(self.programs, self.environment(target), kernels, self.folder)
            self.figures.update({(kernel.name, target.name): figures(said[kernel.name]) for kernel in kernels})
        except (Failure, KeyError) as reason:
            if len(kernels) == 1:
                self.failures[kernels[0].name, target.name] = f"{reason}"
            else:
                for kernel in kernels:
                    self.several(target, [kernel])
            return
        self.seconds[target.name] = self.seconds.get(target.name, 0) + time.monotonic() - start

    def jobs(self, targets, kernels):
        """(function, target, kernels), those that take longest first."""
        batches, singles = [], []
        for target in targets:
            own = [k for k in kernels if k.dialect == target.dialect and k.kind == (target.kind or k.kind)]
            if not target.kind:
                own = list({kernel.path: kernel for kernel in own}.values())
            if target.tool in ONE_BY_ONE:
                singles += [(self.one, target, kernel) for kernel in own]
            else:
                batches += [(self.several, target, own[n::4]) for n in range(4) if own[n::4]]
        return sorted(batches, key=lambda job: job[1].name) + singles

    def compile(self, targets, kernels, jobs):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(*job) for job in self.jobs(targets, kernels)]:
                done.result()


# ---- what is done with it ----

def check(run, table, targets, kernels, whole):
    """The problems, each a paragraph."""
    problems, variants = [], {(k.name, k.kind): k for k in kernels}
    for (name, target), reason in sorted(run.failures.items()):
        problems.append(f"{name} does not compile for {target}:\n{reason}")
    for target in (t for t in targets if t.name not in run.missing and t.kind):
        compiled = {name: figures for (name, of), figures in run.figures.items() if of == target.name}
        for name, figures in sorted(compiled.items()):
            key, kernel = (name, target.name), variants[name, target.kind]
            old = table.rows.get(key)
            if old is None:
                problems.append(f"new, not in the table: {line(key, figures)}")
                continue
            found = worse(old, figures, target.tool)
            if found:
                group = "x".join(str(size) for size in kernel.group if size > 1)
                problems.append(f"{name} on {target.name}: {', '.join(found)}   (group {group}; {kernel.defines})\n"
                                f"  {head(len(name))}\n  {line(key, old)}  in the table\n  {line(key, figures)}  now")
        gone = {name for name, of in table.rows if of == target.name} - set(compiled)
        gone -= {name for name, of in run.failures if of == target.name}
        problems += [f"in the table, but no kernel any more: {name} on {target.name}" for name in sorted(gone) if whole]
    return problems


def update(run, table, targets, listed, text):
    """Replaces the rows of the targets that were compiled for, and of kernels with `text` in their names, and takes out
    those of kernels that are no more; returns the rows that are worse than before, or spill from the first."""
    notes = []
    for target in (t for t in targets if t.name not in run.missing and t.kind):
        names = {k.name for k in listed if k.kind == target.kind and k.dialect == target.dialect}
        before = {key: row for key, row in table.rows.items()
                  if key[1] == target.name and (text in key[0] or key[0] not in names)}
        for key in before:
            del table.rows[key]
        table.versions[target.name] = target.version
        for key, figures in sorted(run.figures.items()):
            if key[1] != target.name:
                continue
            table.rows[key] = figures
            found = worse(before.get(key, {"spill": 0, "scratch": 0}), figures, target.tool)
            if found:
                notes.append(f"{key[0]} on {key[1]}: {', '.join(found)}")
    return notes


def choose(options):
    if options.target == ["help"]:
        sys.exit("\n".join(f"{t.name:<15} {'' if t.quick else '--all'}" for t in TARGETS))
    known = {target.name: target for target in TARGETS}
    unknown = set(options.target) - set(known)
    if unknown:
        sys.exit(f"no target {', '.join(sorted(unknown))}; there is: {' '.join(known)}")
    chosen = [known[name] for name in options.target] or [t for t in TARGETS if t.quick or options.all]
    return chosen + ([] if options.target or options.plant else LINTS)


def skip(run, targets, table, options):
    """Takes out the targets that cannot be compiled for or compared. Says so; True where that is an error."""
    bad = False
    for target in list(targets):
        if not run.find(target):
            reason = f"missing: {run.missing[target.name]}"
        elif table.versions.get(target.name, target.version) != target.version:
            reason = f"here {target.version}, the table is by {table.versions[target.name]}"
            if not options.check or (options.require and not target.optional):
                print(f"note: {target.name}: {reason}")
                continue
        else:
            continue
        error = options.require and not target.optional
        print(f"{'ERROR' if error else 'skipped'} {target.name}: {reason}")
        bad = bad or error
        targets.remove(target)
    return bad


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--update", action="store_true")
    what.add_argument("--show", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--kernel", default="")
    parser.add_argument("--require", action="store_true")
    parser.add_argument("--plant", action="store_true")
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.update and options.plant:
        parser.error("a planted kernel is not for the table")
    return options


def main():
    options, start = parse(), time.monotonic()
    targets = choose(options)
    table = Table(TABLE.read_text(encoding="utf-8") if TABLE.exists() else "")
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(Path(options.build).resolve() / "tests/portability", Path(scratch))
        listed = write_kernels(run.programs, run.folder, options.plant)
        kernels = [k for k in listed if options.kernel in k.name]
        incomplete = skip(run, targets, table, options)
        run.compile(targets, kernels, options.jobs)
    for name, seconds in sorted(run.seconds.items()):
        rows = sum(of == name for _, of in run.figures)
        print(f"{name:<15} {rows:4d} kernels {seconds:6.1f} s")
    problems = check(run, table, targets, kernels, not options.plant and not options.kernel) if options.check else \
        [f"{name} does not compile for {of}:\n{why}" for (name, of), why in sorted(run.failures.items())]
    if options.update:
        notes = update(run, table, targets, listed, options.kernel)
        TABLE.write_text(table.text(), encoding="utf-8")
        print("\n".join(["worse than before, or a spill from the first:", *notes] if notes else ["nothing is worse"]))
    if options.show:
        fresh = Table()
        fresh.rows = {key: figures for key, figures in run.figures.items() if figures}
        print(fresh.text().split("\n#\n")[-1])
    print("\n".join(f"\n{problem}" for problem in problems))
    if problems and options.check:
        print("\nWhere a change is meant, scripts/portability.py --update writes the new row: look at its diff.")
    print(f"{len(run.figures)} rows in {time.monotonic() - start:.0f} s, {len(problems)} problems")
    sys.exit(1 if problems else 2 if incomplete else 0)


if __name__ == "__main__":
    main()
