#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Matrix products and convolutions side by side: Dipole on the devices given, CLBlast, OpenBLAS, BLIS, oneDNN and PyTorch.

Everybody starts from the same numbers in host or device memory and is timed from the call to its end. Each contender is a process
that answers for one case at a time (contract.h), and all of them are asked in turn for every case of every round, so that what
else the machine does hits all alike; ratios are those of one round. Every result is compared with sums in double precision.
Writes tables in Markdown and, where asked, everything measured as JSON. Needs no network; peers that are not there are left out,
and named. README.md says how to install them.
"""
import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import time

import side_by_side
from side_by_side import figure, spread

MATMUL = [f"matmul-{size}" for size in ("64x64x64", "64x4096x1024", "4096x64x64", "256x256x256", "512x512x512", "1024x1024x1024",
                                        "2048x2048x2048")]
LAYERS = ["conv-3-64-k4-s2-p1-32-b64", "conv-64-128-k4-s2-p1-16-b64", "conv-128-256-k4-s2-p1-8-b64", "conv-64-64-k3-s1-p1-56-b8"]
KINDS = {"forward": "forward", "input": "gradient to the input", "weights": "gradient to the weights"}
QUICK = [MATMUL[0], MATMUL[4]] + [f"{layer}-{kind}" for layer in LAYERS[:1] for kind in KINDS]
BLAS = ("OpenBLAS", "BLIS", "oneDNN")  # a CPU's own; "best" and "median" of the ratios are over these
TELLING = 2e7  # FLOPs from which the time of a call says how long larger ones take
MAX_ERROR = 3e-6  # BENCH_MAX_ERROR of common.h: of the sum of the terms' sizes


# PyTorch: the contender that is no C program --------------------------------------------------------------------------------

def shape_of(case):
    part = case.split("-")
    if part[0] == "matmul":
        return [int(v) for v in part[1].split("x")]
    return [int(part[1]), int(part[2])] + [int(p[1:]) for p in part[3:6]] + [int(part[6]), int(part[7][1:])]


def flops_of(case):
    if case.startswith("matmul"):
        m, n, k = shape_of(case)
        return 2.0 * m * n * k
    c, k, r, stride, pad, size, images = shape_of(case)
    out = (size + 2 * pad - r) // stride + 1
    return 2.0 * images * k * out * out * c * r * r


def torch_call(torch, case, x, w, y):
    if case.startswith("matmul"):
        return lambda: torch.mm(x, w)
    stride, pad = shape_of(case)[3:5]
    kind = case.rsplit("-", 1)[1]
    if kind == "forward":
        return lambda: torch.nn.functional.conv2d(x, w, None, stride, pad)
    which = 0 if kind == "input" else 1

    def run():
        return torch.ops.aten.convolution_backward(y, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1,
                                                   [which == 0, which == 1, False])[which]
    return run


def terms_at(numpy, case, x, w, y, at):
    """The terms of the result at the index `at`, in double precision."""
    if case.startswith("matmul"):
        return x[at[0]].astype(float) * w[:, at[1]]
    stride, pad = shape_of(case)[3:5]
    rows = w.shape[2]
    kind = case.rsplit("-", 1)[1]
    padded = numpy.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))) if kind != "input" else x
    if kind == "forward":
        top, left = at[2] * stride, at[3] * stride
        return padded[at[0], :, top:top + rows, left:left + rows].astype(float) * w[at[1]]
    if kind == "weights":
        out = y.shape[2]
        end = stride * (out - 1) + 1
        return padded[:, at[1], at[2]:at[2] + end:stride, at[3]:at[3] + end:stride].astype(float) * y[:, at[0]]
    terms = []
    for r in range(rows):
        for s in range(rows):
            row, column = at[2] + pad - r, at[3] + pad - s
            if row % stride == 0 and column % stride == 0 and 0 <= row // stride < y.shape[2] and 0 <= column // stride < y.shape[3]:
                terms.append(w[:, at[1], r, s].astype(float) * y[at[0], :, row // stride, column // stride])
    return numpy.array(terms)


def torch_error(numpy, case, x, w, y, result):
    error = 0.0
    for s in range(32):
        at = numpy.unravel_index(result.size - 1 if s == 0 else (s - 1) * 0x9E3779B1 % result.size, result.shape)
        terms = terms_at(numpy, case, x, w, y, at)
        e = abs(float(result[at]) - terms.sum()) / max(numpy.abs(terms).sum(), 1e-30)
        error = e if not e <= error else error  # a NaN counts
    return error


def torch_answer(torch, numpy, case, seconds, seen):
    if case.startswith("matmul"):
        m, n, k = shape_of(case)
        shapes = ((m, k), (k, n), (m, n))
    else:
        c, k, r, stride, pad, size, images = shape_of(case)
        out = (size + 2 * pad - r) // stride + 1
        shapes = ((images, c, size, size), (k, c, r, r), (images, k, out, out))
    arrays = [side_by_side.fill(numpy, int(numpy.prod(s)), seed + 1).reshape(s) for seed, s in enumerate(shapes)]
    call = torch_call(torch, case, *(torch.from_numpy(a) for a in arrays))
    samples, cpus, start = [], [], None
    while start is None or ((time.monotonic() - start < (seconds if len(samples) >= 3 else 3 * seconds)) and len(samples) < 256) \
            or not samples:
        cpu, begin = time.process_time(), time.monotonic()
        result = call()
        took, used = time.monotonic() - begin, time.process_time() - cpu
        warm_up = start is None and (case not in seen or took < seconds)  # as in contract.c
        start = start or time.monotonic()
        if not warm_up:
            samples.append(took)
            cpus.append(used)
    seen.add(case)
    error = torch_error(numpy, case, *arrays, result.numpy())
    answer = {"case": case, "flops": flops_of(case), "error": error, "seconds": samples, "cpu": cpus}
    return answer if error <= MAX_ERROR else {**answer, "failed": "wrong results"}


def torch_worker():
    try:
        import numpy
        import torch
    except ImportError as missing:
        print(missing, file=sys.stderr)
        sys.exit(77)
    torch.set_num_threads(os.cpu_count())
    print(json.dumps({"what": f"PyTorch {torch.__version__}, NCHW"}), flush=True)
    seen = set()
    for line in sys.stdin:
        case, seconds = line.split()
        try:
            answer = torch_answer(torch, numpy, case, float(seconds), seen)
        except RuntimeError as failure:
            answer = {"case": case, "failed": str(failure).splitlines()[0]}
        print(json.dumps(answer), flush=True)


# The contenders -----------------------------------------------------------------------------------------------------------

class Contender:
    """A process that answers lines with lines."""

    def __init__(self, name, command, environment):
        self.name, self.what, self.failure, self.best, self.took = name, "", None, {}, {}
        self.process = None
        if not os.path.exists(command[0]):
            self.failure = f"skipped: {os.path.basename(command[0])} was not built"
            return
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **environment})
        os.set_blocking(self.process.stderr.fileno(), False)
        self.buffer = b""
        greeting = self.answer(120)
        if greeting is not None:
            self.what = greeting["what"]

    def end(self, reason):
        self.process.kill()
        self.process.wait()
        said = (self.process.stderr.read() or b"").decode(errors="replace").strip().splitlines()
        skipped = self.process.returncode == 77
        self.failure = ("skipped: " if skipped else "failed: ") + (said[-1][:150] if said else reason)

    def answer(self, timeout):
        """The next line, or None with the failure set. What libraries write to the error stream meanwhile is taken off."""
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            if not ready:
                self.end(f"no answer in {timeout:.0f} s")
                return None
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                self.process.wait()
                self.end(f"ended with status {self.process.returncode}")
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, case, seconds, timeout):
        self.process.stderr.read()
        try:
            self.process.stdin.write(f"{case} {seconds}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            self.end("ended")
            return None
        return self.answer(timeout)

    def close(self):
        if self.process and self.failure is None:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.failure = "failed: does not end"
            if self.process.returncode not in (0, None) and self.failure is None:
                self.failure = f"failed: ended with status {self.process.returncode}"


def contenders_of(options):
    bench = os.path.join(options.build, "bench")
    threads = str(os.cpu_count())
    environment = {"OPENBLAS_NUM_THREADS": threads, "BLIS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    commands = {device: [f"{bench}/contract_dipole", "--device", device] for device in options.device}
    commands.update({
        "CLBlast": [f"{bench}/contract_clblast", "--device", options.clblast_device],
        "CLBlast tuned": [f"{bench}/contract_clblast", "--device", options.clblast_device, "--tuned"],
        "OpenBLAS": [f"{bench}/contract_blas", "--library", "libopenblas.so.0"],
        "BLIS": [f"{bench}/contract_blas", "--library", "libblis.so.4"],
        "oneDNN": [f"{bench}/contract_onednn", "--layout", "own"],
        "oneDNN NCHW": [f"{bench}/contract_onednn", "--layout", "plain"],
        "PyTorch": [options.python, os.path.abspath(__file__), "--worker"],
    })
    return [Contender(name, command, environment) for name, command in commands.items()
            if name in options.device or options.peers is None or name in options.peers]


# Measuring ----------------------------------------------------------------------------------------------------------------

class Results:
    def __init__(self):
        self.rounds, self.errors, self.remarks = {}, {}, {}  # by (contender, case); rounds: lists of (seconds, cpu)

    def add(self, name, answer):
        key = (name, answer["case"])
        if "error" in answer:
            self.errors[key] = max(self.errors.get(key, 0), answer["error"])
        if "seconds" in answer and "failed" not in answer:
            self.rounds.setdefault(key, []).append((answer["seconds"], answer["cpu"]))
        else:
            self.rounds.setdefault(key, []).append(None)
            self.remarks[key] = "failed: " + answer["failed"] if "failed" in answer else answer["skipped"]

    def samples(self, name, case, which=0):
        return [v for entry in self.rounds.get((name, case), []) if entry for v in entry[which]]

    def median(self, name, case, which=0):
        values = self.samples(name, case, which)
        return statistics.median(values) if values else None

    def ratio(self, mine, peers, case, which, pick):
        """Dipole's speed over that which `pick` takes of the peers' speeds, round by round; the median of the rounds."""
        ratios = []
        for number, entry in enumerate(self.rounds.get((mine, case), [])):
            theirs = [self.rounds.get((peer, case), []) for peer in peers]
            theirs = [r[number] for r in theirs if len(r) > number and r[number]]
            if entry and theirs:
                speed = pick([1 / statistics.median(t[which]) for t in theirs])
                ratios.append(1 / (statistics.median(entry[which]) * speed))
        return statistics.median(ratios) if ratios else None


def family_of(case):
    return case.split("-")[0] + case.rsplit("-", 1)[1] if case.startswith("conv") else "matmul"


def one_round(results, contenders, cases, options, number):
    first = number % len(contenders)  # nobody always follows the same neighbour
    for case in cases:
        for contender in contenders[first:] + contenders[:first]:
            key = (contender.name, case)
            if contender.failure or (key in results.remarks and not results.remarks[key].startswith("slow")):
                continue
            rate = contender.best.get(family_of(case))
            expected = contender.took.get(case) or (flops_of(case) / rate if rate else 0)
            if expected > options.longest or (number >= 2 and expected > options.seconds * 3):
                results.rounds.setdefault(key, []).append(None)  # the slow ones are known well enough
                if expected > options.longest:
                    results.remarks[key] = f"slow: about {figure(expected)} s"
                continue
            answer = contender.ask(case, options.seconds, 120 + 20 * expected)
            if answer is None:
                continue
            results.add(contender.name, answer)
            if answer.get("seconds"):
                contender.took[case] = statistics.median(answer["seconds"])
                if flops_of(case) >= TELLING:
                    rate = flops_of(case) / min(answer["seconds"])
                    contender.best[family_of(case)] = max(contender.best.get(family_of(case), 0), rate)


# Tables -------------------------------------------------------------------------------------------------------------------

def title_of(case):
    if case.startswith("matmul"):
        m, n, k = shape_of(case)
        return f"{m}^3" if m == n == k else f"{m}, {n}, {k}"
    c, k, r, stride, pad, size, images = shape_of(case)
    return f"{c}->{k} k{r} s{stride} p{pad}, {size}x{size}, batch {images}"


def rates_table(results, names, cases, which):
    lines = ["| | " + " | ".join(title_of(c) for c in cases) + " |", "| --- |" + " --- |" * len(cases)]
    for name in names:
        cells = []
        for case in cases:
            rates = [flops_of(case) / s for s in results.samples(name, case, which) if s > 0]
            remark = results.remarks.get((name, case), "")
            if not rates:
                cells.append(remark if remark.startswith("slow") else "-")
            else:
                cells.append(spread(rates, 1e-9) if which == 0 else figure(1e-9 * statistics.median(rates)))
        if any(c != "-" for c in cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def ratio_table(results, options, names, cases):
    lines = ["| | " + " | ".join(title_of(c) for c in cases) + " |", "| --- |" + " --- |" * len(cases)]
    rows = [(name, [name], max) for name in names if name not in options.device]
    if cases[0].startswith("matmul"):
        there = [b for b in BLAS if any(results.samples(b, c) for c in cases)]
        rows += [("median of " + ", ".join(there), there, statistics.median), ("best of them", there, max)] if there else []
    for device in options.device:
        for title, peers, pick in rows:
            cells = []
            for case in cases:
                ratios = [results.ratio(device, peers, case, which, pick) for which in (0, 1)]
                cells.append(" / ".join(figure(r) for r in ratios) if all(ratios) else "-")
            if any(c != "-" for c in cells):
                lines.append(f"| {device} / {title} | " + " | ".join(cells) + " |")
    return lines


def section(results, options, names, cases, title):
    lines = ["", f"## {title}", "", "GFLOP/s by the clock: median (lowest-highest).", ""]
    lines += rates_table(results, names, cases, 0)
    lines += ["", "GFLOP for each second of CPU time of all threads together, median.", ""]
    lines += rates_table(results, names, cases, 1)
    lines += ["", "Dipole's speed over the others', by the clock / by CPU time; medians of the rounds' ratios.", ""]
    return lines + ratio_table(results, options, names, cases)


def times_line(results, names, case):
    parts = [f"{name} {figure(1e6 * results.median(name, case))}" for name in names if results.median(name, case)]
    return ["", f"One call of {title_of(case)}, launch and wait included, median us: " + ", ".join(parts) + "."]


def head(results, options, contenders, title, cases):
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", f"# {title}", "",
             "Written by `bench/compare_contractions.py`; [bench/README.md](../../bench/README.md) says what is measured, and how "
             "to repeat it.", "", side_by_side.machine_line(),
             f"- {options.rounds} round{'s' * (options.rounds > 1)}, interleaved case by case, {options.seconds} s each; f32; all of the machine's threads",
             f"- command: `bench/compare_contractions.py {' '.join(sys.argv[1:])}`"]
    for contender in contenders:
        lines.append(f"- {contender.name}: {contender.failure or contender.what}")
    errors = {c.name: max((e for (who, case), e in results.errors.items() if who == c.name and case in cases), default=None)
              for c in contenders}
    lines += ["", f"Largest error of a sampled result against sums in double precision, relative to the sum of its terms' sizes; "
              f"more than {MAX_ERROR:.0e} fails: " + ", ".join(f"{n} {e:.0e}" for n, e in errors.items() if e is not None) + "."]
    wrong = [f"{who}, {title_of(case)}: {text}" for (who, case), text in results.remarks.items()
             if text.startswith("failed") and case in cases]
    return lines + (["", "**Failed:** " + "; ".join(wrong) + "."] if wrong else [])


def reports(results, options, contenders, cases):
    """Both pages' texts, by name."""
    names = [c.name for c in contenders]
    matmul = [c for c in cases if c.startswith("matmul")]
    texts = {}
    if matmul:
        lines = head(results, options, contenders, "Matrix products, side by side", matmul)
        lines += section(results, options, names, matmul, "m, n, k")
        if matmul[0] == MATMUL[0]:
            lines += times_line(results, names, matmul[0])
        texts["matmul"] = "\n".join(lines) + "\n"
    layers = [c for c in cases if c.startswith("conv")]
    if layers:
        lines = head(results, options, contenders, "Convolutions, side by side", layers)
        lines += ["", "oneDNN: tensors stay in layouts of its own. oneDNN NCHW: row-major before and after, with what it reorders "
                  "counted, as it is for Dipole and the others. CLBlast has no gradients (`convgemm`)."]
        for kind, title in KINDS.items():
            own = [c for c in layers if c.endswith(kind)]
            if own:
                lines += section(results, options, names, own, title.capitalize())
        texts["convolution"] = "\n".join(lines) + "\n"
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build folder, configured with -Dbench=true")
    parser.add_argument("--device", action="append", help="a device of Dipole; may be repeated; default: opencl:0")
    parser.add_argument("--clblast-device", default="0", metavar="N", help="CLBlast's device, as in opencl:N; default: 0")
    parser.add_argument("--peers", help="which of them: CLBlast,CLBlast tuned,OpenBLAS,BLIS,oneDNN,oneDNN NCHW,PyTorch; "
                        "default: all that are there")
    parser.add_argument("--only", help="cases whose names hold this text: matmul, conv, 512, weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="for each measurement")
    parser.add_argument("--longest", type=float, default=4, metavar="S", help="a single call that would take more is left out")
    parser.add_argument("--quick", action="store_true", help="one round of a few cases")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--output", metavar="FOLDER", help="writes matmul.md and convolution.md there; notes in them are kept")
    parser.add_argument("--json", metavar="FILE", help="everything measured")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        torch_worker()
        return
    options.device = options.device or ["opencl:0"]
    options.peers = [p.strip() for p in options.peers.split(",")] if options.peers is not None else None
    options.rounds = 1 if options.quick else options.rounds
    cases = QUICK if options.quick else MATMUL + [f"{layer}-{kind}" for kind in KINDS for layer in LAYERS]
    cases = [c for c in cases if not options.only or options.only in c]
    contenders, results = contenders_of(options), Results()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        one_round(results, contenders, cases, options, number)
    for contender in contenders:
        contender.close()
    for name, text in reports(results, options, contenders, cases).items():
        side_by_side.write(os.path.join(options.output, name + ".md") if options.output else None, text)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([{"contender": who, "case": case, "error": results.errors.get((who, case)),
                        "rounds": [{"seconds": r[0], "cpu": r[1]} if r else None for r in rounds]}
                       for (who, case), rounds in results.rounds.items()], file, indent=1)
    failures = [f"{c.name}: {c.failure}" for c in contenders if c.failure and c.failure.startswith("failed")]
    failures += [f"{who}, {case}: {text}" for (who, case), text in results.remarks.items() if text.startswith("failed")]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
