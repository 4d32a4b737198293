#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The generator of `dipole train eieg` on every distribution in the plane, with and without the self-interaction of its samples. Prints a
table in Markdown.

Runs that are there already are read, not made again, so that the script can be stopped and started anew.
"""
import argparse
import os

from runs import run, slug, spread

DATA = ("8gaussians", "25gaussians", "ring:20", "grid:4", "circles", "rings", "moons", "spirals", "swissroll", "checkerboard", "pinwheel")
MODELS = {"": [], ", without self-interaction": ["--no-self"]}


def scores_of(results):
    """The cells of a row: modes and quality only where there are modes."""
    scores = [result["scores"] for result in results]
    cells = [spread([s[name] for s in scores], digits) if name in scores[0] else "-" for name, digits in (("modes", 0), ("high_quality", 3))]
    return cells + [spread([1e4 * s["energy_distance"] for s in scores], 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dipole", help="the command")
    parser.add_argument("--device", default="opencl:0")
    parser.add_argument("--out", default="runs", help="where the runs are")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--data", action="append", help="default: all")
    args = parser.parse_args()
    print("| data | modes | high quality | energy distance, 1e-4 |\n| --- | --- | --- | --- |")
    for data in args.data or DATA:
        for text, options in MODELS.items():
            results = [run(args.dipole, os.path.join(args.out, f"{slug(data + text)}-{seed}"),
                           ["train", "eieg", "--data", data, "--attraction", "1", "--steps", str(args.steps), "--device", args.device, "--seed",
                            str(seed), *options]) for seed in range(args.seeds)]
            print(f"| {data}{text} | " + " | ".join(scores_of(results)) + " |", flush=True)


if __name__ == "__main__":
    main()
