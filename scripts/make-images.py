#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a small synthetic data set into a folder, in the files and the format (IDX) of MNIST: images of 28 x 28 grey
values with noise, class 0 a ring and class 1 a cross, of random place, size and stroke.

    make-images.py FOLDER [IMAGES OF A CLASS]
"""
import math
import random
import struct
import sys
from pathlib import Path

SIDE = 28


def image(kind, rng):
    cx, cy = rng.gauss(13.5, 1.2), rng.gauss(13.5, 1.2)
    radius, stroke = rng.uniform(6, 9), rng.uniform(1, 1.8)
    pixels = bytearray()
    for row in range(SIDE):
        for column in range(SIDE):
            x, y = column - cx, row - cy
            if kind == 0:
                distance = abs(math.hypot(x, y) - radius)
            else:
                distance = max(min(abs(x), abs(y)), math.hypot(x, y) - radius)
            value = 255 * max(0, min(1, stroke + 0.5 - distance)) + rng.gauss(0, 6)
            pixels.append(int(max(0, min(255, value))))
    return pixels


def write(folder, name, count, rng):
    labels = bytes(i % 2 for i in range(2 * count))
    images = b"".join(image(label, rng) for label in labels)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, len(labels), SIDE, SIDE) + images)
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 900
    rng = random.Random(1)
    for name in ("train", "t10k"):
        write(folder, name, count, rng)


if __name__ == "__main__":
    main()
