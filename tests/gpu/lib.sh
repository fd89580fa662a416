# Shared by run and multi: the machine's GPUs, the bundle with the tests, a world to train on, and the table of what passed.
# Sourced; callers have `set -euo pipefail` and have read their options into `rehearse` and `work`.

gpu_count() { { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null || true; } | grep -c '^GPU ' || true; }

# skip REASON: exit code 77; LOCKSTEP_REQUIRE=gpu makes it a failure.
skip() {
  echo "skipped: $*"
  [[ ,${LOCKSTEP_REQUIRE:-}, != *,gpu,* ]] || exit 1
  exit 77
}

require_gpus() {
  gpus=$(gpu_count)
  if [ -n "$rehearse" ]; then
    gpus=2
    echo "REHEARSAL on CPUs: it shows that this script works, and nothing about GPUs."
    return
  fi
  [ "$gpus" -ge "$1" ] || skip "this needs $1 GPU(s) or more; nvidia-smi lists $gpus"
}

# find_bundle: the one that this script lies in, or else one that is built from the source tree that it lies in.
find_bundle() {
  bundle=$(cd "$here/../.." && pwd)
  if [ -f "$bundle/libexec/facts.sh" ]; then
    . "$bundle/libexec/facts.sh"
    [ -n "$rehearse$bundle_cuda" ] || skip "this bundle is for CPUs; start the source tree's tests/gpu, or a bundle with CUDA"
    return
  fi
  . "$bundle/setup/lib.sh"
  exclusively install_packages "${build_packages[@]}" "${test_packages[@]}"
  exclusively install_wheels libtorch cuda
  build "$root/build/cuda" gpu_tests_bundle -DLOCKSTEP_CUDA=ON -DLOCKSTEP_TESTS=ON
  export VIRTUAL_ENV=$venv
  bundle=$(compgen -G "$root/build/cuda/lockstep-*-gpu_tests/libexec") && bundle=${bundle%/libexec}
}

# within_time PROGRAM...: what hangs is one failure, not the end of all.
within_time() { timeout --foreground --kill-after=10 180 "$@"; }

# The Python that has torch has json, too.
compare() { "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3" "$here/compare_runs.py" "$@"; }

# ranks RANKS PROGRAM...: one that is not started by launch.
ranks() {
  local count=$1 share=$(($(nproc) / $1))
  shift
  OMP_NUM_THREADS=$((share > 0 ? share : 1)) OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    within_time "$bundle/bin/mpirun" -np "$count" --bind-to none --oversubscribe "$@"
}

# make_world SIZE: a model with seed weights and a prepared data set.
make_world() {
  "$bundle/bin/make_world" "$work/$1" "$1" &&
    "$bundle/bin/lockstep" prepare --train_file "$work/$1/train.csv" --text_column text --label_column label \
      --validation_fraction 0.05 --model "$work/$1/model" --output "$work/$1/dataset" --max_length 256 --overwrite
}

# train RANKS SIZE NAME OPTION...: into $work/NAME, at a rate at which that size learns within some 20 steps.
train() {
  local count=$1 size=$2 name=$3 options="--learning_rate 5e-3 --max_seq_length 64"
  shift 3
  [ "$size" = tiny ] || options="--learning_rate 2e-4 --max_seq_length 256"
  # shellcheck disable=SC2086  # options are words
  within_time "$bundle/bin/lockstep" launch -n "$count" -- train --model_name_or_path "$work/$size/model" --dataset "$work/$size/dataset" \
    --output_dir "$work/$name" --overwrite_output_dir --logging_steps 1 $options "$@"
}

table=() failures=0
# attempt NAME COMMAND...: passed, failed, or (code 77) skipped; the output goes to a log, on failure its end and gtest's numbers to the
# terminal.
attempt() {
  local name=$1 log=$work/${1//[^a-zA-Z0-9]/_}.log code start=$SECONDS verdict=passed
  shift
  set +e  # "|| code=$?" would switch it off inside, too
  (set -e; "$@") >"$log" 2>&1
  code=$?
  set -e
  case $code in
    0) ;;
    77) verdict=skipped ;;
    *)
      verdict=failed failures=$((failures + 1))
      grep -A8 ': Failure$' "$log" | head -n 80 || true
      tail -n 30 "$log"
      ;;
  esac
  table+=("$(printf '%-8s %5d s  %-44s %s' $verdict $((SECONDS - start)) "$name" "$(tail -n 1 "$log" | cut -c1-80)")")
  printf '%s\n' "${table[-1]}"  # at once, for whoever has the machine for minutes
}

# print_table: ends the script.
print_table() {
  printf '\n%s\n' "${rehearse:+REHEARSAL on CPUs}"
  [ -n "$rehearse" ] || nvidia-smi -L
  printf '%s\n' "${table[@]}"
  printf 'logs: %s\n' "$work"
  [ $failures = 0 ] || exit 1
}
