#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER [MESON OPTION...]
# Configures that build folder of the tree with these options, anew where it was configured before, and compiles it.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '3,4s/^# //p' "$0" >&2 && exit 2; }
cd "$(dirname "$0")/.."
dir=$1
shift
if [ ! -e "$dir/build.ninja" ] || ! meson setup --reconfigure "$dir" "$@"; then
    rm -rf "$dir" # of another machine or place, or half made
    meson setup "$dir" "$@"
fi
meson compile -C "$dir"
