#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of SwiftShader's ICD file, a second Vulkan driver that needs no GPU. It comes out of a package of
# Debian's chromium, which is unpacked into a cache folder and not installed. Status 1, and one line that says why, where
# it cannot be had.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/dipole/swiftshader
icd=$cache/vk_swiftshader_icd.json
if [ ! -e "$icd" ]; then
    command -v apt-get >/dev/null || { echo "SwiftShader is taken from a Debian package; there is no apt-get" >&2 && exit 1; }
    mkdir -p "$cache"
    scratch=$(mktemp -d "$cache/download.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    for package in chromium-common chromium; do # it moved from one to the other
        apt-get -q download "$package" >log 2>&1 && dpkg -x "$package"_*.deb "$package" >>log 2>&1 || continue
        [ ! -e "$package/usr/lib/chromium/libvk_swiftshader.so" ] || found=$package/usr/lib/chromium
        [ -z "${found:-}" ] || break
    done
    if [ -z "${found:-}" ]; then
        echo "SwiftShader is not in chromium's packages, or they cannot be had. $(grep -m 1 '^E:' log || true)" >&2
        exit 1
    fi
    mv "$found/libvk_swiftshader.so" "$cache/"
    mv "$found/vk_swiftshader_icd.json" "$icd" # last: it says that all is there
fi
echo "$icd"
