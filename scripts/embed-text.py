#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts text files into a program: writes them as one C file of strings.

    embed-text.py --output FILE.c FILE...

report_page.css becomes `const char report_page_css[]`. The files are UTF-8, and no one of them has a NUL.
"""
import argparse
import re
import sys
from pathlib import Path


def c_string(line):
    """One line as the inside of a C string; octal, as hex escapes would swallow what follows."""
    escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?")
    return "".join(c if " " <= c <= "~" else "".join(f"\\{b:03o}" for b in c.encode()) for c in escaped)


def embed(path):
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{path}: {error}")
    if "\0" in text:
        sys.exit(f"{path}: has a NUL")
    name = re.sub(r"\W", "_", path.name)
    lines = "".join(f'    "{c_string(line)}\\n"\n' for line in text.split("\n")[: -1 if text.endswith("\n") else None])
    lines = lines or '    ""'
    return f"extern const char {name}[];\nconst char {name}[] =\n{lines};\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args()
    text = "/* Made by scripts/embed-text.py: do not edit. */\n" + "\n".join(embed(path) for path in options.files)
    Path(options.output).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
