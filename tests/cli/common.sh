# SPDX-License-Identifier: Apache-2.0
# What the tests of the command share. Sourced with the command's path as "$1": a folder of the test's own becomes the current one, and
# goes with it.
# shellcheck shell=bash
set -u
dipole=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset DIPOLE_DEVICE
passed=0
failed=0

report() { # report OK? NAME
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $2"
        sed 's/^/    stdout: /' out | head -5
        sed 's/^/    stderr: /' err | head -5
    fi
}

# expect STATUS PATTERN ARGUMENT...: exit status, a pattern in stdout (status 0) or stderr ("" is none), and
# with strict=1 nothing on stdout where it fails.
expect() {
    local status=$1 pattern=$2 file=out
    shift 2
    "$dipole" "$@" >out 2>err
    local got=$?
    [ "$status" = 0 ] || file=err
    [ "$got" = "$status" ] && { [ -z "$pattern" ] || grep -q -e "$pattern" "$file"; } &&
        { [ "$status" = 0 ] || [ -z "${strict:-}" ] || [ ! -s out ]; }
    report $? "dipole $* (exit status $got, wanted $status and '$pattern')"
}

# finish NAME: the count, and the status of all.
finish() {
    echo "$1: $passed passed, $failed failed"
    [ "$failed" = 0 ]
}
