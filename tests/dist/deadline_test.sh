#!/bin/bash
# deadline_test.sh MPIRUN JOB: a rank whose mpirun is stopped, so that MPI_Abort gets no answer, still leaves by its deadline (1 s).
set -u
"$1" --allow-run-as-root --oversubscribe --bind-to none -np 1 "$2" deadline &
mpirun=$!
trap 'kill -KILL $mpirun 2>/dev/null' EXIT

state() { sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null; }
wait_for() {  # wait_for TENTHS COMMAND...: polls until COMMAND succeeds
  local tenths=$1
  shift
  for ((i = 0; i < tenths; ++i)); do "$@" && return; sleep 0.1; done
  return 1
}
is_stopped() { [ "$(state "$mpirun")" = T ]; }
has_left() { local s; s=$(state "$rank"); [ "$s" = Z ] || [ -z "$s" ]; }

wait_for 300 is_stopped || { echo "the rank did not stop its mpirun"; exit 1; }
rank=$(pgrep -P "$mpirun" -f deadline)
[ -n "$rank" ] || { echo "the rank left before it could be watched"; exit 1; }
wait_for 50 has_left || { echo "the rank is still there, 4 s after its deadline"; kill -KILL "$rank"; exit 1; }
