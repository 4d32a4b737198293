#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The losses of Atom Modeling and those they are compared with, over ten seeds, each with its best coefficient.

    atom_losses.py DIPOLE [--device ID] [--seeds N] [--search N] [--losses A,B] [--coefficients A,B] [--out FILE] [--jobs N] [-- OPTION...]

Options behind "--" go to `dipole train atom`: "--label posterior", or "--task classify --data FILE --per-class 10". A loss's coefficient is
the one of --coefficients (those of the paper's synthetic experiment) with the best mean test accuracy over --search seeds (of data and
weights) that the table does not use: numbers from 1001 on. With a single coefficient nothing is searched. The table is over the seeds
1 .. N. Prints Markdown: mean, standard deviation and range of the test accuracy, the mean difference from cross-entropy alone on the same
seeds with its standard error, and in the synthetic task the rules that know the populations.
"""
import argparse
import concurrent.futures
import json
import statistics
import subprocess
import sys
import tempfile

LOSSES = "none,atom,force,charge,number,hinge1,hinge2,rank-hinge,simclr,sscl".split(",")
COEFFICIENTS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]
FIRST_SEARCH_SEED = 1001


def train(arguments, loss, coefficient, seed):
    """The scores of one run, in a folder that is gone after it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.dipole, "train", "atom", "--loss", loss, "--coefficient", str(coefficient),
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
    """The best coefficient."""
    if loss == "none" or len(arguments.coefficients) == 1:
        return 0 if loss == "none" else arguments.coefficients[0]
    seeds = range(FIRST_SEARCH_SEED, FIRST_SEARCH_SEED + arguments.search)
    runs = {c: all_of(pool, arguments, loss, c, seeds) for c in arguments.coefficients}
    means = {c: statistics.mean(accuracies(runs[c])) for c in arguments.coefficients}
    print(f"{loss}: " + ", ".join(f"{c:g} {m:.4f}" for c, m in means.items()), file=sys.stderr, flush=True)
    return max(means, key=means.get)


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
            coefficient = search(pool, arguments, loss)
            runs = all_of(pool, arguments, loss, coefficient, seeds)
            values = accuracies(runs)
            if base is None:
                base = values
                rules = [run.result() for run in runs]
            lines.append(row(loss, coefficient, values, base))
            print(lines[-1], file=sys.stderr, flush=True)
    for rule in ("membership_rule", "posterior_sum_rule"):
        if rule in rules[0]:
            lines.append(row(rule.replace("_", " "), 0, [r[rule] for r in rules], base))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dipole")
    parser.add_argument("--device")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--search", type=int, default=3)
    parser.add_argument("--losses", type=lambda text: text.split(","), default=LOSSES)
    parser.add_argument("--coefficients", type=lambda text: [float(c) for c in text.split(",")], default=COEFFICIENTS)
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
