#!/usr/bin/env python3
"""What the built programs do to make a fault end them rather than be made use of, and that none of them can read a pickle.

    hardening_test.py PROGRAM...         checks programs
    hardening_test.py --compiler CXX     checks the checker, on small programs that lack one property each
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# torch::load is a template in a header: what it leaves in a program is the archive that it reads.
PICKLES = re.compile(r"\b(\w*InputArchive|\w*PyTorchStreamReader|torch::jit::load|torch::jit::import\w*|torch::jit::_load\w*|torch::pickle_load|"
                     r"torch::jit::pickle_load|\w*Unpickler)\b")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def segments(program):
    """(type, flags) of each program header: ("LOAD", "R E")."""
    pattern = re.compile(r"^\s+(\w+)\s+0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([R ][W ][E ]) ", re.MULTILINE)
    return pattern.findall(output_of("readelf", "-lW", program))


def problems(program):
    dynamic = output_of("readelf", "-dW", program)
    imported = output_of("nm", "-C", "-D", "--undefined-only", program)
    code = output_of("objdump", "-d", "--no-show-raw-insn", "-j", ".text", program)
    found = segments(program)
    if "DYN" not in re.search(r"Type:(.*)", output_of("readelf", "-hW", program)).group(1):
        yield "is not position-independent (-fPIE -pie)"
    if "GNU_RELRO" not in {kind for kind, _ in found}:
        yield "has no segment that is read-only after relocation (-z relro)"
    if not re.search(r"BIND_NOW|Flags:.*\bNOW\b", dynamic):
        yield "binds symbols lazily (-z now)"
    if "TEXTREL" in dynamic:
        yield "relocates its code"
    if [flags for kind, flags in found if kind == "GNU_STACK"] != ["RW "]:
        yield "has an executable stack (-z noexecstack)"
    if any("W" in flags and "E" in flags for _, flags in found):
        yield "has memory that can be written and executed"
    if "__stack_chk_fail" not in imported:
        yield "has no stack protector (-fstack-protector-strong)"
    if not re.search(r"__(\w+)_chk\b(?<!__stack_chk)", imported):
        yield "has no checked library calls (-D_FORTIFY_SOURCE)"
    if "__glibcxx_assert_fail" not in imported:
        yield "has no checked indices (-D_GLIBCXX_ASSERTIONS)"
    if "endbr64" not in output_of("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", program):
        yield "has no marked targets of indirect jumps (-fcf-protection)"
    if not re.search(r"or[qb]\s+\$0x0,", code):
        yield "grows its stack without touching each page (-fstack-clash-protection)"
    for symbol in sorted(set(PICKLES.findall(imported))):
        yield f"imports {symbol}, which runs what a file says"


SAFE = "-O2 -fPIE -pie -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -Wl,-z,relro,-z,now,-z,noexecstack".split()
# For each property: the options that take it away, and words of the one complaint.
LACKS = {
    "a fixed address": (["-fno-PIE", "-no-pie"], "position-independent"),
    "writable relocations": (["-Wl,-z,norelro"], "read-only after relocation"),
    "lazy binding": (["-Wl,-z,lazy"], "lazily"),
    "an executable stack": (["-Wl,-z,execstack"], "executable stack"),
    "no stack protector": (["-fno-stack-protector"], "stack protector"),
    "no checked calls": (["-U_FORTIFY_SOURCE"], "checked library calls"),
    "no checked indices": (["-U_GLIBCXX_ASSERTIONS"], "checked indices"),
    "no marked jumps": (["-fcf-protection=none"], "indirect jumps"),
    "no stack probes": (["-fno-stack-clash-protection"], "touching each page"),
    "a pickle reader": (["-DPICKLE"], "torch::pickle_load"),
    "torch::load": (["-DARCHIVE"], "InputArchive"),
}
SOURCE = r"""
#include <cstdio>
#include <cstring>
#include <vector>
namespace torch {  // weak: no library here has these
__attribute__((weak)) void pickle_load(char*);
namespace serialize { struct InputArchive { __attribute__((weak)) void load_from(char*); }; }
}
void fill(char* pages) { std::memset(pages, 1, 100000); }
int main(int, char** arguments) {
  char name[16], pages[100000];
  std::strcpy(name, arguments[0]);
  (arguments[0][0] ? fill : nullptr)(pages);
#ifdef PICKLE
  torch::pickle_load(pages);
#endif
#ifdef ARCHIVE
  torch::serialize::InputArchive().load_from(pages);
#endif
  const std::vector<char> letters(name, name + 3);
  std::printf(name, letters[static_cast<unsigned char>(pages[9])]);
}
"""


def problems_of_small_program(compiler, options):
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "small.cc"), pathlib.Path(folder, "small")
        source.write_text(SOURCE)
        subprocess.run([compiler, *SAFE, *options, "-w", "-Wl,-z,dynamic-undefined-weak", source, "-o", program], check=True)
        return list(problems(program))


def check_the_checker(compiler):
    for name, (options, words) in LACKS.items():
        found = problems_of_small_program(compiler, options)
        if not any(words in problem for problem in found):
            yield f"{name}: expected a complaint with '{words}', found {found}"
    if found := problems_of_small_program(compiler, []):
        yield f"a hardened program: found {found}"


def main():
    if sys.argv[1] == "--compiler":
        complaints = list(check_the_checker(sys.argv[2]))
    else:
        complaints = [f"{program} {problem}" for program in sys.argv[1:] for problem in problems(program)]
    print("\n".join(complaints) or "hardened")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
