#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts kernel sources into the library: flattens each entry file and writes them all as one C file of strings.

    embed.py --output FILE.c [--depfile FILE.d] ENTRY...

An entry is cl/NAME.cl or shaders/NAME.comp. Every `#include "file"` is replaced by the file, found relative to the file
that includes it, the first time an entry meets it and by nothing later: headers need no guards. An include of a name
without a dot that is no file (`#include "formula"`) is a marker that the library fills in at run time: it stays. Comments
and blank lines go, other lines stay as they are.
"""
import argparse
import os
import re
import sys

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|/\*", re.DOTALL)
INCLUDE = re.compile(r"\s*#\s*include\b(.*)")
QUOTED = re.compile(r'\s*"([^"]+)"\s*$')


class SourceError(Exception):
    def __init__(self, path, line, text):
        super().__init__(f"{path}:{line}: {text}")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise SourceError(path, 1, f"not UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise SourceError(path, 1, error.strerror) from error


def without_comments(path, text):
    """Comments become a blank and their line ends, so that line numbers stay true."""

    def blank(match):
        if match[0] == "/*":
            raise SourceError(path, text.count("\n", 0, match.start()) + 1, "this comment has no end")
        return " " + "\n" * match[0].count("\n")

    return COMMENT.sub(blank, text)


def flatten(path, seen):
    """The lines of `path` with its includes in their places. `seen` collects every file that was read."""
    seen.append(os.path.realpath(path))
    for number, line in enumerate(without_comments(path, read(path)).split("\n"), 1):
        include = INCLUDE.match(line)
        if not include:
            if line.strip():
                yield line.rstrip()
            continue
        quoted = QUOTED.match(include[1])
        if not quoted:
            raise SourceError(path, number, 'an include must read #include "file"')
        target = os.path.join(os.path.dirname(path), quoted[1])
        if os.path.isfile(target):
            if os.path.realpath(target) not in seen:
                yield from flatten(target, seen)
        elif "." in quoted[1]:
            raise SourceError(path, number, f"no such file: {target}")
        else:
            yield f'#include "{quoted[1]}"'


def c_string(line):
    escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("??", "?\\?")
    return "".join(c if " " <= c <= "~" else "".join(f"\\{b:03o}" for b in c.encode()) for c in escaped)


def embed(entries):
    """The C file's text, and every file that it was made from."""
    rows, files, names = [], [], set()
    for path in entries:
        name, dialect = os.path.splitext(os.path.basename(path))
        if dialect not in (".cl", ".comp"):
            raise SourceError(path, 1, "an entry is called NAME.cl or NAME.comp")
        if (name, dialect) in names:
            raise SourceError(path, 1, f"a second entry of the name {name}{dialect}")
        names.add((name, dialect))
        seen = []
        lines = "\n".join(f'     "{c_string(line)}\\n"' for line in flatten(path, seen))
        rows.append(f'    {{"{name}", "{dialect[1:]}",\n{lines or "     " + chr(34) * 2}}},\n')
        files += seen
    text = (
        "/* Made by scripts/embed.py: do not edit. */\n"
        '#include "gpu/source.h"\n\n#include <stddef.h>\n\n'
        "const dp__embedded_source dp__embedded_sources[] = {\n" + "".join(rows) + "    {NULL, NULL, NULL},\n};\n"
    )
    return text, sorted(set(files))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("--depfile")
    parser.add_argument("entries", nargs="*", metavar="ENTRY")
    options = parser.parse_args()
    try:
        text, files = embed(options.entries)
    except SourceError as error:
        sys.exit(str(error))
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(text)
    if options.depfile:
        with open(options.depfile, "w", encoding="utf-8") as file:
            escaped = [name.replace(" ", "\\ ") for name in [options.output, *files]]
            file.write(escaped[0] + ":" + "".join(f" \\\n  {name}" for name in escaped[1:]) + "\n")


if __name__ == "__main__":
    main()
