#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generators of images: eieg-gan with 2, 16 and 32 features, with and without its stabiliser, beside GAN and WGAN-GP, by the scores of a
classifier that is trained first. Prints Markdown: final scores, and the course of one.

    images.py DIPOLE TRAIN-IMAGES [--device ID] [--out DIR] [--steps N] [--channels N] [--augment NAME] [--model NAME]... [-- OPTION...]

TRAIN-IMAGES: an IDX file such as MNIST's, with its labels and its test images beside it. Runs that are there already are read, not made
again, so that the script can be stopped and started anew. Options behind "--" go to every `dipole train` of a generator.
"""
import argparse
import csv
import os

from runs import run, slug

MODELS = {f"eieg-gan, {n} features{text}": ["eieg-gan", "--feature-dim", str(n), "--stabiliser", stabiliser]
          for n in (2, 16, 32) for stabiliser, text in (("c", ""), ("none", ", no stabiliser"))}
RATE = "1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + cos(pi * t / T))"  # eieg-gan's
MODELS |= {"gan": ["gan"], "wgan-gp, as eieg-gan": ["wgan-gp", "--d-steps", "1", "--rate", RATE, "--rate-d", RATE, "--beta1", "0.5", "--beta2", "0.999"]}
CLASSIFIER = ["train", "atom", "--task", "classify", "--loss", "none", "--batch", "64", "--steps", "5000"]
COLUMNS = (("classifier_score", "classifier score", 2), ("classifier_frechet", "classifier Frechet distance", 2),
           ("energy_distance", "energy distance", 3))


def text(score, digits):
    return f"{score:.{digits}f}"


def course(folder, name):
    """(step, value) of a score in the course of a run."""
    with open(os.path.join(folder, "scores.csv"), encoding="utf-8", newline="") as file:
        return [(int(row["step"]), float(row[name])) for row in csv.DictReader(file)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dipole", help="the command")
    parser.add_argument("images", help="an IDX file of training images")
    parser.add_argument("--device", default="opencl:0")
    parser.add_argument("--out", default="runs", help="where the runs are")
    parser.add_argument("--steps", default="2000")
    parser.add_argument("--channels", default="32")
    parser.add_argument("--augment", default="shift", help="the classifier's: shift, flip (and shift) or none")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="default: all")
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    common = ["--data", args.images, "--device", args.device]
    classifier = os.path.join(args.out, "classifier")
    accuracy = run(args.dipole, classifier, [*CLASSIFIER, *common, "--augment", args.augment])["scores"]["accuracy"]
    print(f"The classifier's accuracy on test images: {accuracy:.4f}\n")
    print("| model | " + " | ".join(title for _, title, _ in COLUMNS) + " | minutes |\n| --- |" + " --- |" * (len(COLUMNS) + 1))
    courses = {}
    for model in args.model or MODELS:
        folder = os.path.join(args.out, slug(model))
        result = run(args.dipole, folder, ["train", *MODELS[model], *common, "--classifier", classifier, "--steps", args.steps, "--channels",
                                           args.channels, "--score-every", str(int(args.steps) // 8), *args.options])
        courses[model] = course(folder, "classifier_frechet")
        print(f"| {model} | " + " | ".join(text(result["scores"][name], digits) for name, _, digits in COLUMNS) +
              f" | {result['seconds'] / 60:.1f} |", flush=True)
    steps = [step for step, _ in next(iter(courses.values()))]
    print("\n| Frechet distance at step | " + " | ".join(str(step) for step in steps) + " |\n| --- |" + " --- |" * len(steps))
    for model, points in courses.items():
        print(f"| {model} | " + " | ".join(text(value, 1) for _, value in points) + " |")


if __name__ == "__main__":
    main()
