#!/bin/bash
# job_test.sh CODE SECONDS REGEX COMMAND...: COMMAND must end within SECONDS with exit code CODE ("failure": any but 0), and its
# output must match REGEX ("!REGEX": must not). No process of it may be left.
set -u
expected_code=$1 seconds=$2 regex=$3
shift 3

start=$SECONDS
mark=LOCKSTEP_JOB_TEST=$$
output=$(env "$mark" timeout --kill-after=5 "$seconds" "$@" 2>&1 </dev/null)
code=$?
printf '%s\n(exit code %d after %d s)\n' "$output" "$code" $((SECONDS - start))

fail() { printf 'job_test: %s\n' "$1"; exit 1; }
# Not by timeout's own code: mpirun's may be the same when a rank was killed.
((SECONDS - start < seconds)) || fail "still running after $seconds s"
# Stopped processes are ended as well, and a second or two later.
left() { grep -lFs -- "$mark" /proc/[0-9]*/environ 2>/dev/null; }
for ((i = 0; i < 100; ++i)); do [ -z "$(left)" ] && break; sleep 0.1; done
[ -z "$(left)" ] || fail "processes are left after 10 s: $(left)"
case $expected_code in
  failure) [ "$code" != 0 ] || fail "it ended with 0, expected a failure" ;;
  *) [ "$code" = "$expected_code" ] || fail "it ended with $code, expected $expected_code" ;;
esac
case $regex in
  !*) grep -qE -- "${regex#!}" <<<"$output" && fail "its output matches ${regex#!}" ;;
  *) grep -qE -- "$regex" <<<"$output" || fail "its output lacks $regex" ;;
esac
exit 0
