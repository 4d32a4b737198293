# SPDX-License-Identifier: Apache-2.0
"""What the experiments share: runs of `dipole train`, one folder each, that are made once and read again."""
import json
import os
import statistics
import subprocess
import sys


def slug(name):
    """A folder's name for a run."""
    return "".join(c if c.isalnum() else "-" for c in name)


def run(dipole, folder, arguments):
    """The result of a run, which is done first where it is not there: a run that was stopped goes on."""
    result = os.path.join(folder, "result.json")
    if not os.path.exists(result):
        command = [dipole, *arguments, "--out", folder]
        if os.path.exists(os.path.join(folder, "checkpoint.safetensors")):
            command.append("--resume")
        os.makedirs(os.path.dirname(folder) or ".", exist_ok=True)
        print(" ".join(command), file=sys.stderr)
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            sys.exit(f"failed: {' '.join(command)}")
    with open(result, encoding="utf-8") as file:
        return json.load(file)


def spread(values, digits):
    """Mean (lowest .. highest)."""
    mean, low, high = (f"{v:.{digits}f}" for v in (statistics.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} .. {high})"
