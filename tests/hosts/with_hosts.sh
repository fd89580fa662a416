#!/bin/bash
# with_hosts.sh COMMAND...: runs COMMAND on a machine of its own (own_machine.sh) to which hosts h1, h2 and h3 are plugged. Exit code:
# COMMAND's. Where that cannot be, COMMAND runs as it is, with the reason in HOSTS_ARE_MISSING.
#
# COMMAND finds: HOST, to do things to a host or on it (host.sh), and MACHINE, a folder that all hosts share.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../support/hosts/own_machine.sh"
hosts=(h1 h2 h3)

if [ -z "${MACHINE:-}" ]; then
  HOSTS_ARE_MISSING=$(why_no_machine mpirun) && export HOSTS_ARE_MISSING
  [ -z "$HOSTS_ARE_MISSING" ] || exec "$@"
  on_own_machine "${BASH_SOURCE[0]}" "$@"
  exit
fi

make_machine machine "${hosts[@]}"
for host in "${hosts[@]}"; do "$HOST" start "$host"; done
export OMPI_MCA_plm_rsh_agent="$HOST rsh"
"$@" && code=0 || code=$?
exit $code # and with the first process of the namespaces everything in them ends
