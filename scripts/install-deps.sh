#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian and its relatives, and says nothing where nothing is.
#   install-deps.sh demo         what building and running needs
#   install-deps.sh test         that, and what the tests and validators need
#   install-deps.sh portability  that, and compilers for GPUs: 40 MB to download, 240 MB on the disk, for docs/portability.md
# Several may be named at once.
set -euo pipefail

# A compiler, the build system, headers of the two GPU APIs, glslang, and what the command reads and writes.
build=(gcc g++ libc6-dev meson ninja-build pkg-config python3 opencl-c-headers libvulkan-dev glslang-dev spirv-tools
    libcjson-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev liblapack-dev)
# Loaders, and drivers that need no GPU.
drivers=(ocl-icd-libopencl1 pocl-opencl-icd mesa-opencl-icd libvulkan1 mesa-vulkan-drivers)
# The test framework, the validators, what the packaging tests build with, the source of a locale, and CLBlast, which building can
# do without.
tests=(libclblast-dev libcmocka-dev binutils cmake oclgrind vulkan-validationlayers locales)
# Compilers for AMD, Intel and NVIDIA, which need none of them there, and what a made-up Intel GPU is built with.
compilers=(libcmocka-dev clang-15 libclc-15 rocm-device-libs intel-opencl-icd libdrm-dev)

packages=("${build[@]}" "${drivers[@]}")
[ $# -gt 0 ] || set -- help
for topic in "$@"; do
    case $topic in
    demo) ;;
    test) packages+=("${tests[@]}") ;;
    portability) packages+=("${compilers[@]}") ;;
    *)
        sed -n '3,7s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This system has no apt-get, so nothing is installed. On Debian 12 the packages would be:" >&2
    printf '  %s\n' "${packages[*]}" >&2
    echo "Going on with what is there." >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "These packages are missing, and installing them takes root or sudo:" >&2
        echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >"$log" 2>&1
}
if ! apt update || ! apt install --no-install-recommends "${missing[@]}"; then
    cat "$log" >&2
    echo "apt-get failed; see above" >&2
    exit 1
fi
