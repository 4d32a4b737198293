#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds with tests and runs everything: every device that needs no GPU, compilers for GPUs, sanitizers,
# validators and the proof that they bite, packaging, examples. One line a step; the log of what fails; the last line counts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
scripts/install-deps.sh test portability || exit 1

export RUSTICL_ENABLE=llvmpipe
export DIPOLE_CACHE_DIR=$root/build-test/cache # not the user's; Meson's tests have one in each build folder
lavapipe=$(ls /usr/share/vulkan/icd.d/lvp_icd.*.json 2>/dev/null | head -n 1)
run=$root/tests/validators/run.sh
logs=$root/build-test/logs
prefix=$root/build-test/prefix
nothing=$logs/nothing # an empty folder: where drivers are looked for, there are none
mkdir -p "$nothing" "$logs/locale"
# A locale with a decimal comma, which no reader of numbers may mind.
localedef -i de_DE -f UTF-8 "$logs/locale/de_DE.UTF-8" >/dev/null 2>&1 && export LOCPATH=$logs/locale
# The tests that together run every kernel, for drivers and validators that are slow; the others check compositions of these.
every_kernel="devices math tensor bad_input pairwise smallest batch threads"
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

# A step that is one test. What it sets stays its own.
step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if ("$@") >"$(log_of "$name")" 2>&1; then
        passed=$((passed + 1))
        report ok "$name" $((SECONDS - start))
    else
        failed=$((failed + 1))
        report FAIL "$name" $((SECONDS - start))
    fi
}

# A step that is a run of Meson's tests: each of their cases counts. A run that has none fails.
suite() { # NAME BUILD [ARGUMENT OF MESON TEST...]
    local name=$1 build=build-test/$2 start=$SECONDS base=${1//[^A-Za-z0-9]/-} status=0 ok=0 bad=0 skip=0
    shift 2
    rm -f "$build/meson-logs/$base"*
    meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$base" "$@" >"$(log_of "$name")" 2>&1 || status=$?
    # With a wrapper, Meson adds its name to that of the log.
    read -r ok bad skip < <(python3 scripts/count-tests.py "$build/meson-logs/$base"*.junit.xml)
    if [ "$bad" -eq 0 ] && { [ $status -ne 0 ] || [ "$ok" -eq 0 ]; }; then
        bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    report "$([ "$bad" -eq 0 ] && echo ok || echo FAIL)" "$name" $((SECONDS - start)) \
        "$ok passed, $bad failed, $skip skipped"
}

# Runs steps in the background, on the second core; `collect` prints their reports and adds what they counted.
beside() { # COMMAND...
    rm -f "$logs/beside.counts"
    (
        passed=0 failed=0 skipped=0
        "$@" >"$logs/beside.report" 2>&1
        echo "$passed $failed $skipped" >"$logs/beside.counts"
    ) &
}

collect() {
    local ok=0 bad=1 skip=0
    wait
    cat "$logs/beside.report"
    [ ! -e "$logs/beside.counts" ] || read -r ok bad skip <"$logs/beside.counts"
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# Succeeds where the program itself ends well and the validator alone objects.
caught() { # TOOL PROGRAM...
    "$run" "$@"
    [ $? -eq 99 ]
}

# The ids or names of what `dipole devices --json` lists, one a line.
listed() { # FIELD
    build-test/all/dipole devices --json | python3 -c '
import json, sys
print("\n".join(device[sys.argv[1]] for device in json.load(sys.stdin)["devices"]))' "$1"
}

# Every device that needs no GPU is there; with all drivers hidden the reference alone is.
check_devices() {
    listed name
    listed driver | tee "$logs/drivers"
    grep -q '^Portable Computing Language' "$logs/drivers" && grep -q '^rusticl' "$logs/drivers" &&
        grep -q '^llvmpipe' "$logs/drivers" || return 1
    export OCL_ICD_VENDORS=$nothing VK_ICD_FILENAMES=$nothing/none.json
    build-test/all/dipole devices && [ "$(listed id)" = ref ]
}

use_prefix() {
    PKG_CONFIG_PATH=$(dirname "$(find "$1" -name dipole.pc)")
    export PKG_CONFIG_PATH
    export LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/pkgconfig} # for the run; others install where the loader looks
}

consumer_pkg_config() {
    use_prefix "$prefix"
    # shellcheck disable=SC2046 # flags are words
    "${CC:-cc}" -Wall -Werror examples/consumer/main.c $(pkg-config --cflags --libs dipole) -o "$logs/consumer" &&
        "$logs/consumer" && ldd "$logs/consumer" | grep libdipole
}

consumer_cmake() {
    rm -rf "$logs/cmake"
    cmake -G Ninja -S examples/consumer -B "$logs/cmake" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$logs/cmake" && "$logs/cmake/consumer"
}

# The same two against a copy of the installation that has no shared library, moved to another place.
consumer_static() {
    local prefix=$root/build-test/prefix-static
    rm -rf "$prefix" && cp -a "$root/build-test/prefix" "$prefix" && find "$prefix" -name 'libdipole.so*' -delete
    use_prefix "$prefix"
    # shellcheck disable=SC2046
    "${CC:-cc}" examples/consumer/main.c $(pkg-config --define-variable=prefix="$prefix" --static --cflags --libs dipole) \
        -o "$logs/consumer-static" && "$logs/consumer-static" && consumer_cmake
}

examples() {
    local lessons=0 source name
    for source in examples/[0-9]*.c; do
        name=$(basename "$source" .c)
        echo "== $name"
        build-test/all/examples/"$name" || return 1
        lessons=$((lessons + 1))
    done
    [ $lessons -gt 0 ]
}

static_checks() {
    step "include arrows" scripts/check-arrows.py
    step "public headers alone, C11 and C++17" scripts/check-headers.sh
}

main_build() {
    rm -rf "$prefix"
    step "build" scripts/build.sh build-test/all --prefix="$prefix" --libdir=lib -Dbuildtype=debugoptimized -Dwerror=true \
        -Dtests=enabled -Dcli=enabled -Dopencl=enabled -Dvulkan=enabled
    [ $failed -eq 0 ] || finish
    step "devices" check_devices
    DIPOLE_REQUIRE=opencl+portable,opencl+rusticl,vulkan+llvmpipe suite "tests on every device" all
    if icd=$(scripts/fetch-swiftshader.sh 2>"$logs/swiftshader.log"); then
        # shellcheck disable=SC2086 # names are words
        VK_ICD_FILENAMES=$icd DIPOLE_TEST_DEVICES=vulkan:0 suite "tests on SwiftShader" all $every_kernel
    else
        skipped=$((skipped + 1))
        report skip "tests on SwiftShader" 0 "$(tail -n 1 "$logs/swiftshader.log")"
    fi
}

other_builds() {
    step "build with sanitizers, neither backend" scripts/build.sh build-test/sanitize -Dbuildtype=debugoptimized \
        -Dwerror=true -Dtests=enabled -Dopencl=disabled -Dvulkan=disabled -Db_lundef=false \
        -Db_sanitize=address,undefined
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 suite "tests with sanitizers" sanitize
    for one in opencl vulkan; do
        [ $one = opencl ] && other=vulkan || other=opencl
        step "build with $one alone" scripts/build.sh build-test/$one -Dbuildtype=debugoptimized -Dwerror=true \
            -Dtests=enabled -D$one=enabled -D$other=disabled -Dexamples=false
        DIPOLE_TEST_TINY=1 suite "tests with $one alone" $one devices tensor bad_input command
    done
}

# Under a validator only the API that it knows is shown. oclgrind cannot run two threads at once.
validation_layer() {
    local planted=build-test/all/tests/planted bug
    export DIPOLE_TEST_DEVICES=vulkan VK_ICD_FILENAMES=$lavapipe OCL_ICD_VENDORS=$nothing
    # shellcheck disable=SC2086
    suite "Vulkan under the validation layer" all $every_kernel --wrapper "'$run' vulkan" -t 4
    step "the validation layer: no false alarm" "$run" vulkan $planted vulkan:0 none
    for bug in out-of-bounds missing-hazard; do
        step "the validation layer notices $bug" caught vulkan $planted vulkan:0 $bug
    done
}

interpreter() {
    local planted=build-test/all/tests/planted bug
    export DIPOLE_TEST_DEVICES=opencl DIPOLE_TEST_TINY=1 VK_ICD_FILENAMES=$nothing/none.json OCL_ICD_VENDORS=$nothing
    suite "OpenCL under oclgrind" all devices math tensor --wrapper "'$run' oclgrind" -t 4
    step "oclgrind: no false alarm" "$run" oclgrind $planted opencl:0 none
    for bug in out-of-bounds missing-barrier; do
        step "oclgrind notices $bug" caught oclgrind $planted opencl:0 $bug
    done
    unset DIPOLE_TEST_DEVICES DIPOLE_TEST_TINY VK_ICD_FILENAMES OCL_ICD_VENDORS
}

# Every target objects to a kernel of too many registers, with the status of a failed check.
planted_spill() {
    local said status compiled noticed
    said=$(scripts/portability.py --check --plant --require --build build-test/all)
    status=$?
    echo "$said"
    compiled=$(grep -c ' 1 kernels ' <<<"$said")
    noticed=$(grep -c '^planted/accumulators on .* -> ' <<<"$said")
    [ $status -eq 1 ] && [ "$compiled" -gt 0 ] && [ "$noticed" -eq "$compiled" ]
}

portability() {
    step "kernels for AMD, Intel and NVIDIA" scripts/portability.py --check --require --build build-test/all
    step "a planted spill is noticed on each" planted_spill
}

packaging() {
    step "install" meson install -C build-test/all --no-rebuild
    library=$(find "$prefix" -name libdipole.so)
    step "only dp_ symbols are exported" scripts/check-exports.sh "$library" "${library%.so}.a"
    step "a project through pkg-config" consumer_pkg_config
    step "a project through CMake" consumer_cmake
    step "both, with the static library" consumer_static
    step "examples" examples
}

finish() {
    echo
    if [ $skipped -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ $failed -eq 0 ]
    exit
}

static_checks
main_build
beside validation_layer # by far the longest
other_builds
interpreter
portability
packaging
collect
finish
