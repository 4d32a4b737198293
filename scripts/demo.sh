#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh [A B]
# Installs what is missing, builds in release mode, and shows what Dipole does: the devices that are there, every
# operation compared with the reference on each, their speed, how far apart two data sets are, and a generator that is
# trained. Without the two files A and B (IDX, NPY or CSV) it takes MNIST from ../shared/data/mnist if that is there, else
# it makes images of its own.
set -euo pipefail
[ $# -eq 0 ] || [ $# -eq 2 ] || { sed -n '3,7s/^# //p' "$0" >&2 && exit 2; }
files=()
for file in "$@"; do
    files+=("$(realpath -e "$file")") # before the folder changes
done
cd "$(dirname "$0")/.."
scripts/install-deps.sh demo
export RUSTICL_ENABLE=${RUSTICL_ENABLE:-llvmpipe} # else Mesa's OpenCL shows no device without a GPU
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

title() {
    printf '\n== %s\n' "$1"
}

echo "building in build-release"
if ! scripts/build.sh build-release -Dbuildtype=release -Dcli=enabled >"$scratch/log" 2>&1; then
    tail -n 40 "$scratch/log" >&2
    exit 1
fi
dipole=$PWD/build-release/dipole

title "Devices (dipole devices)"
"$dipole" devices

title "Every operation against the reference (dipole check --device all)"
"$dipole" check --device all

title "Speed (dipole bench --device all)"
for shape in matmul:256x256x256 conv2d:4x16x32x32x32x3x3 map:1000000 reduce:1000000 pairwise:2000x2000x3; do
    "$dipole" bench --device all --seconds 0.1 --op "${shape%:*}" --shape "${shape#*:}"
done

distances() {
    if [ ${#files[@]} -eq 2 ]; then
        scripts/side-by-side.py "$dipole" "A and B: ${files[0]@Q} ${files[1]@Q}"
        return
    fi
    data=../shared/data/mnist
    ending=.gz first=0 second=7 what="MNIST's digits %s and %s, images of 28 x 28"
    if [ ! -e "$data/train-images-idx3-ubyte.gz" ]; then
        data=$scratch ending='' first=0 second=1
        what="synthetic images of 28 x 28 (there is no ../shared/data/mnist): class %s is a ring, class %s a cross"
        scripts/make-images.py "$scratch"
    fi
    # shellcheck disable=SC2059 # the text above is the format
    printf "Energy distance of $what\n\n" $first $second
    train="--labels-a '$data/train-labels-idx1-ubyte$ending' '$data/train-images-idx3-ubyte$ending'"
    test="--labels-b '$data/t10k-labels-idx1-ubyte$ending' '$data/t10k-images-idx3-ubyte$ending'"
    scripts/side-by-side.py "$dipole" \
        "$first in train, $first in test: $train $test --class-a $first --class-b $first" \
        "$first in train, $second in test: $train $test --class-a $first --class-b $second"
}

title "How far apart two data sets are (dipole distance)"
distances

title "A generator learns 25 Gaussians (dipole train eieg)"
"$dipole" train eieg --steps 20000 --batch 64 --real-batch 256 --out "$scratch/eieg"
cp "$scratch/eieg/samples.png" build-release/25gaussians.png
echo "the picture: build-release/25gaussians.png"
