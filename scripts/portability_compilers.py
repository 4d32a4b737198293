# SPDX-License-Identifier: Apache-2.0
"""The compilers of scripts/portability.py: how each is found and run, and where it says what it has made of a kernel.

A compiler is asked for the figures of kernels for one target, a GPU. It gives a dictionary of the table's columns, or
raises Failure: the kernel does not compile. Missing says what to install where the compiler is not there.
"""
import glob
import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

TIMEOUT = 300  # seconds, of one run


class Failure(Exception):
    """A kernel that does not compile: the first lines of why."""


class Missing(Exception):
    """A compiler that is not there: what to install."""


def run(command, env=None, text=None):
    """stdout and stderr together, of a command that must end well."""
    environment = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(command, env=environment, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIMEOUT, errors="replace", check=False, encoding="utf-8")
    except subprocess.TimeoutExpired as late:
        raise Failure(f"it takes longer than {TIMEOUT} s") from late
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise Failure("\n".join(lines[:6]) or f"status {done.returncode}, without a reason")
    return done.stdout


def first(pattern, text, default=0):
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else default


def elf_sections(path):
    """The sections of a 64-bit little-endian ELF file: name to contents."""
    data = Path(path).read_bytes()
    if data[:4] != b"\x7fELF":
        raise Failure("the compiler's result is no ELF file")
    offset, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + n * size) for n in range(count)]
    strings = data[headers[names][4]:][:headers[names][5]]
    return {strings[h[0]:strings.index(b"\0", h[0])].decode(): data[h[4]:h[4] + h[5]] for h in headers}


# ---- clang: AMD's OpenCL compiler is it, NVIDIA's begins like it, and it knows what is no OpenCL C 1.2 ----

OPENCL = ["-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-Xclang", "-fdeclare-opencl-builtins"]


def find_clang():
    for name in ("clang-15", "clang-16", "clang-14", "clang"):
        if shutil.which(name):
            return name
    raise Missing("clang-15")


def clang_version():
    return "clang " + re.search(r"version (\d+\.\d+)", run([find_clang(), "--version"]))[1]


def amdgcn(kernel, chip):
    libraries = glob.glob("/usr/lib/*/amdgcn/bitcode")
    if not libraries:
        raise Missing("rocm-device-libs")
    text = run([find_clang(), "-target", "amdgcn-amd-amdhsa", f"-mcpu={chip}", *OPENCL, "-O3", "-w",
                f"--rocm-device-lib-path={libraries[0]}", "-S", "-o", "-", kernel.path])
    return {
        "regs": first(r"\.vgpr_count: +(\d+)", text),
        "spill": first(r"\.vgpr_spill_count: +(\d+)", text) + first(r"\.sgpr_spill_count: +(\d+)", text),
        "scratch": first(r"\.private_segment_fixed_size: (\d+)", text),
        "local": first(r"\.group_segment_fixed_size: (\d+)", text),
        "code": first(r"^; codeLenInByte = (\d+)", text),
        "simd": first(r"\.wavefront_size: +(\d+)", text),
    }


def ptx(kernel, chip, path):
    bitcode = "/usr/lib/clc/nvptx64--nvidiacl.bc"
    if not os.path.exists(bitcode):
        raise Missing("libclc-15")
    run([find_clang(), "-target", "nvptx64-nvidia-cuda", f"-march={chip}", *OPENCL, "-O3", "-w", "-S", "-nogpulib",
         "-Xclang", "-mlink-builtin-bitcode", "-Xclang", bitcode, "-o", path, kernel.path])


def nvptx(kernel, chip):
    """What NVIDIA's assembler would be given: registers without a limit, so that their number is but a hint."""
    with tempfile.TemporaryDirectory() as folder:
        ptx(kernel, chip, f"{folder}/kernel.ptx")
        text = Path(f"{folder}/kernel.ptx").read_text(encoding="utf-8")
    declared = re.findall(r"^\s*\.reg \.[a-z](\d+)\s+%\w+<(\d+)>", text, re.MULTILINE)
    return {
        "regs": sum((int(bits) + 31) // 32 * (int(count) - 1) for bits, count in declared),
        "scratch": sum(map(int, re.findall(r"\.local .*__local_depot\w*\[(\d+)\]", text))),
        "local": sum(map(int, re.findall(r"^\.shared .*\[(\d+)\]", text, re.MULTILINE))),
        "insns": len(re.findall(r"^\t[^./\s].*;$", text, re.MULTILINE)),
    }


def find_ptxas():
    found = shutil.which(os.environ.get("DIPOLE_PTXAS") or "ptxas")
    if not found:
        raise Missing("ptxas, of NVIDIA's CUDA toolkit (or its path in DIPOLE_PTXAS)")
    return found


def ptxas_version():
    return f"ptxas {re.search(r'release ([0-9.]+)', run([find_ptxas(), '--version']))[1]}, {clang_version()}"


def ptxas(kernel, chip):
    with tempfile.TemporaryDirectory() as folder:
        ptx(kernel, chip, f"{folder}/kernel.ptx")
        text = run([find_ptxas(), f"-arch={chip}", "-v", "-o", f"{folder}/kernel.cubin", f"{folder}/kernel.ptx"])
        code = elf_sections(f"{folder}/kernel.cubin").get(f".text.{kernel.entry}", b"")
    return {
        "regs": first(r"Used (\d+) registers", text),
        "spill": first(r"(\d+) bytes spill stores", text) // 4,
        "scratch": first(r"(\d+) bytes stack frame", text),
        "local": first(r"(\d+) bytes smem", text),
        "code": len(code),
        "simd": 32,
    }


def lint(kernel, _):
    """OpenCL C 1.2 and nothing else: neither doubles nor extensions. What a kernel does not use is no mistake."""
    output = run([find_clang(), "-target", "spir-unknown-unknown", *OPENCL, "-Xclang", "-cl-ext=-all", "-Wall",
                  "-Wextra", "-Wdouble-promotion", "-Werror", "-Wno-unused", "-Wno-unused-parameter", "-fsyntax-only",
                  kernel.path])
    if output.strip():
        raise Failure(output.strip())
    return {}


def spirv_version():
    if not shutil.which("spirv-val"):
        raise Missing("spirv-tools")
    return "spirv-val"


def spirv_val(kernel, _):
    run(["spirv-val", "--target-env", "vulkan1.1", str(Path(kernel.path).with_suffix(".spv"))])
    return {}


# ---- ocloc: Intel's own compiler ----

def find_ocloc():
    found = shutil.which(os.environ.get("DIPOLE_OCLOC") or "ocloc")
    if not found:
        raise Missing("intel-opencl-icd (or ocloc's path in DIPOLE_OCLOC)")
    return found


def ocloc_version():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([find_ocloc(), "query", "OCL_DRIVER_VERSION"], cwd=folder, stdout=subprocess.DEVNULL,
                       check=False)
        path = Path(folder, "OCL_DRIVER_VERSION")
        version = path.read_text(encoding="utf-8").strip("\0 \n") if path.exists() else "unknown"
    return f"ocloc {version}"


def ocloc(kernel, chip):
    with tempfile.TemporaryDirectory() as folder:
        run([find_ocloc(), "compile", "-q", "-file", kernel.path, "-device", chip, "-out_dir", folder, "-output",
             "kernel", "-options", "-cl-std=CL1.2 -w", "--format", "zebin"])
        found = glob.glob(f"{folder}/*.bin")
        if not found:
            raise Failure("ocloc ended well and wrote nothing")
        sections = elf_sections(found[0])
    facts = sections.get(".ze_info", b"").decode(errors="replace")
    buffers = re.search(r"per_thread_memory_buffers:\n((?: +.*\n)*)", facts)
    return {
        "scratch": sum(map(int, re.findall(r" size: +(\d+)", buffers[1]))) if buffers else 0,
        "local": first(r"slm_size: +(\d+)", facts),
        "code": len(sections.get(f".text.{kernel.entry}", b"")),
        "simd": first(r"simd_size: +(\d+)", facts),
    }


# ---- Mesa's Vulkan drivers, whose compilers are asked through tests/portability/pipelines.c ----

def icd_file(name):
    found = sorted(glob.glob(f"/usr/share/vulkan/icd.d/{name}_icd.*.json"))
    if not found:
        raise Missing(f"mesa-vulkan-drivers ({name}_icd)")
    return found[0]


def radv_environment(_, family):
    return {"RADV_FORCE_FAMILY": family, "VK_ICD_FILENAMES": icd_file("radeon")}


def anv_environment(programs, chip):
    stub = programs / "i915.so"
    if not stub.exists():
        raise Missing(f"{stub}: libdrm-dev, and a new build")
    pci_id, discrete = {"skl": ("1912", False), "tgl": ("9a49", False), "dg2": ("56a0", True)}[chip]
    # Sanitizers in the program must not mind what is preloaded, hence the loader's own way.
    return {"VK_ICD_FILENAMES": icd_file("intel"), "LD_PRELOAD": str(stub), "DIPOLE_I915_DEVICE": pci_id,
            **({"DIPOLE_I915_DISCRETE": "1"} if discrete else {})}


def pipelines(programs, environment, kernels, folder):
    """What the driver says of each kernel: name to a list of (statistic, value); of "driver" its version."""
    listed = "".join(f"{k.name} {Path(k.file).with_suffix('.spv')} {k.bindings}\n" for k in kernels)
    said = {}
    environment = {**environment, "MESA_SHADER_CACHE_DISABLE": "true"}
    output = run([str(programs / "pipelines"), str(folder)], environment, listed)
    for line in output.splitlines():
        parts = line.split("\t")
        if len(parts) == 3:
            said.setdefault(parts[0], []).append((parts[1], int(parts[2])))
    return said


def mesa_version(programs, environment, folder):
    version = dict(pipelines(programs, environment, [], folder).get("driver", [])).get("version", 0)
    return f"Mesa {version >> 22}.{version >> 12 & 1023}.{version & 4095}"


def radv_figures(said):
    said = dict(said)
    return {
        "regs": said["VGPRs"],
        "spill": said["Spilled VGPRs"] + said["Spilled SGPRs"],
        "scratch": said["Scratch size"],
        "local": said["LDS size"],
        "code": said["Code size"],
        "simd": said["Subgroup size"],
        "insns": said["Instructions"],
    }


def anv_figures(said):
    said = dict(said)  # of several widths the last, which is the widest
    return {
        "spill": said["Spill Count"],
        "scratch": said["Scratch Memory Size"],
        "local": said["Workgroup Memory Size"],
        "simd": said["Subgroup size"],
        "insns": said["Instruction Count"],
    }
