#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The synthetic experiment of Atom Modeling: every loss over ten seeds, each with its best coefficient.

    atom_synthetic.py DIPOLE [--device ID] [--seeds N] [--search N] [--losses A,B] [--out FILE] [--jobs N] [-- OPTION...]

A loss's coefficient is the one of {0.5, ..., 0.005} with the best mean test accuracy over --search seeds (of data and weights) that the
table does not use: numbers from 1001 on. The table is over the seeds 1 .. N. Options behind "--" go to `dipole train atom`, such as
--label posterior. Prints Markdown: mean, standard deviation and range of the test accuracy, the mean difference from cross-entropy
alone on the same seeds with its standard error, and beside it the rules that know the populations.
"""
import argparse
import concurrent.futures
import json
import statistics
import subprocess
import sys
import tempfile

LOSSES = "none,atom,force,charge,number,hinge1,hinge2,rank-hinge,simclr,sscl".split(",")
COEFFICIENTS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
FIRST_SEARCH_SEED = 1001


def train(arguments, loss, coefficient, seed):
    """The scores of one run, in a folder that is gone after it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.dipole, "train", "atom", "--task", "synthetic", "--loss", loss, "--coefficient", str(coefficient),
                   "--seed", str(seed), "--out", folder + "/run", "--json"] + arguments.options
        if arguments.device:
            command += ["--device", arguments.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)["scores"]


def all_of(pool, arguments, loss, coefficient, seeds):
    return [pool.submit(train, arguments, loss, coefficient, seed) for seed in seeds]


def accuracies(runs):
    return [run.result()["accuracy"] for run in runs]


def search(pool, arguments, loss):
    """The best coefficient, and the mean accuracy of each."""
    if loss == "none":
        return 0, {}
    seeds = range(FIRST_SEARCH_SEED, FIRST_SEARCH_SEED + arguments.search)
    runs = {c: all_of(pool, arguments, loss, c, seeds) for c in COEFFICIENTS}
    means = {c: statistics.mean(accuracies(runs[c])) for c in COEFFICIENTS}
    print(f"{loss}: " + ", ".join(f"{c:g} {m:.4f}" for c, m in means.items()), file=sys.stderr, flush=True)
    return max(means, key=means.get), means


def row(loss, coefficient, values, base):
    differences = [v - b for v, b in zip(values, base)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return (f"| {loss} | {coefficient:g} | {100 * statistics.mean(values):.2f} | {100 * statistics.stdev(values):.2f} | "
            f"{100 * min(values):.2f} .. {100 * max(values):.2f} | {100 * statistics.mean(differences):+.2f} +- {100 * error:.2f} |")


def table(arguments):
    lines = ["| loss | coefficient | accuracy, % | its deviation | range | against cross-entropy alone, same seeds |",
             "| --- | --- | --- | --- | --- | --- |"]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        base = None
        seeds = range(1, arguments.seeds + 1)
        for loss in arguments.losses:
            coefficient, _ = search(pool, arguments, loss)
            runs = all_of(pool, arguments, loss, coefficient, seeds)
            values = accuracies(runs)
            if base is None:
                base = values
                rules = [run.result() for run in runs]
            lines.append(row(loss, coefficient, values, base))
            print(lines[-1], file=sys.stderr, flush=True)
    for rule in ("membership_rule", "posterior_sum_rule"):
        values = [r[rule] for r in rules]
        lines.append(row(rule.replace("_", " "), 0, values, base))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dipole")
    parser.add_argument("--device")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--search", type=int, default=3)
    parser.add_argument("--losses", type=lambda text: text.split(","), default=LOSSES)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out")
    own, options = (sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]) if "--" in sys.argv else (sys.argv[1:], [])
    arguments = parser.parse_args(own)
    arguments.options = options
    if arguments.losses[0] != "none":
        arguments.losses.insert(0, "none")
    lines = table(arguments)
    print("\n".join(lines))
    if arguments.out:
        with open(arguments.out, "w") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
