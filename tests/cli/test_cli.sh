#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command `dipole` from outside: help, exit statuses, messages, JSON, and the values of `distance` against a few lines of
# Python that compute the same from the definitions. Usage: test_cli.sh PATH_OF_DIPOLE
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
strict=1

# json EXPRESSION ARGUMENT...: the command succeeds, prints JSON, and the expression of `r` is true.
json() {
    local expression=$1
    shift
    "$dipole" "$@" --json >out 2>err && python3 -c "import json, math; r = json.load(open('out')); assert $expression" 2>>err
    report $? "dipole $* --json: $expression"
}

printf 'x,y\n0,0\n1,0.5\n2,1\n-1,3\n0.25,0.25\n' >a.csv
printf '3 4\n1 1\n0 2.5\n-2 1\n' >b.csv
printf '0\n1\n1\n0\n1\n' >labels.csv
printf '1 2 3\n' >three.csv
printf '1,nan\n' >nan.csv
printf '1,x\n2,y\n' >bad.csv
printf '1,1\n' >one.csv
printf '1\n' >short.csv
: >empty

# Kernels on disk: a folder of this test's own.
export DIPOLE_CACHE_DIR=$folder/cache
unset DIPOLE_CACHE DIPOLE_CACHE_MIB
export POCL_CACHE_DIR=$folder/pocl # PoCL lists no device where it cannot write its own
entries() { "$dipole" cache --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["entries"])'; }
json 'r["folder"].endswith("/cache/kernels") and r["entries"] == 0 and r["bytes"] == 0 and r["backends"] == []' cache
expect 0 '^all      0 kernels, 0 B$' cache --stats
expect 2 'exclude each other' cache --stats --clear
expect 2 'all devices are kept together' cache --device ref
one='kind=uniform shape=7x9'
for id in $("$dipole" devices | awk '/^(opencl|vulkan):/ { print $1 }'); do
    backend=${id%:*}
    expect 0 ok check --device "$id" --op random --case "$one"
    [ "$(entries)" -gt 0 ]
    report $? "$id: kernels are kept"
    json "any(b['backend'] == '$backend' and b['entries'] > 0 and b['bytes'] > 1000 for b in r['backends'])" cache
    before=$(entries)
    expect 0 ok check --device "$id" --op random --case "$one"
    [ "$(entries)" = "$before" ] && [ ! -s err ]
    report $? "$id: they are found again, in silence"
    for file in cache/kernels/*; do
        printf 'damage' | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
    done
    expect 0 ok check --device "$id" --op random --case "$one"
    [ "$(grep -c 'dipole: cache: .* is damaged' err)" = 1 ] && [ "$(wc -l <err)" = 1 ]
    report $? "$id: damaged ones: the same results, and one line that says so"
    env -u XDG_CACHE_HOME -u DIPOLE_CACHE_DIR HOME=/proc/nothing "$dipole" check --device "$id" --op random --case "$one" >out 2>err
    [ $? = 0 ] && [ "$(grep -c 'dipole: cache: .*cannot be written' err)" = 1 ]
    report $? "$id: a home that cannot be written"
    DIPOLE_CACHE=off HOME=/proc/nothing "$dipole" check --device "$id" --op random --case "$one" >out 2>err && [ ! -s err ]
    report $? "$id: switched off"
    json 'r["removed"] > 0 and r["entries"] == 0' cache --clear
done
DIPOLE_CACHE=off "$dipole" cache >out 2>err && grep -q '^folder   none' out
report $? 'cache that is off'
unset POCL_CACHE_DIR

# One result on every device of this machine; what follows sees the reference alone.
json 'len(r["results"]) > 0 and max(abs(d["value"] - r["results"][0]["value"]) for d in r["results"]) < 1e-5 * r["results"][0]["value"]' \
    distance a.csv b.csv --device all
if "$dipole" devices | grep -q '^opencl:0'; then
    expect 0 'KERNEL_END' explain 'norm(x[i] - y[j])' --source --device opencl:0
    export DIPOLE_VARIANT=nonsense
    expect 1 'DIPOLE_VARIANT is "nonsense"; there is: direct_4x4, ' explain 'norm(x[i] - y[j])' --source --device opencl:0
    unset DIPOLE_VARIANT
    expect 0 '^#version 450' explain 'norm(x[i] - y[j])' --source --device opencl:0 --dialect glsl
    export DIPOLE_TUNING=$folder/tuning.txt
    json 'len(r["results"][0]["events"]) > 1 and not any(e["stage"] in ("wrong", "failed") for e in r["results"][0]["events"])' \
        tune --device opencl:0 --shape 'matmul 24x24x24' --budget 2s
    expect 0 ' of ' tune --device opencl:0 --op matmul --dry-run --order table
    expect 1 'cannot write' tune --device opencl:0 --shape 'matmul 8x8x8' --file a.csv/below.txt
    expect 1 'no shape' tune --device opencl:0 --shape 'matmul 8x8'
    grep -q '^opencl/.* | matmul nnn m=32 n=32 k=32 batches=1 | ' tuning.txt
    report $? 'tune keeps what it found'
    # Interrupted, it keeps what it has; the file is whole.
    "$dipole" tune --device opencl:0 --op matmul --budget 2m >out 2>err &
    child=$!
    for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        sleep 1
        grep -q GFLOP out && break
    done
    kill -INT $child
    wait $child
    status=$?
    [ $status = 130 ] && [ "$(grep -c 'measured' tuning.txt)" -gt 1 ] && [ "$(tail -c 1 tuning.txt)" = '' ]
    report $? "SIGINT in tune (exit status $status)"
    unset DIPOLE_TUNING
fi
export OCL_ICD_VENDORS=$folder VK_ICD_FILENAMES=$folder/none.json VK_DRIVER_FILES=$folder/none.json
json 'len(r["devices"]) == 1 and r["devices"][0]["id"] == "ref"' devices

# The whole and what is common to all subcommands.
expect 0 'subcommands:' --help
expect 0 '^dipole [0-9]*\.[0-9]*\.[0-9]*$' --version
expect 2 "needs a subcommand.*--help"
expect 2 '"frobnicate" is not a subcommand.*--help' frobnicate
for subcommand in devices check bench distance explain cache; do
    expect 0 "usage: dipole $subcommand" "$subcommand" --help
    expect 0 '  --device ID|all' "$subcommand" --help
    expect 0 '  --json' "$subcommand" -h
    expect 2 "dipole $subcommand: --frobnicate: no such option.*--help" "$subcommand" --frobnicate
    expect 2 "dipole $subcommand: --device needs a value" "$subcommand" --device
    expect 2 'takes no value' "$subcommand" --json=3
done
expect 2 '"extra" is one argument too many' devices extra

# devices
expect 0 '^ref ' devices
expect 0 '^ref ' devices --device ref
expect 1 'no "nothing:7"' devices --device nothing:7
json 'r["devices"][0]["id"] == "ref" and isinstance(r["hints"], list)' devices
json 'all(set(d) == {"id", "backend", "name", "vendor", "driver", "api", "type", "memory_bytes", "max_tensor_bytes", "local_bytes",
      "max_group_size", "subgroup_size", "compute_units", "features", "card"} for d in r["devices"])' devices
json 'len(r["devices"]) == 1' devices --device ref

# explain
expect 2 'needs FORMULA' explain
expect 2 '\-\-dim: "0" is not an integer from 1' explain 'x[i]' --dim 0
expect 2 '\-\-dialect: "hlsl" is neither' explain 'x[i]' --dialect hlsl
expect 2 "gradient: column 1: 'z' is not known" explain 'q[i] * q[j]' --gradient 'z[i]'
expect 2 'gradient: names such as' explain 'q[i] * q[j]' --gradient 'q[i] + 1'
expect 2 "vectors: 'z' is no name" explain 'q[i] * q[j]' --vectors z
expect 1 "'foo' is no function" explain 'foo(q[i])'
expect 1 'the formula is empty' explain ''
expect 1 'device ref has no kernels' explain 'q[i] * q[j]' --source --device ref
expect 0 'vector of 7' explain 'norm(x[i] - y[j])' --dim 7
expect 0 'gradient to y\[j\]' explain 'norm(x[i] - y[j])'
expect 0 '^FLOPs       1 a pair, 1 with the gradients' explain 'q[i] * q[j]' --gradient 'q[j]'
json 'r["names"] == "x[i] vector of 3, x[j] vector of 3, eps scalar" and r["flops"] == 11 and r["flops_with_gradients"] == 16' \
    explain 'rsqrt(sqdist(x[i], x[j]) + eps^2)'
json '[g["to"] for g in r["gradients"]] == ["x[i]", "x[j]"] and all(g["flops"] == 16 for g in r["gradients"])' \
    explain 'rsqrt(sqdist(x[i], x[j]) + eps^2)'
json 'r["gradients"] == [] and "source" not in r' explain 'd = x[i] - x[j]; dot(d, d)' --gradient ''
json 'r["names"] == "q[j] scalar, x[i] vector of 2, eps scalar" and r["gradients"][0]["formula"] == "eps * sum(x[i])"' \
    explain 'sum(q[j] * x[i]) * eps' --vectors x --dim 2
json 'r["names"] == "w vector of 3, q[i] scalar"' explain 'w[1] * q[i]'

# bench of pairs
expect 2 '"nope" is none of .*coulomb.*gaussian' bench --op pairwise --potential nope
expect 2 'exclude each other' bench --potential gaussian --formula 'q[i] * p[j]'
expect 2 'for --op pairwise, not matmul' bench --op matmul --potential gaussian
expect 2 'need --potential or --formula' bench --op pairwise --gradient
expect 2 '"3x3" is not NxMxD' bench --potential gaussian --shape 3x3
expect 2 '"3x0x3" is not NxMxD' bench --potential gaussian --shape 3x0x3
expect 2 '\-\-rows: "0" is not an integer from 1' bench --potential gaussian --rows 0
expect 2 'x\[j\]: x and q are indexed by i' bench --formula 'norm(x[i] - x [j])'
expect 2 'more than 7 names' bench --device ref --formula 'q[i] * p[j]' --wrt a,b,c,d,e,f,g,h --seconds 0.01
expect 1 "'foo' is no function" bench --device ref --formula 'foo(x[i], y[j])' --seconds 0.01
expect 1 "'z' is not known" bench --device ref --formula 'q[i] * p[j]' --wrt z --seconds 0.01
expect 1 'nothing in the formula is indexed by j' bench --device ref --formula 'q[i]' --seconds 0.01
expect 0 'gaussian, gradient to x 20x30x2 .*pairs/s .*FLOP/s, .*of peak' \
    bench --op pairwise --potential gaussian --gradient --shape 20x30x2 --device ref --seconds 0.01
pairs='r["results"][0]'
json "$pairs['op'] == 'pairwise' and $pairs['shape'] == '20x30x2' and $pairs['device'] == 'ref' and $pairs['pairs'] == 600 and \
      $pairs['flops'] == 1200 and $pairs['gradient'] == [] and $pairs['parts'] == 1" \
    bench --formula 'q[i] * p[j]' --shape 20x30x2 --device ref --seconds 0.01
json "$pairs['flops'] == 1800 and $pairs['gradient'] == ['q']" \
    bench --formula 'q[i] * p[j]' --shape 20x30x2 --device ref --seconds 0.01 --wrt q
json "0 < $pairs['seconds_min'] <= $pairs['seconds'] <= $pairs['seconds_max'] and $pairs['peak_bytes'] >= $pairs['bytes'] and \
      $pairs['process_peak_bytes'] > 1e6 and math.isclose($pairs['fraction_of_peak'] * $pairs['peak_flops_per_second'], \
      $pairs['flops_per_second'])" bench --potential riesz --gradient --shape 50x40x3 --device ref --seconds 0.01
json "$pairs['parts'] == 4 and $pairs['pairs'] == 4000 and $pairs['gradient'] == ['x', 'y', 'eps']" \
    bench --formula 'norm(x[i] - y[j]) + eps' --shape 100x40x2 --rows 30 --wrt x,y,eps --device ref --seconds 0.01
for potential in gaussians atoms; do
    json "$pairs['potential'] == '$potential'" bench --potential $potential --gradient --shape 9x8x2 --device ref --seconds 0.01
done

# distance: bad usage and bad files
expect 2 'needs A B' distance
expect 2 'needs A B' distance a.csv
expect 2 '"c" is one argument too many' distance a.csv b.csv c
expect 2 '\-\-limit: "-3" is not an integer from 1 to' distance a.csv b.csv --limit -3
expect 2 '\-\-limit: "3x" is not an integer' distance a.csv b.csv --limit 3x
expect 2 '\-\-limit: "99999999999999999999" is not an integer' distance a.csv b.csv --limit 99999999999999999999
expect 2 '\-\-limit: "" is not an integer' distance a.csv b.csv --limit ''
expect 2 '\-\-limit needs a value' distance a.csv b.csv --limit
expect 2 '\-\-bandwidth: "0" is not a number' distance a.csv b.csv --kernel gaussian --bandwidth 0
expect 2 '\-\-bandwidth: "nan" is not a number' distance a.csv b.csv --kernel gaussian --bandwidth nan
expect 2 '\-\-bandwidth is for --kernel gaussian' distance a.csv b.csv --bandwidth 1
expect 2 '\-\-exponent is for --kernel elastic' distance a.csv b.csv --exponent 1
expect 2 '\-\-kernel: "cubic" is not energy' distance a.csv b.csv --kernel cubic
expect 2 '\-\-labels-a and --class-a go together' distance a.csv b.csv --labels-a labels.csv
expect 2 '\-\-labels-b and --class-b go together' distance a.csv b.csv --class-b 1
expect 1 'missing.csv: No such file' distance missing.csv b.csv --device ref
expect 1 'empty: is empty' distance a.csv empty --device ref
expect 1 'is a directory' distance a.csv . --device ref
expect 1 'bad.csv: line 1, field 2: "x" is not a number' distance bad.csv b.csv --device ref
expect 1 'a.csv has rows of 2 values, three.csv of 3' distance a.csv three.csv --device ref
expect 1 'nan.csv: a value of row 1 is not finite' distance a.csv nan.csv --device ref
expect 1 'needs 2 rows or more, one.csv has 1' distance a.csv one.csv --unbiased --device ref
expect 1 'no row has the label 7' distance a.csv b.csv --labels-a labels.csv --class-a 7 --device ref
expect 1 'b.csv: has 4 rows, fewer than labels.csv' distance b.csv a.csv --labels-a labels.csv --class-a 1 --device ref
expect 1 'more than one number a row' distance a.csv b.csv --labels-a b.csv --class-a 1 --device ref
expect 1 'nothing:7' distance a.csv b.csv --device nothing:7
expect 1 'longer than any id' distance a.csv b.csv --device 0123456789012345678901234567890123456789
expect 1 'ref: ' distance a.csv b.csv --device ref --kernel 'x[i] * y[j] +'
expect 1 'gives a vector' distance a.csv b.csv --device ref --kernel 'x[i] - y[j]'
expect 1 'not finite' distance a.csv a.csv --device ref --kernel '1 / sqdist(x[i], y[j])'

# distance: values
cat >oracle.py <<'END'
import math

def read(path):
    rows = []
    for line in open(path):
        try:
            rows.append([float(v) for v in line.replace(',', ' ').split()])
        except ValueError:
            pass
    return rows

def value(k, x, y, unbiased):
    def self(z):
        pairs = [k(p, q) for i, p in enumerate(z) for j, q in enumerate(z) if i != j or not unbiased]
        return sum(pairs) / len(pairs)
    return self(x) + self(y) - 2 * sum(k(p, q) for p in x for q in y) / (len(x) * len(y))

def error(k, x, y, unbiased):
    def part(values):
        mean = sum(values) / len(values)
        return (len(values) - 1) / len(values) * sum((v - mean) ** 2 for v in values)
    return math.sqrt(part([value(k, x[:i] + x[i + 1:], y, unbiased) for i in range(len(x))]) +
                     part([value(k, x, y[:j] + y[j + 1:], unbiased) for j in range(len(y))]))

def energy(p, q):
    return -math.dist(p, q)

def gaussian(h):
    return lambda p, q: math.exp(-math.dist(p, q) ** 2 / (2 * h * h))

def elastic(s, eps):
    def k(p, q):
        t = math.dist(p, q) / eps
        if s == 0:
            return -math.log(t) if t >= 1 else (1 - t * t) / 2
        return t ** -s if t >= 1 else (s + 2) / 2 - s / 2 * t * t
    return k

def check(r, k, x='a.csv', y='b.csv', unbiased=False):
    x, y = [z if isinstance(z, list) else read(z) for z in (x, y)]
    v, e = value(k, x, y, unbiased), error(k, x, y, unbiased)
    assert abs(r['value'] - v) <= 2e-6 * max(1, abs(v)), (r['value'], v)
    assert abs(r['stderr'] - e) <= 2e-6 * max(1, e), (r['stderr'], e)
    assert r['n'] == len(x) and r['m'] == len(y) and r['dim'] == len(x[0]) and r['device'] == 'ref'
    assert r['pairs'] == (len(x) + len(y)) ** 2 and r['seconds'] > 0 and r['peak_bytes'] > 0 and r['p_value'] is None
    return True
END
o='__import__("oracle")'
export PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1
ab='distance a.csv b.csv --device ref'
json "$o.check(r, $o.energy) and r['kernel'] == 'energy'" $ab
json "$o.check(r, $o.energy, unbiased=True)" $ab --unbiased
json "$o.check(r, lambda p, q: 3 * $o.energy(p, q))" $ab --scale 3
json "$o.check(r, $o.energy, $o.read('a.csv')[:3], $o.read('b.csv')[:3])" $ab --limit 3
json "$o.check(r, $o.energy, [$o.read('a.csv')[i] for i in (1, 2, 4)])" $ab --labels-a labels.csv --class-a 1
json "$o.check(r, $o.energy, [$o.read('a.csv')[i] for i in (1, 2)], $o.read('b.csv')[:2])" \
    $ab --labels-a labels.csv --class-a 1 --limit 2
json "$o.check(r, $o.gaussian(1.5)) and r['parameters']['bandwidth'] == 1.5" $ab --kernel gaussian --bandwidth 1.5
json "$o.check(r, $o.gaussian(1.5), unbiased=True)" $ab --kernel gaussian --bandwidth 1.5 --unbiased
json "$o.check(r, $o.gaussian(0.5))" $ab --kernel gaussian --bandwidth 1.5 --scale 3
json "$o.check(r, $o.gaussian(r['parameters']['bandwidth']))" $ab --kernel gaussian
json "$o.check(r, $o.elastic(1, r['parameters']['cutoff'])) and r['parameters']['exponent'] == 1" $ab --kernel elastic
json "$o.check(r, $o.elastic(2.5, 1.5))" $ab --kernel elastic --exponent 2.5 --cutoff 1.5
json "$o.check(r, $o.elastic(0, 1.5))" $ab --kernel elastic --exponent 0 --cutoff 1.5
json "$o.check(r, lambda p, q: 1 / (1 + $o.math.dist(p, q) ** 2)) and r['kernel'] == 'formula'" \
    $ab --kernel 't = sqdist(x[i], y[j]); 1 / (1 + t)'
json "$o.check(r, lambda p, q: 1 / (1 + $o.math.dist(p, q) ** 2)) and r['kernel'] == 'student_t'" $ab --kernel student_t --scale 1
expect 2 'is not energy' distance a.csv b.csv --kernel atoms
json "$o.check(r, lambda p, q: p[0] * q[0] + p[1] * q[1], unbiased=True)" $ab --kernel 'dot(x[i], y[j])' --unbiased
json "r['value'] == 0 and r['stderr'] >= 0" distance a.csv a.csv --device ref
json "r['stderr'] is None" distance one.csv b.csv --device ref
json "r['dim'] == 1" distance labels.csv labels.csv --device ref
json "r['results'][0]['device'] == 'ref'" distance a.csv b.csv --device all

# Bytes are divided by 255, whatever the other file holds.
python3 - <<'END'
open('a.idx', 'wb').write(bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 255, 51, 102, 153, 204]))
open('b.idx', 'wb').write(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 255, 51]))
open('b_bytes.csv', 'w').write('0,0\n1,0.2\n')
END
a_idx='[[0, 1], [0.2, 0.4], [0.6, 0.8]]'
json "$o.check(r, $o.energy, $a_idx, [[0, 0], [1, 0.2]])" distance a.idx b.idx --device ref
json "$o.check(r, $o.energy, $a_idx, [[0, 0], [1, 0.2]])" distance a.idx b_bytes.csv --device ref
json "$o.check(r, $o.gaussian(0.5), $a_idx, [[0, 0], [1, 0.2]])" distance a.idx b.idx --device ref --kernel gaussian --bandwidth 0.5
json "$o.check(r, $o.energy, [[0, 255], [51, 102], [153, 204]], [[0, 0], [255, 51]])" distance a.idx b.idx --device ref --scale 1

# Permutations: near and far samples; enough rows for several blocks.
python3 - <<'END'
import random
random.seed(1)
def write(name, count, shift):
    with open(name, 'w') as f:
        for _ in range(count):
            f.write('%.6f %.6f\n' % (random.gauss(shift, 1), random.gauss(0, 1)))
write('p.csv', 60, 0)
write('q.csv', 70, 0)
write('far.csv', 50, 2)
write('large.csv', 20000, 0)
END
json "r['p_value'] > 0.02 and abs(r['value']) < 5 * r['stderr']" distance p.csv q.csv --device ref --permutations 99 --unbiased
json "r['p_value'] == 0.01 and r['value'] > 5 * r['stderr']" distance p.csv far.csv --device ref --permutations 99
json "r['p_value'] == 1" distance p.csv p.csv --device ref --permutations 20
"$dipole" distance p.csv q.csv --device ref --permutations 40 --seed 5 --json | grep p_value >first
"$dipole" distance p.csv q.csv --device ref --permutations 40 --seed 5 --json | grep p_value >out
cmp -s first out
report $? 'the same seed gives the same p-value'

"$dipole" bench --potential gaussian --gradient --shape 4000x4000x3 --rows 40 --device ref --json >out 2>err &
child=$!
sleep 3
kill -INT $child
wait $child
status=$?
[ $status = 130 ] && [ ! -s out ] && [ ! -s err ]
report $? "SIGINT in bench (exit status $status)"

# Interrupted: exit status 130, nothing on stdout, and no progress line where stderr is no terminal.
for signal in INT TERM; do
    "$dipole" distance large.csv large.csv --device ref --permutations 1000000 --json >out 2>err &
    child=$!
    sleep 3
    kill -$signal $child
    wait $child
    status=$?
    [ $status = 130 ] && [ ! -s out ] && [ ! -s err ]
    report $? "SIG$signal (exit status $status)"
done

expect 0 'budget' tune --help
expect 1 'nothing to tune' tune --device ref
expect 2 'budget' tune --device ref --budget soon
expect 2 'order' tune --device ref --order best

# Output that cannot be written is a failure.
if [ -c /dev/full ]; then
    "$dipole" devices >/dev/full 2>err
    status=$?
    : >out
    [ $status = 1 ] && grep -q 'standard output' err
    report $? "a full disk (exit status $status)"
fi

finish "cli"
