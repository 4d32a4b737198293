# SPDX-License-Identifier: Apache-2.0
"""What the comparison scripts share: the problems' numbers, figures and spreads, what machine and versions ran, files of results
whose hand-written part is kept."""
import datetime
import importlib
import math
import os
import platform
import re
import statistics

NOTES = "\n## What limits what"  # what stands below in a file of results was written by hand


def fill(numpy, count, seed):
    """The numbers of bench_fill in common.c."""
    h = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    h = (h ^ (h >> numpy.uint32(16))) * numpy.uint32(0x21F0AAAD)
    h = (h ^ (h >> numpy.uint32(15))) * numpy.uint32(0x735A2D97)
    h ^= h >> numpy.uint32(15)
    return (h >> numpy.uint32(8)).astype(numpy.float32) * numpy.float32(2.0 ** -23) - numpy.float32(1)


def figure(value):
    """Three digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(2 - math.floor(math.log10(value)) if value > 0 else 0, 0)}f}" if value < 10 else f"{value:.1f}"


def spread(values, scale=1):
    """Median (lowest-highest), or a dash for none."""
    if not values:
        return "-"
    return "{} ({}-{})".format(*(figure(scale * v) for v in (statistics.median(values), min(values), max(values))))


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return re.search(r"model name\s*: (.*)", file.read()).group(1)
    except (OSError, AttributeError):
        return platform.processor() or "unknown"


def machine_line():
    return (f"- {datetime.date.today().isoformat()}; {cpu_name()}, {os.cpu_count()} cores; {platform.system()} "
            f"{platform.release()}; load average at the end {os.getloadavg()[0]:.1f}")


def version_of(module):
    from importlib import metadata
    for name in (module, module.lower()):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    try:
        if module == "openmm":
            import openmm
            return openmm.version.short_version
        return getattr(importlib.import_module(module), "__version__", "?")
    except Exception:  # a broken installation is as good as none
        return "?"


def old_notes(path):
    """What was written by hand below the table is kept."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        start = text.find(NOTES)
        return text[start:] if start >= 0 else ""
    except OSError:
        return ""


def write(path, text):
    """To the file, with its notes behind; to the output where there is none."""
    if not path:
        print(text)
        return
    text += old_notes(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
