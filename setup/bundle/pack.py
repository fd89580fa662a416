#!/usr/bin/env python3
"""Packs programs with the shared libraries and the MPI that they need into a folder that runs anywhere, and into a tar.gz beside it.

    pack.py --name NAME --version VERSION --torch FOLDER --mpirun PATH --output FOLDER [--cuda] --program PATH... [--part PATH]... [--add SOURCE=PLACE]...

What is left to the machine where it runs: glibc, the GPU's driver, and torch's Python package, whose folder is FOLDER here.
"""
import argparse
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
# Of the machine where the bundle runs: its C library, and the OpenMP that LibTorch brings (a process must have one).
LEFT_OUT = re.compile(r"(ld-linux-x86-64|libc|libm|libmvec|libdl|libpthread|librt|libresolv|libutil|libgomp)\.so\.\d+$")
# Libraries that drive hardware fit the kernel and the driver of one machine, and OpenSHMEM is not used: plug-ins that need these stay behind.
NOT_CARRIED = re.compile(r"lib(ibverbs|rdmacm|fabric|ucp|ucs|psm2|psm_infinipath|oshmem|cuda)\.so")


def run(*command, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"} | variables | {"LC_ALL": "C"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def libraries_of(path):
    """Name and place of every shared library that the loader takes for `path`, as on this machine."""
    for line in run("ldd", path).splitlines():
        name, arrow, place = line.strip().partition(" => ")
        if place.startswith("not found") and not NOT_CARRIED.match(name):
            sys.exit(f"error: {path} needs {name}, which is not on this machine")
        if arrow:
            yield name, pathlib.Path(place.split(" (")[0])


class Bundle:
    def __init__(self, folder, torch):
        self.folder = folder
        self.foreign = torch.parent.resolve()  # torch, and beside it NVIDIA's libraries
        self.libraries = {}  # name -> where it was found
        self.files = []  # every program, plug-in and library, as packed

    def add(self, source, place, rpath=None):
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            return
        shutil.copy(source.resolve(), target)
        if rpath:
            target.chmod(0o755)
            run("strip", "--strip-unneeded", target)
            # DT_RPATH and not DT_RUNPATH: it goes before LD_LIBRARY_PATH, where another MPI may be.
            run("patchelf", "--force-rpath", "--set-rpath", rpath, target)
            self.files.append(target)

    def add_program(self, source, place):
        """A program or plug-in; what it needs goes to lib/."""
        for name, found in libraries_of(source):
            if not LEFT_OUT.match(name) and self.foreign not in found.resolve().parents:
                self.libraries[name] = found
        up = "/".join([".."] * (len(pathlib.Path(place).parts) - 1))
        self.add(source, place, f"$ORIGIN/{up}/lib")

    def add_libraries(self):
        for name, found in self.libraries.items():
            self.add(found, f"lib/{name}", "$ORIGIN")

    def add_script(self, name, place):
        self.add(HERE / name, place)
        (self.folder / place).chmod(0o755)

    def glibc(self):
        """The newest version of glibc's symbols that any file names."""
        found = {version for file in self.files for version in re.findall(r"GLIBC_([\d.]+)", run("objdump", "-T", file))}
        return max(found, key=lambda version: [int(part) for part in version.split(".")])

    def add_licenses(self):
        """Debian's copyright files of what was packed, where dpkg knows them."""
        if not shutil.which("dpkg"):
            return
        # dpkg knows a file by /usr/lib or by /lib, whichever its package says.
        patterns = {f"*{str(found.resolve()).removeprefix('/usr')}" for found in self.libraries.values()}
        found = subprocess.run(["dpkg", "-S", *patterns], capture_output=True, text=True).stdout
        for owner in sorted({line.split(":")[0] for line in found.splitlines()}):
            text = pathlib.Path("/usr/share/doc", owner, "copyright")
            if text.is_file():
                self.add(text, f"licenses/{owner}.txt")


def add_mpi(bundle, mpirun):
    """Open MPI as its own prefix, mpi/; environment.sh tells it that it is there."""
    ompi_info = mpirun.with_name("ompi_info")

    def place_of(what, prefix="/"):
        return run(ompi_info, "--path", what, "--parsable", OPAL_PREFIX=prefix).strip().split(":")[-1]

    # A folder that does not move with the prefix would be looked for at its old place.
    plugins, texts = place_of("pkglibdir", "/moved"), place_of("pkgdatadir", "/moved")
    if not plugins.startswith("/moved/") or not texts.startswith("/moved/"):
        sys.exit(f"error: this Open MPI does not move with OPAL_PREFIX: its plug-ins stay in {plugins}, its texts in {texts}")
    prefix = mpirun.resolve().parent.parent
    for program in ("mpirun", "orted"):
        bundle.add_program(mpirun.with_name(program), f"mpi/libexec/{program}")
    for plugin in sorted((prefix / plugins.removeprefix("/moved/")).glob("mca_*.so")):
        if not any(NOT_CARRIED.match(name) for name, _ in libraries_of(plugin)):
            bundle.add_program(plugin, f"mpi/{plugins.removeprefix('/moved/')}/{plugin.name}")
    bundle.add(prefix / texts.removeprefix("/moved/"), f"mpi/{texts.removeprefix('/moved/')}")
    bundle.add(pathlib.Path(place_of("sysconfdir", str(prefix))) / "openmpi-mca-params.conf", "mpi/etc/openmpi/openmpi-mca-params.conf")
    bundle.add_script("orted.sh", "mpi/bin/orted")
    add_pmix(bundle)


def add_pmix(bundle):
    """PMIx is a library apart in Debian, with plug-ins and texts of its own."""
    if "libpmix.so.2" not in bundle.libraries:
        return
    beside = bundle.libraries["libpmix.so.2"].resolve().parent
    for prefix in (beside / "pmix2", beside.parent):
        for plugin in sorted((prefix / "lib/pmix").glob("*mca_*.so")):
            bundle.add_program(plugin, f"mpi/lib/pmix/{plugin.name}")
        if (prefix / "share/pmix").is_dir():
            bundle.add(prefix / "share/pmix", "mpi/share/pmix")


def facts(bundle, options):
    """What environment.sh compares the machine with."""
    version = re.search(r"__version__ = '(\d+\.\d+)", (options.torch / "version.py").read_text())
    cuda = re.search(r"^cuda.* = '(\d+)", (options.torch / "version.py").read_text(), re.MULTILINE)
    return (f"bundle_version={options.version}\nbundle_glibc={bundle.glibc()}\nbundle_torch={version[1]}\n"
            f"bundle_cuda={cuda[1] if options.cuda else ''}\n")


def write_archive(folder, path):
    """The same bytes for the same files."""
    def anonymous(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = "root"
        return member

    with open(path.with_suffix(".new"), "wb") as file:
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
            for member in [folder, *sorted(folder.rglob("*"))]:
                archive.add(member, member.relative_to(folder.parent), recursive=False, filter=anonymous)
    path.with_suffix(".new").rename(path)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--torch", "--mpirun", "--output"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, action="append", required=True)
    parser.add_argument("--part", type=pathlib.Path, action="append", default=[], help="a program that only programs start: not in bin/")
    parser.add_argument("--add", action="append", default=[])
    return parser.parse_args()


def main():
    options = parse_options()
    for tool in ("ldd", "objdump", "strip", "patchelf"):
        if not shutil.which(tool):
            sys.exit(f"error: {tool} is needed to pack a bundle (Debian: apt-get install patchelf binutils libc-bin)")
    folder = options.output / options.name
    shutil.rmtree(folder, ignore_errors=True)
    bundle = Bundle(folder, options.torch)
    for program in options.program + options.part:
        bundle.add_program(program, f"libexec/{program.name}")
    for program in options.program:
        bundle.add_script("program.sh", f"bin/{program.name}")
    add_mpi(bundle, options.mpirun)
    bundle.add_libraries()
    bundle.add_script("mpirun.sh", "bin/mpirun")
    bundle.add(HERE / "environment.sh", "libexec/environment.sh")
    bundle.add(SOURCE / "configs", "configs")
    bundle.add(SOURCE / "slurm", "slurm")
    bundle.add(SOURCE / "docs", "docs")
    for pair in options.add:
        source, place = pair.split("=")
        bundle.add(pathlib.Path(source), place)
    bundle.add_licenses()
    (folder / "libexec/facts.sh").write_text(facts(bundle, options))
    archive = options.output / f"{options.name}.tar.gz"
    write_archive(folder, archive)
    print(f"{archive}: {archive.stat().st_size / 2**20:.1f} MiB, for glibc {bundle.glibc()} or newer")


if __name__ == "__main__":
    main()
