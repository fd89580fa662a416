# Set-up shared by ./quickstart and ./check: Debian packages, pinned wheels, configure and build.
# Every step looks first whether its work is done, so that a second call costs well under a second.
# Sourced, not run; callers have `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LOCKSTEP_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/lockstep}
venv=$cache/venv
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache} CCACHE_SLOPPINESS=pch_defines,time_macros

# What the program is built from. HDF5 is the serial one: ranks read, only `prepare` writes.
build_packages=(g++ cmake ninja-build ccache git ca-certificates python3 python3-venv libopenmpi-dev openmpi-bin
  libhdf5-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libutf8proc-dev zlib1g-dev libssl-dev)
# What only the tests and benchmarks use.
test_packages=(libgtest-dev libbenchmark-dev clang-format curl)

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: run it as root, install sudo, or ask an administrator for:  $*"
  fi
}

# install_packages NAME...: apt-get for those that are not installed yet.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "not a Debian or Ubuntu system; install the equivalents of: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$cache/apt.log" ||
    die "apt-get failed; its output is in $cache/apt.log"
}

# python_3_11_or_12: the interpreter that the locked wheels are for.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.12 python3.11; do
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null &&
      { command -v "$candidate"; return; }
  done
  die "no Python 3.11 or 3.12 with venv was found (Debian 12: apt-get install python3-venv)"
}

# install_wheels GROUP...: setup/locks/GROUP.txt into the virtual environment, every file checked against its sha256.
install_wheels() {
  local group lock stamp
  [ -x "$venv/bin/python" ] || { say "creating a virtual environment in $venv"; "$(find_python)" -m venv "$venv"; }
  for group in "$@"; do
    lock=$root/setup/locks/$group.txt stamp=$venv/installed-$group.txt
    cmp -s "$lock" "$stamp" && continue
    say "installing pinned wheels: $group"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
      --require-hashes -r "$lock"
    cp "$lock" "$stamp"
  done
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }
