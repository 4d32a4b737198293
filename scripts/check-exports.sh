#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check-exports.sh LIBRARY.so LIBRARY.a
# The shared library must export every function that the public headers declare, and nothing else. The static one may
# define internal names too, but all of them begin with dp_, so that they clash with nobody's.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '3,5s/^# //p' "$0" >&2 && exit 2; }
headers=$(cd "$(dirname "$0")/../include/dipole" && pwd)

declared=$(cat "$headers"/*.h | tr '\n' ' ' | grep -oE 'DP_API [^;(]*\(' | sed -nE 's/.*[ *](dp_[a-z0-9_]+)\($/\1/p' | sort -u)
exported=$(nm -D --defined-only "$1" | awk '{ print $NF }' | sort -u)
status=0
report() {
    [ -z "$2" ] || { status=1 && printf '%s:\n%s\n' "$1" "$2" >&2; }
}
report "$1 lacks what the headers declare" "$(comm -23 <(echo "$declared") <(echo "$exported"))"
report "$1 exports what no header declares" "$(comm -13 <(echo "$declared") <(echo "$exported"))"
report "$2 defines names without dp_" "$(nm -g --defined-only "$2" | awk 'NF == 3 && $3 !~ /^dp_/ { print $3 }')"
exit $status
