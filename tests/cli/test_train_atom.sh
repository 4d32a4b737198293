#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `dipole train atom`: a few steps of each task and loss, what they leave behind, and that a run which was stopped and went on ends with
# the same bits as one that was not. Usage: test_train_atom.sh PATH_OF_DIPOLE
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

train() { "$dipole" train atom "$@" >out 2>err; }

# refuse PATTERN ARGUMENT...: bad usage or data, said on stderr.
refuse() {
    local pattern=$1
    shift
    train "$@"
    local got=$?
    [ "$got" != 0 ] && grep -q -e "$pattern" err
    report $? "train atom $* is refused with '$pattern'"
}

# holds EXPRESSION: of the run's result.
holds() {
    python3 -c "import json, math, sys; r = json.load(open(sys.argv[1] + '/result.json')); s = r['scores']; assert $2" "$1" 2>err
    report $? "$1: $2"
}

# resumes NAME STEPS STEPS ARGUMENT...: so many steps, then up to so many, are the same as all at once.
resumes() {
    local name=$1 first=$2 all=$3
    shift 3
    train --out "$name.whole" --steps "$all" "$@"
    report $? "$name: $all steps"
    train --out "$name.parts" --steps "$first" "$@" && train --out "$name.parts" --steps "$all" --resume "$@"
    report $? "$name: $first steps, and on to $all"
    cmp "$name.whole/checkpoint.safetensors" "$name.parts/checkpoint.safetensors" >out 2>err
    report $? "$name: the same bits"
}

small="--device ref --steps 3 --batch 4 --rows 20 --samples 100 --width 4"
for loss in none atom force charge number force+charge force+number hinge1 hinge2 rank-hinge simclr sscl; do
    # shellcheck disable=SC2086
    train $small --loss "$loss" --out "s-$loss"
    report $? "synthetic, $loss"
    holds "s-$loss" 'math.isfinite(r["cross_entropy"]) and 0 <= s["accuracy"] <= 1 and 0.6 < s["membership_rule"] < 0.8'
done
for sampling in independent all; do
    # shellcheck disable=SC2086
    train $small --sampling $sampling --norm 0 --out "s-$sampling"
    report $? "synthetic, atom, $sampling"
    holds "s-$sampling" 'math.isfinite(r["auxiliary"])'
done
for label in posterior likelihood; do
    # shellcheck disable=SC2086
    train $small --loss none --label $label --out "s-$label"
    holds "s-$label" '(s["posterior_sum_rule"] == 1) == (sys.argv[1] == "s-posterior") and s["posterior_sum_rule"] > 0.8'
done
# shellcheck disable=SC2086
resumes distinct 3 7 --device ref --batch 4 --rows 20 --samples 100 --width 4
[ "$("$dipole" eval distinct.whole --device ref --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["accuracy"])')" = \
    "$(python3 -c 'import json; print(json.load(open("distinct.whole/result.json"))["scores"]["accuracy"])')" ]
report $? "eval tells the same accuracy"

refuse 'is none of synthetic, classify, generate' --task sort --out x
refuse 'is none of none, atom' --loss l2 --out x
refuse 'is none of membership' --label majority --device ref --out x
refuse 'is none of distinct' --sampling some --device ref --out x
refuse 'neither linear nor activated' --representation raw --device ref --out x
refuse 'norm: 0.5' --norm 0.5 --device ref --out x
refuse 'vq: is for --task generate' --loss vq --device ref --out x
refuse 'needs --data' --task classify --out x

# Networks of images take minutes on the reference: where it is alone, as in builds without backends, its own tests of them are enough.
if ! "$dipole" devices --json | python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["devices"]) < 2)'; then
    echo "only the reference is there: images are left out"
    finish "train atom"
    exit $?
fi
python3 - <<'END'
import struct
def idx(name, dims, values):
    with open(name, "wb") as f:
        f.write(struct.pack(">BBBB", 0, 0, 8, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + bytes(values))
for part, count in (("train", 24), ("t10k", 24)):
    images = [(255 if (x // 4 + (k % 3) * y // 4) % 2 else 0) for k in range(count) for y in range(28) for x in range(28)]
    idx(f"{part}-images-idx3-ubyte", (count, 28, 28), images)
    idx(f"{part}-labels-idx1-ubyte", (count,), [k % 3 for k in range(count)])
END
images="--data train-images-idx3-ubyte --samples 100"
# shellcheck disable=SC2086
{
    resumes classify 1 3 --task classify $images --batch 4 --per-class 2 --augment flip --rate 1e-3
    holds classify.whole '0 <= s["accuracy"] <= 1 and "train_accuracy" in s'
    refuse '8 samples: --per-class is more' --task classify $images --per-class 9 --out x
    resumes generate 1 2 --task generate $images --batch 4 --loss vq --codes 5 --rate 1e-3
    holds generate.whole 'all(math.isfinite(r[k]) for k in ("loss_g", "loss_d", "auxiliary"))'
    refuse 'generated ones do not have' --task generate $images --loss hinge1 --out y
}
for picture in classify.whole/charges.png generate.whole/charges.png generate.whole/samples.png; do
    [ "$(head -c 4 "$picture" | tail -c 3)" = PNG ]
    report $? "$picture"
done

finish "train atom"
