#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `dipole distance` on every device and prints the values side by side.

    side-by-side.py DIPOLE "TITLE: ARGUMENT..." ...

First with the same rows on all; then, where a device is faster than that needs, with the most rows that fit into its
share of the time. Status 1 where a device fails, or two devices differ by more than 1e-5 of the largest value.
"""
import json
import math
import shlex
import subprocess
import sys

COMMON_ROWS = 1000
SECONDS = 5  # of one distance in the second table
ROWS = 10000
AGREE = 1e-5


def ask(dipole, *arguments):
    run = subprocess.run([dipole, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"dipole {shlex.join(arguments)}:\n{run.stderr}")
    return json.loads(run.stdout)


def distance(dipole, device, job, rows):
    return ask(dipole, "distance", *job, "--unbiased", "--device", device, "--limit", str(rows))


def cell(result):
    error = result["stderr"]
    return f"{result['value']:.7g}" + (f" +- {error:.1g}" if error is not None else "")


def rate(result):
    return result["pairs"] / result["seconds"]


def table(titles, rows):
    """rows: (left cell, results of all jobs); a last column tells the speed."""
    lines = [["device", "rows", *titles, "pairs/s"]]
    for device, results in rows:
        counts = "x".join(str(n) for n in (results[0]["n"], results[0]["m"]))
        lines.append([device, counts, *map(cell, results), f"{rate(results[-1]):.2g}"])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def spread(rows):
    """The largest difference between devices, relative to the largest value of all."""
    columns = [[result["value"] for result in column] for column in zip(*(results for _, results in rows))]
    return max(max(c) - min(c) for c in columns) / max(max(map(abs, c)) for c in columns)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    dipole = sys.argv[1]
    titles, jobs = [], []
    for argument in sys.argv[2:]:
        title, _, rest = argument.partition(":")
        titles.append(title)
        jobs.append(shlex.split(rest))
    devices = [(device["id"], device["name"]) for device in ask(dipole, "devices")["devices"]]

    same = [(name, [distance(dipole, name, job, COMMON_ROWS) for job in jobs]) for name, _ in devices]
    print("The same rows on every device:")
    table(titles, same)
    difference = spread(same)
    print(f"  Largest difference between devices: {difference:.1g} of the largest value.\n")

    most = []
    for name, results in same:
        # Three sets of pairs: within each side, and between them.
        rows = min(ROWS, int(math.sqrt(SECONDS * min(map(rate, results)) / 3)))
        if rows > 1.5 * COMMON_ROWS and results[0]["n"] == COMMON_ROWS:  # else the files have no more to give
            most.append((name, [distance(dipole, name, job, rows) for job in jobs]))
    if most:
        print(f"As many rows as fit into about {SECONDS} seconds, where that is more:")
        table(titles, most)
    sys.exit(difference > AGREE)


if __name__ == "__main__":
    main()
