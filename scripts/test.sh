#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds with tests and runs everything: every device that needs no GPU, sanitizers, validators
# and the proof that they bite, packaging, examples. One line a step; the log of what fails; the last line counts.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
scripts/install-deps.sh test || exit 1

export RUSTICL_ENABLE=llvmpipe
lavapipe=$(ls /usr/share/vulkan/icd.d/lvp_icd.*.json 2>/dev/null | head -n 1)
run=$root/tests/validators/run.sh
logs=$root/build/logs
prefix=$root/build/prefix
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# Prints the line of a step, and its log where it failed.
report() { # STATUS NAME SECONDS [COUNTS]
    printf '%-5s %-44s %5d s  %s\n' "$1" "$2" "$3" "${4:-}"
    if [ "$1" = FAIL ]; then
        echo "----- the end of $(log_of "$2"):"
        tail -n 60 "$(log_of "$2")"
        echo "-----"
    fi
}

log_of() {
    echo "$logs/${1//[^A-Za-z0-9]/-}.log"
}

# A step that is one test.
step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$(log_of "$name")" 2>&1; then
        passed=$((passed + 1))
        report ok "$name" $((SECONDS - start))
    else
        failed=$((failed + 1))
        report FAIL "$name" $((SECONDS - start))
    fi
}

# A step that is a run of Meson's tests: each of their cases counts. A run that has none fails.
suite() { # NAME BUILD [ARGUMENT OF MESON TEST...]
    local name=$1 build=build/$2 start=$SECONDS base=${1//[^A-Za-z0-9]/-} status=0 ok=0 bad=0 skip=0
    shift 2
    rm -f "$build/meson-logs/$base".*
    meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$base" "$@" >"$(log_of "$name")" 2>&1 || status=$?
    read -r ok bad skip < <(python3 scripts/count-tests.py "$build/meson-logs/$base.junit.xml")
    if [ "$bad" -eq 0 ] && { [ $status -ne 0 ] || [ "$ok" -eq 0 ]; }; then
        bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    report "$([ "$bad" -eq 0 ] && echo ok || echo FAIL)" "$name" $((SECONDS - start)) \
        "$ok passed, $bad failed, $skip skipped"
}

# Succeeds where the program itself ends well and the validator alone objects.
caught() { # TOOL PROGRAM...
    "$run" "$@"
    [ $? -eq 99 ]
}
