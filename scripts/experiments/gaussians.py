#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The 25 Gaussians: every model of `dipole train` on some seeds, with its defaults. Prints tables in Markdown.

Runs that are there already are read, not made again, so that the script can be stopped and started anew.
"""
import argparse
import os

from runs import run, slug, spread

MODELS = {
    "eieg": ["train", "eieg"],
    "eieg, attraction 1": ["train", "eieg", "--attraction", "1"],
    "eieg, the paper's options": ["train", "eieg", "--steps", "16000", "--rate", "1e-3", "--beta1", "0.5", "--eps", "0.1", "--attraction", "1",
                                  "--latent", "normal", "--average", "0"],
    "eieg, without self-interaction": ["train", "eieg", "--no-self", "--steps", "10000"],
    "eieg-gan": ["train", "eieg-gan"],
    "eieg-gan, no penalty": ["train", "eieg-gan", "--penalty", "0", "--steps", "40000"],
    "eieg-gan, no penalty, no stabiliser": ["train", "eieg-gan", "--penalty", "0", "--stabiliser", "none", "--steps", "40000"],
    "gan": ["train", "gan"],
    "wgan-gp": ["train", "wgan-gp"],
    "mmd-gan": ["train", "mmd-gan"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dipole", help="the command")
    parser.add_argument("--device", default="opencl:0")
    parser.add_argument("--out", default="runs", help="where the runs are")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--model", action="append", choices=list(MODELS), help="default: all")
    args = parser.parse_args()
    print("| model | modes of 25 | high quality | energy distance, 1e-4 | steps | steps/s | minutes |\n| --- | --- | --- | --- | --- | --- | --- |")
    details = []
    for model in args.model or MODELS:
        results = [run(args.dipole, os.path.join(args.out, f"{slug(model)}-{seed}"),
                       MODELS[model] + ["--device", args.device, "--seed", str(seed)]) for seed in range(args.seeds)]
        scores = [result["scores"] for result in results]
        print(f"| {model} | {spread([s['modes'] for s in scores], 0)} | {spread([s['high_quality'] for s in scores], 3)} | "
              f"{spread([1e4 * s['energy_distance'] for s in scores], 1)} | {results[0]['steps']} | "
              f"{spread([r['steps_per_second'] for r in results], 0)} | {spread([r['seconds'] / 60 for r in results], 1)} |", flush=True)
        details.append(f"| {model} | " + " | ".join(f"{s['modes']:.0f} / {s['high_quality']:.3f}" for s in scores) + " |")
    print("\n| modes / high quality of seed | " + " | ".join(str(seed) for seed in range(args.seeds)) + " |\n| --- |" + " --- |" * args.seeds)
    print("\n".join(details))


if __name__ == "__main__":
    main()
