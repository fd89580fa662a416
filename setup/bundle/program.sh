#!/bin/sh
# Starts the program of this name in libexec/ with the bundle's MPI and the machine's LibTorch.
trap '' USR1 # a request to stop that comes before the program is there does not end it; job.sh repeats it
self=$(readlink -f "$0")
bundle=$(dirname "$(dirname "$self")")
. "$bundle/libexec/environment.sh"
enter_bundle
require_glibc
require_torch
exec "$bundle/libexec/$(basename "$self")" "$@"
