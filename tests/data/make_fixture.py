#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fixture.safetensors, the file that test_safetensors.c reads, with the format's own library.

    pip install 'safetensors>=0.8' && tests/data/make_fixture.py FOLDER
"""
import ctypes
import struct
import sys
from pathlib import Path

import safetensors


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tensors = {
        "layer.weight": ("float32", [2, 3], struct.pack("<6f", 0, 0.5, -1, 1.5, -2, 2.5)),
        "layer.bias é": ("float16", [3], struct.pack("<3e", 1, -0.5, 65504)),
        "steps": ("int32", [], struct.pack("<i", -7)),
        "brain": ("bfloat16", [1, 2], struct.pack("<2H", 0x3F80, 0xC040)),
        "empty": ("float32", [0, 4], b""),
        "long": ("int64", [2], struct.pack("<2q", 1 << 40, -1)),
        "flags": ("bool", [3], b"\1\0\1"),
    }
    buffers = {name: ctypes.create_string_buffer(data, max(1, len(data))) for name, (_, _, data) in tensors.items()}
    entries = {
        name: safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[name]), data_len=len(data))
        for name, (dtype, shape, data) in tensors.items()
    }
    data = safetensors.serialize(entries, {"format": "pt", "quoted \"key\"\n": "a\\b\tc\u00e9\U0001F600"})
    Path(sys.argv[1], "fixture.safetensors").write_bytes(data)


if __name__ == "__main__":
    main()
