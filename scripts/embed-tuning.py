#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the shipped tuning database and its logs into the library, as one C file of strings.

    embed-tuning.py --output FILE.c FILE.txt...

A file in a folder called `logs` is a log. Comments and blank lines stay out.
"""
import argparse
import os


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="*", metavar="FILE")
    options = parser.parse_args()
    rows, texts = [], []
    for number, path in enumerate(options.files):
        with open(path, encoding="ascii") as file:
            lines = [line.strip() for line in file]
        lines = [line for line in lines if line and not line.startswith("#")]
        # An array of characters: a string literal longer than 4095 is not portable C.
        body = "\n".join("    " + ", ".join(str(byte) for byte in (line + "\n").encode()) + "," for line in lines)
        texts.append(f"static const char text_{number}[] = {{\n{body}\n    0}};\n")
        log = os.path.basename(os.path.dirname(os.path.abspath(path))) == "logs"
        rows.append(f'    {{"{os.path.basename(path)}", text_{number}, {"true" if log else "false"}}},\n')
    with open(options.output, "w", encoding="ascii") as file:
        file.write('/* Made by scripts/embed-tuning.py: do not edit. */\n#include "gpu/database.h"\n\n')
        file.write("".join(texts))
        file.write("const dp__shipped_file dp__shipped_files[] = {\n" + "".join(rows) + "    {NULL, NULL, false},\n};\n")


if __name__ == "__main__":
    main()
