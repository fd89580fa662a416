#!/bin/sh
# The bundle's mpirun. Hosts are reached by ssh (or Slurm's srun); the bundle and LibTorch are at the same paths on all of them.
bundle=$(dirname "$(dirname "$(readlink -f "$0")")")
. "$bundle/libexec/environment.sh"
enter_bundle
require_glibc
# Once, for all ranks, which then find it whatever their shells are set up for.
require_torch
# With neither, Open MPI would refuse to start ranks on this host, too.
command -v ssh >/dev/null || command -v rsh >/dev/null || export OMPI_MCA_plm="${OMPI_MCA_plm:-^rsh}"
exec "$bundle/mpi/libexec/mpirun" --prefix "$bundle/mpi" -x LOCKSTEP_TORCH -x LD_LIBRARY_PATH "$@"
