#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks of test_report.sh that are too long for a shell: check_report.py NAME ARGUMENT... fails with a message."""
import json
import math
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "<script>alert('x')</script>&\"</td>|`"
MEASURED = {"seconds", "seconds_min", "seconds_quarter", "seconds_three_quarters", "seconds_max", "seconds_first", "samples",
            "calls_per_sample", "flops", "bytes", "pairs", "fraction_of_roofline", "joules", "peak_bytes"}
ALWAYS = {"group", "case", "op", "parameters", "status"}
HEAD = {"format", "format_version", "suite", "suite_version", "complete", "library_version", "date", "host", "devices"}
DEVICE = {"id", "backend", "name", "vendor", "driver", "api", "type", "compute_units", "memory_bytes", "peak_flops_per_second",
          "bandwidth_bytes_per_second", "results", "seconds", "load_before"}
GROUPS = ["launch", "transfer", "matmul", "conv2d", "conv2d_gradient", "pairwise", "pairwise_smallest", "reduce", "map", "gather"]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_result(result):
    assert set(result) == ALWAYS | MEASURED and result["status"] == "measured", result
    spread = [result[f"seconds{part}"] for part in ("_min", "_quarter", "", "_three_quarters", "_max")]
    assert spread == sorted(spread) and spread[0] > 0, spread
    assert result["samples"] >= 3 and result["calls_per_sample"] >= 1
    assert result["fraction_of_roofline"] is None  # the reference has no roof


def suite(path, joules):
    file = load(path)
    assert set(file) == HEAD, set(file) ^ HEAD
    assert file["format"] == "dipole-bench" and file["format_version"] == 1 and file["suite"] == "tiny" and file["complete"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", file["date"])
    assert set(file["host"]) == {"system", "kernel", "machine", "cpu", "cpu_threads", "memory_bytes"}
    (device,) = file["devices"]
    assert set(device) == DEVICE, set(device) ^ DEVICE
    assert device["id"] == "ref" and device["peak_flops_per_second"] is None and device["seconds"] > 0
    for result in device["results"]:
        check_result(result)
    assert list(dict.fromkeys(r["group"] for r in device["results"])) == GROUPS
    by_case = {(r["op"], r["case"]): r for r in device["results"]}
    assert by_case["matmul", "8 x 8 x 8"]["flops"] == 2 * 8**3
    assert by_case["upload", "to the device, 4 KiB"]["bytes"] == 4096
    assert by_case["launch", "one of 100 queued"]["calls_per_sample"] == 100
    energies = [r["joules"] for r in device["results"]]
    if joules == "null":
        assert energies == [None] * len(energies)
    else:
        # A step is at least 0.1 J, and a sample is of microseconds: some case saw one, and none saw less than nothing.
        assert all(e is not None and 0 <= e <= 1 for e in energies) and any(e > 0 for e in energies), energies


class Page(HTMLParser):
    """Elements must be closed in order; collects text by element, and what would load something."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.stack, self.text, self.loads, self.scripts = [], [], [], 0
        with open(path, encoding="utf-8") as file:
            self.source = file.read()
        self.feed(self.source)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.loads += [(n, v) for n, v in attributes if n in ("src", "href", "srcset", "data") and not v.startswith("#")]
        assert not any(name.startswith("on") for name, _ in attributes), attributes
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, (self.stack[-3:], tag, self.getpos())
        self.stack.pop()

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.text.append(data)


def page(path, *files):
    found = Page(path)
    text = "".join(found.text)
    assert found.loads == [] and found.scripts == 1, (found.loads, found.scripts)
    assert "url(" not in found.source and "http" not in found.source.replace("http-equiv", "")
    assert not re.search(r"\b(nan|inf)\b", text.replace("infinity", ""), re.IGNORECASE)
    for file in map(load, files):
        for device in file["devices"]:
            for wanted in (device["name"], device["driver"], *(r["case"] for r in device["results"])):
                assert wanted in text, wanted
    assert "second run" in text
    result = next(r for r in load(files[0])["devices"][0]["results"] if r["case"] == "8 x 8 x 8")
    rates = [float(v) for v in re.findall(r'data-v="([^"]+)"', found.source)]
    assert any(math.isclose(v, result["flops"] / result["seconds"], rel_tol=1e-5) for v in rates), "the rate of a product"


def hostile(source, target):
    """Every text of the file becomes one that a page must not take for markup."""
    file = load(source)
    device = file["devices"][0]
    for key in ("id", "name", "vendor", "driver", "api", "type"):
        device[key] = HOSTILE + key
    device["backend"] = "other"
    device["peak_flops_per_second"], device["bandwidth_bytes_per_second"] = 1e11, 2e10
    for key in ("cpu", "system", "kernel"):
        file["host"][key] = HOSTILE + key
    file["suite"] = file["date"] = file["library_version"] = HOSTILE
    for number, result in enumerate(device["results"]):
        result["case"] = f"{HOSTILE}{number}"
        result["group"] += HOSTILE
        result["parameters"] = HOSTILE
        result["fraction_of_roofline"] = 0.5
    first = device["results"][0]
    device["results"].append({**first, "case": "skipped", "status": "skipped", "reason": HOSTILE})
    device["results"].append({**first, "case": "failed", "status": "failed", "reason": HOSTILE})
    with open(target, "w", encoding="utf-8") as out:
        json.dump(file, out)


def escaped(path, markdown):
    found = Page(path)
    text = "".join(found.text)
    assert found.scripts == 1 and "alert(" not in "".join(re.findall(r"<script>(.*?)</script>", found.source, re.DOTALL))
    assert HOSTILE + "name" in text and HOSTILE + "cpu" in text and HOSTILE + "7" in text
    with open(markdown, encoding="utf-8") as file:
        lines = file.read()
    assert "<script" not in lines and "&lt;script" in lines
    for line in lines.splitlines():
        if line.startswith("| &lt;script"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 7), line


def incomplete(source, target):
    file = load(source)
    file["complete"] = False
    with open(target, "w", encoding="utf-8") as out:
        json.dump(file, out)


def interrupted(path):
    file = load(path)
    assert file["complete"] is False and 0 < len(file["devices"][0]["results"]) < 50


if __name__ == "__main__":
    {f.__name__: f for f in (suite, page, hostile, escaped, incomplete, interrupted)}[sys.argv[1]](*sys.argv[2:])
