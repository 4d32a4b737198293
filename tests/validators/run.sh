#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh TOOL PROGRAM [ARGUMENT...]
# Runs a program under a validator: `oclgrind`, an interpreter of OpenCL kernels that reports data races, accesses out of
# bounds and divergent barriers, or `vulkan`, the Khronos layer with synchronisation and GPU-assisted validation.
# What the validator writes goes to stderr, at most 200 lines of it. The exit status is the program's; 99 where the program ends well but
# the validator has written anything at all. Works as Meson's `--wrapper`.
set -uo pipefail
[ $# -ge 2 ] || { sed -n '3,7s/^# //p' "$0" >&2 && exit 2; }
tool=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Both tools truncate their log whenever an instance or a context is made, and a program makes many: let them write into
# a pipe, where nothing is lost.
exec 9> >(exec cat >"$scratch/log")
collector=$!
log=/proc/self/fd/9

case $tool in
oclgrind)
    program=$(command -v oclgrind) || { echo "run.sh: oclgrind is not installed" >&2 && exit 2; }
    # As a driver behind the loader, since the library opens the loader itself and a preloaded one would not be seen.
    OCL_ICD_VENDORS=$(dirname "$program")/../lib/oclgrind/liboclgrind-rt-icd.so
    export OCL_ICD_VENDORS DIPOLE_POOL=off OCLGRIND_DATA_RACES=1 OCLGRIND_MAX_ERRORS=20 OCLGRIND_LOG=$log
    ;;
vulkan)
    sed "s|@LOG@|$log|" "$here/vk_layer_settings.txt.in" >"$scratch/vk_layer_settings.txt"
    # It compares the launches of one submission with each other: no clock shall cut these apart.
    export DIPOLE_EARLY=off
    export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation VK_LAYER_SETTINGS_PATH=$scratch
    ;;
*)
    echo "run.sh: no validator is called '$tool'" >&2
    exit 2
    ;;
esac

"$@"
status=$?
exec 9>&-
wait "$collector"
if [ -s "$scratch/log" ]; then
    head -n 200 "$scratch/log" >&2
    [ $status -ne 0 ] || status=99
fi
exit $status
