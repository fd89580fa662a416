#!/bin/sh
# Open MPI's daemon, which mpirun starts on each further host: the shell there knows nothing of the bundle.
bundle=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
. "$bundle/libexec/environment.sh"
enter_bundle
exec "$bundle/mpi/libexec/orted" "$@"
