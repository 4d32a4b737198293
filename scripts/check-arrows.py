#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include of the tree against the table of allowed arrows in CONTRIBUTING.md.

A row of the table (the code block that begins with ```arrows) reads `FOLDER: FOLDER FOLDER <LIBRARY> ...`: files of the
first may include files of the others and of its own. A file belongs to the row with the longest path that fits it. A
<LIBRARY> is one that only the rows which name it may include: <CL> stands for <CL/cl.h> and all beside it. Includes of
other system headers are free. So are those that kernels leave for the library to fill in (no dot in their names).
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {".c", ".h", ".cpp", ".def", ".cl", ".comp", ".glsl", ".body"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
BACKEND_TEST = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\bDP_HAVE_")
REGISTRATION = "src/backends.c"
INCLUDE_FOLDERS = ("src", "include", ".", "tests", "backends/ref")  # as the build gives them; the last is for tests


def table():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^```arrows\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if not block:
        sys.exit("CONTRIBUTING.md: there is no block of arrows")
    rows = {}
    for line in filter(str.strip, block[1].splitlines()):
        folder, _, allowed = line.partition(":")
        rows[folder.strip()] = set(allowed.split())
    for folder, allowed in rows.items():
        for name in allowed:
            if not name.startswith("<") and name not in rows:
                sys.exit(f"CONTRIBUTING.md: {folder} may use {name}, which has no row of its own")
    return rows


def row_of(path, rows):
    """The row that `path` (relative to the root) belongs to, or None."""
    fitting = [row for row in rows if path == row or path.startswith(row + "/")]
    return max(fitting, key=len, default=None)


def resolve(source, name):
    """The file that an include with quotes, or of <dipole/...>, means."""
    for base in (source.parent, *(ROOT / folder for folder in INCLUDE_FOLDERS)):
        target = (base / name).resolve()
        if target.is_file() and target.is_relative_to(ROOT):
            return target.relative_to(ROOT).as_posix()
    return None


def problems_of(source, rows, libraries):
    path = source.relative_to(ROOT).as_posix()
    row = row_of(path, rows)
    if row is None:
        yield f"{path}: this folder has no row in CONTRIBUTING.md"
        return
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        if BACKEND_TEST.match(line) and path != REGISTRATION:
            yield f"{path}:{number}: an #if on a backend stands outside of {REGISTRATION}"
        include = INCLUDE.match(line)
        if not include:
            continue
        quote, name = include.groups()
        if quote == "<" and not name.startswith("dipole/"):
            library = "<" + name.split("/")[0].removesuffix(".h") + ">"
            if library in libraries and library not in rows[row]:
                yield f"{path}:{number}: {row} may not use {library}"
            continue
        target = resolve(source, name)
        if target is None:
            if "." in name:
                yield f"{path}:{number}: there is no file {name}"
        elif row_of(target, rows) not in rows[row] | {row}:
            yield f"{path}:{number}: {row} may not use {row_of(target, rows) or target}"


def main():
    rows = table()
    libraries = {name for allowed in rows.values() for name in allowed if name.startswith("<")}
    tops = {row.split("/")[0] for row in rows} | {"src", "backends"}
    sources = [p for top in sorted(tops) for p in sorted((ROOT / top).rglob("*")) if p.suffix in SOURCES]
    problems = [text for source in sources for text in problems_of(source, rows, libraries)]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
