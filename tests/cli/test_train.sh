#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `dipole train`, `flow` and `eval` from outside: runs that repeat, that are killed and go on, that agree across devices; and what
# goes wrong with files. Usage: test_train.sh PATH_OF_DIPOLE
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
strict=1

# same A B: the two runs have the same weights and numbers.
same() {
    local file
    for file in checkpoint.safetensors metrics.csv metrics.jsonl scores.csv; do
        cmp "$1/$file" "$2/$file" >out 2>err || return 1
    done
}

# Four numbers that differ in the last place are not compared: the models are small enough for the plain reference.
small=(--device ref --batch 8 --samples 200 --log-every 5)
fixed=(--rate 1e-3 --eps 0.1) # not of T, the number of steps, which is another one where a run goes on
eieg=(train eieg "${small[@]}" "${fixed[@]}" --real-batch 8)

# Help and usage
for model in eieg eieg-gan gan wgan-gp mmd-gan atom; do
    expect 0 "^usage: dipole train $model" train $model --help
done
expect 0 '^usage: dipole train MODEL' train --help
expect 0 '^usage: dipole flow' flow --help
expect 0 '^usage: dipole eval DIR' eval --help
expect 2 'needs a model' train
expect 2 '"nothing" is not a model' train nothing
expect 2 'needs --out DIR' train eieg
expect 2 '--steps: "0" is not an integer' train eieg --out a --steps 0
expect 1 '--data: .*nothing.idx' train eieg --device ref --out a --data nothing.idx
expect 1 '--rate: .*' train eieg --device ref --out a --rate 'x +'
expect 1 '--kernel: "k" is not' train eieg --device ref --out a --kernel k
expect 1 '--stabiliser: "k" is not' train eieg-gan --device ref --out a --stabiliser k
expect 1 'config.json' eval nothing

# The same seed gives the same bits; another one does not.
expect 0 'modes' "${eieg[@]}" --out one --steps 40 --save-every 7
expect 0 'modes' "${eieg[@]}" --out two --steps 40 --save-every 7
same one two
report $? "two runs with one seed are the same"
expect 0 'modes' "${eieg[@]}" --out other --steps 40 --seed 3
! cmp -s one/checkpoint.safetensors other/checkpoint.safetensors
report $? "another seed gives another run"
[ "$(wc -l <one/metrics.csv)" = 9 ] && [ "$(head -1 one/metrics.csv)" = step,loss ]
report $? "metrics.csv has a row in five steps"

# A run is not overwritten; one that ended goes on to more steps, and a killed one ends as if nothing had happened.
expect 1 'has a run already' "${eieg[@]}" --out one --steps 40
expect 2 '--batch: a run that goes on' "${eieg[@]}" --batch 9 --out one --resume --steps 40
"${dipole}" "${eieg[@]}" --out killed --steps 4000 --save-every 7 >out 2>err &
victim=$!
for _ in $(seq 100); do
    [ -e killed/checkpoint.safetensors ] && break
    sleep 0.05
done
sleep 0.0$((RANDOM % 90 + 10))
kill -9 $victim
wait $victim 2>/dev/null
printf '123,' >>killed/metrics.csv # as if it had died in the middle of a row
step=$(python3 - <<'EOF'
import json, struct
with open("killed/checkpoint.safetensors", "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
print(header["__metadata__"]["step"])
EOF
)
end=$((step + 24))
expect 0 'modes' "${eieg[@]}" --out killed --resume --steps $end --save-every 7
expect 0 'modes' "${eieg[@]}" --out whole --steps $end --save-every 7
same killed whole
report $? "killed near step $step and resumed: the same bits as a run that was not"
"${dipole}" "${eieg[@]}" --out interrupted --steps 100000 >out 2>err &
victim=$!
for _ in $(seq 100); do
    [ -e interrupted/metrics.csv ] && break
    sleep 0.05
done
sleep 0.2
kill -INT $victim
wait $victim
[ $? = 130 ] && grep -q 'saved: go on with --resume' err && [ -e interrupted/checkpoint.safetensors ]
report $? "Ctrl-C saves and leaves with 130"

# eval reads what is there.
"$dipole" eval one --device ref --json >out 2>err && python3 -c "
import json
r = json.load(open('out'))
assert 0 <= r['modes'] <= 25 and 0 <= r['high_quality'] <= 1 and r['steps'] == 40, r
s = json.load(open('one/result.json'))
assert s['scores']['high_quality'] == r['high_quality']" 2>>err
report $? "eval --json has the scores of the run"

# Files that are not what they should be, and disks that are full
head -c 300 one/checkpoint.safetensors >two/checkpoint.safetensors
expect 1 'two/checkpoint.safetensors' eval two --device ref
expect 1 'two/checkpoint.safetensors' "${eieg[@]}" --out two --resume --steps 50
printf '{"model": "eieg", "nothing": 1}' >bad.json
expect 2 '"nothing" is no option' train eieg --out a --config bad.json
printf '{"steps": "many"}' >bad.json
expect 2 '"steps" is not a number' train eieg --out a --config bad.json
printf '{' >bad.json
expect 2 'not a JSON object' train eieg --out a --config bad.json
expect 1 'nowhere' "${eieg[@]}" --out one/config.json/nowhere --steps 2
cp one/checkpoint.safetensors before
# shellcheck disable=SC2016 # $@ is the inner shell's
bash -c 'ulimit -f 4; trap "" XFSZ; exec "$@"' - "$dipole" "${eieg[@]}" --out one --resume --steps 60 >out 2>err
[ $? = 1 ] && grep -q 'one/checkpoint.safetensors' err && cmp -s before one/checkpoint.safetensors && [ -z "$(find one -name '.*' -type f)" ]
report $? "no room for a checkpoint: an error, and the old one stays"

# A configuration is the options of another run.
expect 0 'modes' train eieg --device ref --config whole/config.json --out again
same whole again
report $? "--config config.json repeats a run"

# The other models take a few steps and go on.
for model in eieg-gan gan wgan-gp mmd-gan; do
    options=("${small[@]}" --d-batch 8 --rate 1e-3 --rate-d 1e-3)
    [ $model != eieg-gan ] || options+=(--eps 0.1)
    expect 0 'high_quality' train $model "${options[@]}" --out $model-whole --steps 6
    expect 0 'high_quality' train $model "${options[@]}" --out $model --steps 3
    expect 0 'high_quality' train $model "${options[@]}" --out $model --steps 6 --resume
    cmp $model/checkpoint.safetensors $model-whole/checkpoint.safetensors >out 2>err
    report $? "$model resumed is $model"
done
expect 0 'high_quality' flow --device ref --particles 16 --batch 16 --steps 10 --out flow
expect 0 'modes' eval flow --device ref
expect 0 'speed' flow --device ref --data 8gaussians --particles 16 --batch 16 --steps 10 --normalise --out direction

# Curves of logs.
expect 0 '' plot flow direction --column speed --png curves.png && [ -s curves.png ]
report $? "plot draws a column of two runs"
expect 1 'neither scores.csv nor metrics.csv has a column "nothing"' plot flow --column nothing --png curves.png
expect 1 'no-such-folder/curves.png' plot flow --column speed --png no-such-folder/curves.png
expect 2 'must be given' plot flow --column speed

# Losses of the first 50 steps agree across devices. Rounding grows with the steps: 3e-6 on lavapipe and
# rusticl, and room for other drivers.
for device in $("$dipole" devices --json | python3 -c 'import json, sys; print(*(d["id"] for d in json.load(sys.stdin)["devices"]))'); do
    expect 0 'modes' train eieg --device "$device" --batch 32 --real-batch 32 --samples 200 --log-every 1 --steps 50 --out "curve-$device"
    python3 - "curve-ref/metrics.csv" "curve-$device/metrics.csv" >out 2>err <<'EOF'
import sys
a, b = ([float(line.split(",")[1]) for line in open(path).read().splitlines()[1:]] for path in sys.argv[1:])
worst = max(abs(x - y) / (1 + abs(x)) for x, y in zip(a, b))
print("largest difference of a loss:", worst)
assert len(a) == len(b) == 50 and worst < 1e-4
EOF
    report $? "the first 50 losses on $device are those of the reference"
done

finish "train"
