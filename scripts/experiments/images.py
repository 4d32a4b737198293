#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generators of images, by the scores of a classifier that is trained first. Prints Markdown: final scores, and the course of one.

    images.py SET DIPOLE TRAIN-IMAGES [--device ID] [--out DIR] [--seeds N] [--steps N] [--channels N] [--augment NAME] [--model NAME]...
              [-- OPTION...]

SET: eieg: eieg-gan with 2, 16 and 32 features, with and without its stabiliser, beside GAN and WGAN-GP; atom: DCGAN with the losses of Atom
Modeling, VQ and SSCL. TRAIN-IMAGES: an IDX file such as MNIST's, with its labels and its test images beside it. Runs that are there already
are read, not made again, so that the script can be stopped and started anew. Options behind "--" go to every `dipole train` of a generator.
"""
import argparse
import csv
import os
import sys

from runs import run, slug, spread

RATE = "1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + cos(pi * t / T))"  # eieg-gan's
SETS = {
    "eieg": {f"eieg-gan, {n} features{text}": ["eieg-gan", "--feature-dim", str(n), "--stabiliser", stabiliser]
             for n in (2, 16, 32) for stabiliser, text in (("c", ""), ("none", ", no stabiliser"))} | {
        "gan": ["gan"],
        "wgan-gp, as eieg-gan": ["wgan-gp", "--d-steps", "1", "--rate", RATE, "--rate-d", RATE, "--beta1", "0.5", "--beta2", "0.999"]},
    "atom": {f"dcgan, {loss}": ["atom", "--task", "generate", "--loss", loss]
             for loss in ("none", "atom", "force", "force+charge", "force+number", "sscl", "vq")},
}
CLASSIFIER = ["train", "atom", "--task", "classify", "--loss", "none", "--batch", "64", "--steps", "5000"]
COLUMNS = (("classifier_score", "classifier score", 2), ("classifier_frechet", "classifier Frechet distance", 2),
           ("energy_distance", "energy distance", 3))
COURSE = "classifier_frechet"


def course(folder):
    """(step, value) of a score in the course of a run."""
    with open(os.path.join(folder, "scores.csv"), encoding="utf-8", newline="") as file:
        return [(int(row["step"]), float(row[COURSE])) for row in csv.DictReader(file)]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=list(SETS))
    parser.add_argument("dipole", help="the command")
    parser.add_argument("images", help="an IDX file of training images")
    parser.add_argument("--device", default="opencl:0")
    parser.add_argument("--out", default="runs", help="where the runs are")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--augment", default="shift", help="the classifier's: shift, flip (and shift) or none")
    parser.add_argument("--model", action="append", help="default: all of the set")
    own, options = (sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]) if "--" in sys.argv else (sys.argv[1:], [])
    args = parser.parse_args(own)
    args.options = options
    return args


def main():
    args = parse()
    models = SETS[args.set]
    common = ["--data", args.images, "--device", args.device]
    classifier = os.path.join(args.out, "classifier")
    accuracy = run(args.dipole, classifier, [*CLASSIFIER, *common, "--augment", args.augment])["scores"]["accuracy"]
    common += ["--classifier", classifier, "--steps", str(args.steps), "--channels", str(args.channels), "--score-every", str(-(-args.steps // 8))]
    print(f"The classifier's accuracy on test images: {accuracy:.4f}\n")
    print("| model | " + " | ".join(title for _, title, _ in COLUMNS) + " | minutes |\n| --- |" + " --- |" * (len(COLUMNS) + 1))
    courses = {}
    for model in args.model or models:
        folders = [os.path.join(args.out, f"{slug(model)}-{seed}") for seed in range(args.seeds)]
        results = [run(args.dipole, folder, ["train", *models[model], *common, "--seed", str(seed), *args.options])
                   for seed, folder in enumerate(folders)]
        courses[model] = course(folders[0])
        print(f"| {model} | " + " | ".join(spread([r["scores"][name] for r in results], digits) for name, _, digits in COLUMNS) +
              f" | {spread([r['seconds'] / 60 for r in results], 1)} |", flush=True)
    steps = [step for step, _ in next(iter(courses.values()))]
    print("\n| Frechet distance of seed 0 at step | " + " | ".join(str(step) for step in steps) + " |\n| --- |" + " --- |" * len(steps))
    for model, points in courses.items():
        print(f"| {model} | " + " | ".join(f"{value:.1f}" for _, value in points) + " |")


if __name__ == "__main__":
    main()
