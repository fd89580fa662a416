# What the bundle's programs start with. Sourced by each, with `bundle` as this bundle's folder; POSIX sh.
. "$bundle/libexec/facts.sh"

# refuse MESSAGE: ends with exit code 3. Of the ranks on a host, one speaks.
refuse() {
  [ "${OMPI_COMM_WORLD_LOCAL_RANK:-0}" != 0 ] || printf 'error: %s\n' "$1" >&2
  exit 3
}

# enter_bundle: this bundle's MPI, whichever other one the shell was set up for. An environment module of another Open MPI leaves
# variables that send ours to its folders, and choices among its plug-ins that ours may not have. Ranks of our own mpirun have
# LOCKSTEP_BUNDLE already: their OMPI_MCA_* are what mpirun was told, and stay.
enter_bundle() {
  if [ "${LOCKSTEP_BUNDLE:-}" != "$bundle" ]; then
    [ -z "${OMPI_COMM_WORLD_SIZE:-}" ] ||
      refuse "this program was started by another mpirun than the bundle's own; start it with $bundle/bin/mpirun"
    for name in $(env | sed -n -E 's/^((OPAL|PMIX)_(PREFIX|[A-Z_]*DIR)|OMPI_MCA_(pml|mtl|btl|osc|coll|plm_rsh_agent_path|mca_base_[a-z_]*))=.*/\1/p'); do
      unset "$name"
    done
  fi
  export LOCKSTEP_BUNDLE="$bundle" LOCKSTEP_MPIRUN="$bundle/bin/mpirun"
  export OPAL_PREFIX="$bundle/mpi" OPAL_SYSCONFDIR="$bundle/mpi/etc/openmpi" HWLOC_PLUGINS_PATH="$bundle/mpi/lib/hwloc"
  export PMIX_PKGLIBDIR="$bundle/mpi/lib/pmix" PMIX_PKGDATADIR="$bundle/mpi/share/pmix" PMIX_SYSCONFDIR="$bundle/mpi/etc/pmix"
}

# require_glibc: says in words what the loader would say in symbols.
require_glibc() {
  here=$(getconf GNU_LIBC_VERSION 2>/dev/null) && here=${here#glibc } || return 0
  oldest=$(printf '%s\n%s\n' "$here" "$bundle_glibc" | sort -V | head -n 1)
  [ "$oldest" = "$bundle_glibc" ] ||
    refuse "this bundle needs glibc $bundle_glibc or newer; this system has $here. Build a bundle on this system, or an older one (docs/guide/bundle.md)"
}

# find_torch: LOCKSTEP_TORCH, or else the torch package of the active virtual environment's Python, or else of python3. It is looked up, not
# imported. Fails where there is none.
find_torch() {
  [ -z "${LOCKSTEP_TORCH:-}" ] || return 0
  python=${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3
  LOCKSTEP_TORCH=$("$python" -c '
import sys, importlib.util
sys.path = [folder for folder in sys.path if folder]
spec = importlib.util.find_spec("torch")
print(spec.submodule_search_locations[0] if spec else "")' 2>/dev/null) && [ -n "$LOCKSTEP_TORCH" ]
}

torch_remedy() {
  printf 'Install it with\n  %s -m pip install torch==%s.0\nor set LOCKSTEP_TORCH to the folder of a torch %s package.' \
    "${python:-python3}" "$bundle_torch" "$bundle_torch"
}

torch_version() {
  sed -n "s/^__version__ = '\(.*\)'.*/\1/p" "$LOCKSTEP_TORCH/version.py" 2>/dev/null | grep . ||
    cat "$LOCKSTEP_TORCH/build-version" 2>/dev/null
}

# require_library NAME FOLDER...: the first of the folders that holds it goes to LD_LIBRARY_PATH, before what is there.
require_library() {
  library=$1
  shift
  for folder; do
    [ -e "$folder/$library" ] || continue
    case :$torch_path: in *:"$folder":*) ;; *) torch_path=${torch_path:+$torch_path:}$folder ;; esac
    return
  done
  refuse "torch $version in $LOCKSTEP_TORCH has no $library (looked in $*), which this bundle needs${bundle_cuda:+: it is built for CUDA $bundle_cuda, as torch is on the Python Package Index}. $(torch_remedy)"
}

# require_torch: LibTorch's libraries, for the loader. Only these come by LD_LIBRARY_PATH: the bundle's own have their places written in.
require_torch() {
  if ! find_torch; then
    found=$(command -v "$python") && found="$found has no torch" || found="there is no $python"
    refuse "LibTorch $bundle_torch was not found: $found. $(torch_remedy)"
  fi
  version=$(torch_version) || refuse "LOCKSTEP_TORCH=$LOCKSTEP_TORCH holds no torch (no version.py or build-version in it). $(torch_remedy)"
  case $version in
    "$bundle_torch".*) ;;
    *) refuse "this bundle needs torch $bundle_torch; found $version in $LOCKSTEP_TORCH. $(torch_remedy)" ;;
  esac
  torch_path=
  beside=$(dirname "$LOCKSTEP_TORCH")/nvidia
  for library in libtorch_cpu.so libc10.so libgomp.so.1; do
    require_library $library "$LOCKSTEP_TORCH/lib"
  done
  if [ -n "$bundle_cuda" ]; then
    require_library libtorch_cuda.so "$LOCKSTEP_TORCH/lib"
    require_library "libcudart.so.$bundle_cuda" "$beside/cu$bundle_cuda/lib" "$LOCKSTEP_TORCH/lib"
    require_library libnccl.so.2 "$beside/nccl/lib" "$LOCKSTEP_TORCH/lib"
  fi
  case ${LD_LIBRARY_PATH:-} in
    "$torch_path"*) ;;
    *) LD_LIBRARY_PATH=$torch_path${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
  esac
  export LOCKSTEP_TORCH LD_LIBRARY_PATH
}
