#!/bin/bash
# stopped_mpirun_test.sh MPIRUN WATCHED_JOB: a rank hangs while mpirun is stopped and can end nobody: all ranks leave by themselves,
# since rank 0 told them; none reports a second time.
set -u
mark=LOCKSTEP_STOPPED_MPIRUN_TEST=$$
output=$(mktemp)
env "$mark" "$1" --allow-run-as-root --oversubscribe --bind-to none -np 3 "$2" mpirun_stopped >"$output" 2>&1 &
mpirun=$!
trap 'kill -KILL $mpirun $(running) 2>/dev/null; cat "$output"; rm -f "$output"' EXIT

state() { sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null; }
is_stopped() { [ "$(state "$mpirun")" = T ]; }
# A rank that has left stays a zombie of the stopped mpirun, whose environment is empty.
running() { grep -lFs -- "$mark" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vx "$mpirun"; }
all_left() { [ -z "$(running)" ]; }
wait_for() {  # wait_for TENTHS COMMAND...: polls until COMMAND succeeds
  local tenths=$1
  shift
  for ((i = 0; i < tenths; ++i)); do "$@" && return; sleep 0.1; done
  return 1
}

wait_for 300 is_stopped || { echo "the rank did not stop its mpirun"; exit 1; }
[ -n "$(running)" ] || { echo "the ranks left before they could be watched"; exit 1; }
wait_for 300 all_left || { echo "ranks are still there: $(running)"; exit 1; }
kill -CONT "$mpirun"  # it hands on what they printed
wait "$mpirun"
grep -q "rank 0 reports: rank 2" "$output" || { echo "the rank that hung was not named"; exit 1; }
! grep -q "rank [12] reports" "$output" || { echo "a rank was not told of the end"; exit 1; }
