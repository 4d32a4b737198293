#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `dipole bench --suite` and `dipole bench report` from outside, on the reference alone: the fields of the file, the page and its
# escapes, files that are wrong, interruption, energy. Usage: test_report.sh PATH_OF_DIPOLE
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
export OCL_ICD_VENDORS=$folder VK_ICD_FILENAMES=$folder/none.json VK_DRIVER_FILES=$folder/none.json PYTHONDONTWRITEBYTECODE=1
export DIPOLE_SYSFS=$folder/sys

# check NAME ARGUMENT...: a check of check_report.py
check() {
    python3 "$here/check_report.py" "$@" >out 2>err
    report $? "check_report.py $*"
}

# Usage.
expect 2 '"huge" is neither quick, full nor tiny' bench --suite huge
expect 2 '\-\-out is for --suite' bench --out x.json
expect 2 'a list of its own' bench --suite tiny --op matmul
expect 1 'no/x.json: No such file or directory' bench --suite tiny --device ref --out no/x.json
expect 2 'needs FILE.json...' bench report
expect 2 'needs --html or --markdown' bench report x.json
expect 2 'device: no such option' bench report x.json --device ref --html x.html
expect 0 'usage: dipole bench report FILE.json' bench report --help

# A run.
expect 0 '^ref  *matmul  *8 x 8 x 8' bench --suite tiny --device ref --out a.json
check suite a.json null
expect 0 '"format_version":' bench --suite tiny --device ref --json
cp out b.json
check suite b.json null
[ -z "$(ls | grep 'a.json.')" ]
report $? 'nothing is left beside the file'

# Energy: a counter that runs over its end, read before and after the samples.
mkdir -p sys/class/powercap/intel-rapl:0
echo 1000000 >sys/class/powercap/intel-rapl:0/max_energy_range_uj
echo 0 >sys/class/powercap/intel-rapl:0/energy_uj
(while [ -d sys ]; do for n in 300000 600000 900000; do
    echo $n >counter && mv counter sys/class/powercap/intel-rapl:0/energy_uj; done; done) 2>counting &
counter=$!
expect 0 matmul bench --suite tiny --device ref --out energy.json
kill $counter
wait $counter 2>/dev/null
check suite energy.json counted
rm -rf sys

# The page and the tables.
expect 0 '' bench report a.json 'second run=b.json' --html page.html --markdown page.md
check page page.html a.json b.json
grep -q '^| 8 x 8 x 8 |' page.md && grep -q '^| second run |' page.md
report $? 'tables in Markdown'
check hostile a.json hostile.json
expect 0 '' bench report hostile.json a.json --html hostile.html --markdown hostile.md
check escaped hostile.html hostile.md
check incomplete a.json incomplete.json
expect 0 '' bench report incomplete.json --html incomplete.html
grep -q 'the run was interrupted' incomplete.html
report $? 'an incomplete run is told of'

# Files that are none, or wrong: the message names file and field, and no page is written.
bad() { # bad PATTERN EDIT: EDIT is Python on `r`
    rm -f bad.html
    python3 -c "import json; r = json.load(open('a.json')); d = r['devices'][0]; c = d['results'][3]; $2; json.dump(r, open('bad.json', 'w'))"
    expect 1 "bad.json: $1" bench report bad.json a.json --html bad.html
    [ ! -e bad.html ]
    report $? "no page of a bad file ($1)"
}
bad 'format: is not "dipole-bench"' 'r["format"] = "other"'
bad 'format: is not "dipole-bench"' 'del r["format"]'
bad 'format_version: is of a later version' 'r["format_version"] = 2'
bad 'host: is missing' 'del r["host"]'
bad 'host.cpu: is not a text' 'r["host"]["cpu"] = 3'
bad 'complete: is neither' 'r["complete"] = 1'
bad 'devices: is not an array' 'r["devices"] = {}'
bad 'devices: has no elements' 'r["devices"] = []'
bad 'devices: has no elements, or more than 24' 'r["devices"] = [d] * 25'
bad 'devices\[0\].name: is missing' 'del d["name"]'
bad 'devices\[0\].results: has no elements' 'd["results"] = []'
bad 'devices\[0\].results\[3\].seconds: is not a number' 'c["seconds"] = "fast"'
bad 'devices\[0\].results\[3\].seconds: is out of range' 'c["seconds"] = -1'
bad 'devices\[0\].results\[3\].samples: is missing' 'del c["samples"]'
bad 'devices\[0\].results\[3\].seconds: minimum, quarter' 'c["seconds_min"] = 1e9'
bad 'devices\[0\].results\[3\].status: is neither' 'c["status"] = "lost"'
bad 'devices\[0\].results\[3\].reason: is missing' 'c["status"] = "skipped"'
bad 'devices\[0\].results\[4\].case: is there for a second time' 'd["results"][4] = c'
bad 'is not an object of JSON' 'r = [1]'
expect 1 'missing.json: No such file' bench report missing.json --html bad.html
mkdir folder.json
expect 1 'folder.json: Is a directory' bench report folder.json --html bad.html
head -c 400 a.json >cut.json
expect 1 'cut.json: line [0-9]*: is not JSON' bench report cut.json --html bad.html
: >empty.json
expect 1 'empty.json: line 1: is not JSON' bench report empty.json --html bad.html
expect 1 'no/page.html: No such file' bench report a.json --html no/page.html

# Interrupted: a whole file of what there is.
"$dipole" bench --suite quick --device ref --out part.json >out 2>err &
child=$!
for _ in $(seq 100); do
    [ -s out ] && break
    sleep 0.1
done
sleep 1
kill -INT $child
wait $child
status=$?
[ $status = 130 ] && [ ! -s err ]
report $? "SIGINT in a suite (exit status $status)"
check interrupted part.json
expect 0 '' bench report part.json --html part.html

finish "report"
