#!/usr/bin/env python3
"""Checks the order of the source tree: who may include whom, and where foreign headers are at home.

    layering_test.py SOURCE   checks the tree at SOURCE
    layering_test.py          checks the checker, on small trees that break each rule
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDERS = ("data", "model", "dist", "launcher")
LIBRARIES = FOLDERS[:3]
# Where each foreign header is at home.
HOMES = {
    r"mpi\.h": "dist",
    r"nccl\.h": "dist",
    r"cuda_runtime_api\.h": "dist",
    r"nvtx3/.*": "launcher",
    r"(torch|ATen|c10)/.*": "model",
    r"(hdf5|H5\w+)\.h": "data",
    r"utf8proc\.h": "data",
    r"zlib\.h": "data",
    r"openssl/.*": "data",
    r"spdlog/.*": "launcher",
    r"CLI/.*": "launcher",
}
# What is used in few places, so that one look at these shows that it is used well: the words, the folders that are looked at, the places.
PLACES = (
    # HDF5 opens bytes in memory, which read_verified() of sharded_dataset.cc has compared with their hash, and no file by its name.
    (r"\bH5(?:F(?:open|reopen|mount|is_\w+)|LTopen\w*|Oopen\w*)\s*\(", FOLDERS, ("data/token_shard_reader.cc",)),
    (r"\bparse_token_shard\s*\(", FOLDERS,
     ("data/sharded_dataset.cc", "data/token_shard.h", "data/token_shard_reader.cc")),
    # Text of files reaches the terminal through the log, which escapes it, or from here.
    (r"\bstd::(?:printf|fprintf|puts|fputs|fwrite|cout|cerr|clog)\b", ("launcher",),
     ("launcher/checkpoint_commands.cc", "launcher/commands.cc", "launcher/export_command.cc",
      "launcher/launch/launch_command.cc", "launcher/launch/slurm_submit.cc", "launcher/launch/supervisor.cc",
      "launcher/cli/run_command.cc", "launcher/job/log.cc", "launcher/main.cc", "launcher/plan/plan_command.cc",
      "launcher/predict_command.cc", "launcher/job/progress.cc", "launcher/verify_dataset.cc")),
)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
OUTPUT = re.compile(r"\bstd::(?:cout|cerr|clog|print|println)\b|\bspdlog::|(?<!\w)(?:printf|fprintf|puts|fputs|putchar|perror)\s*\(")
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.<{}$/-])/(?:work|root|(?:home|Users)/\w+)/")


def sources(root, folder):
    return sorted(path for suffix in ("*.h", "*.cc", "*.cu") for path in (root / folder).glob(f"**/{suffix}"))


def includes(path):
    return INCLUDE.findall(path.read_text())


def home_of(header):
    return next((home for pattern, home in HOMES.items() if re.fullmatch(pattern, header)), None)


def check_includes(root):
    for folder in FOLDERS:
        for path in sources(root, folder):
            for header in includes(path):
                name = path.relative_to(root)
                other = header.split("/")[0]
                if folder in LIBRARIES and other in FOLDERS and other != folder:
                    yield f"{name} includes {header}: {folder} includes no other folder"
                if home_of(header) not in (None, folder):
                    yield f"{name} includes {header}, which is at home in {home_of(header)}/"


def reached_from(root, header, seen):
    """All headers that including `header` brings in, ours followed."""
    if header in seen:
        return
    seen.add(header)
    if (root / header).is_file():
        for inner in includes(root / header):
            reached_from(root, inner, seen)


def check_public_headers(root):
    """What another folder includes must not bring in a foreign header of its owner."""
    for path in sources(root, "launcher"):
        for header in includes(path):
            if header.split("/")[0] not in LIBRARIES:
                continue
            seen = set()
            reached_from(root, header, seen)
            for foreign in sorted(h for h in seen if home_of(h) not in (None, "launcher")):
                yield f"{path.relative_to(root)} includes {header}, which brings in {foreign}"


def check_output(root):
    for folder in LIBRARIES:
        for path in sources(root, folder):
            code = COMMENT_OR_STRING.sub("", path.read_text())
            for found in OUTPUT.findall(code):
                yield f"{path.relative_to(root)} writes to the terminal ({found.strip()}): libraries return facts or throw"


def check_places(root):
    for pattern, folders, places in PLACES:
        for path in (path for folder in folders for path in sources(root, folder)):
            name = path.relative_to(root).as_posix()
            if name not in places and (found := re.search(pattern, COMMENT_OR_STRING.sub("", path.read_text()))):
                yield f"{name} uses {found.group().strip('( ')}, which only {', '.join(places)} may"


def tracked_files(root):
    # safe.directory: CI may check out as one user and test as another.
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        return [root / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in root.rglob("*") if path.is_file() and not path.relative_to(root).parts[0].startswith("build")]


def check_paths(root):
    for path in tracked_files(root):
        try:
            text = path.read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                yield f"{path.relative_to(root)}:{number} holds a path of one machine: {line.strip()}"


def violations(root):
    checks = (check_includes, check_public_headers, check_output, check_places, check_paths)
    return [violation for check in checks for violation in check(pathlib.Path(root))]


# Each broken tree, and the words that its one violation must contain.
BAD_TREES = {
    "a library includes another": ({"data/a.cc": '#include "model/config.h"\n'}, "data/a.cc includes model/config.h"),
    "a library includes the launcher": ({"dist/a.h": '#include "launcher/job/log.h"\n'}, "dist includes no other folder"),
    "mpi.h away from home": ({"model/a.cc": "#include <mpi.h>\n"}, "at home in dist/"),
    "torch away from home": ({"data/a.cc": "#include <torch/torch.h>\n"}, "at home in model/"),
    "HDF5 away from home": ({"launcher/a.cc": "#  include <hdf5.h>\n"}, "at home in data/"),
    "logging away from home": ({"dist/a.cc": "#include <spdlog/spdlog.h>\n"}, "at home in launcher/"),
    "a foreign header behind a public one": (
        {"dist/a.h": '#include "dist/b.h"\n', "dist/b.h": "#include <mpi.h>\n", "launcher/a.cc": '#include "dist/a.h"\n'},
        "launcher/a.cc includes dist/a.h, which brings in mpi.h"),
    "a library that prints": ({"model/a.cc": 'void f() { std::cerr << "x"; }\n'}, "model/a.cc writes to the terminal"),
    "a library that uses printf": ({"data/a.cc": 'void f() { printf("x"); }\n'}, "data/a.cc writes to the terminal"),
    "HDF5 opens a file": ({"data/a.cc": 'void f() { H5Fopen("a.h5", 0, 0); }\n'}, "data/a.cc uses H5Fopen"),
    "a shard that nobody has hashed": ({"launcher/a.cc": 'void f() { data::parse_token_shard("", "", {}); }\n'},
                                       "launcher/a.cc uses parse_token_shard"),
    "a print that escapes nothing": ({"launcher/a.cc": 'void f() { std::printf("x"); }\n'}, "launcher/a.cc uses std::printf"),
    "a path of one machine": ({"configs/a.toml": "output_dir = '/" + "home/ann/runs'\n"}, "configs/a.toml:1"),
}
GOOD_TREE = {
    "dist/comm.h": "#pragma once\n#include <span>\n",
    "dist/private.h": "#include <mpi.h>\n",
    "dist/comm.cc": '#include "dist/comm.h"\n#include "dist/private.h"\n// printf("in a comment")\n',
    "data/text.cc": 'const char* kText = "printf(x) std::cout";\nvoid f(char* s) { snprintf(s, 1, "x"); }\n',
    "launcher/main.cc": '#include <spdlog/spdlog.h>\n#include "dist/comm.h"\nvoid f() {}\n',
    "docs/guide.md": "https://example.org/home/ann/ and ../root/x\n",
}


def violations_of(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return violations(folder)


def check_the_checker():
    for name, (files, words) in BAD_TREES.items():
        found = violations_of(GOOD_TREE | files)
        if len(found) != 1 or words not in found[0]:
            yield f"{name}: expected one violation with '{words}', found {found}"
    if found := violations_of(GOOD_TREE):
        yield f"a good tree: found {found}"


def main():
    problems = violations(sys.argv[1]) if len(sys.argv) > 1 else list(check_the_checker())
    print("\n".join(problems) or "in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
