# shellcheck shell=bash
# Sourced by scripts that run a command on a machine of its own: namespaces with a switch, to which hosts are plugged (host.sh). Nothing
# listens outside them, and the kernel ends all of it with the script's process, however that ends.
#
#   MACHINE          the machine's folder, in memory, which all hosts share
#   MACHINE_NETWORK  the first three numbers of its addresses; host xN has N, the machine itself 254
#   HOST             host.sh
PATH=$PATH:/usr/sbin:/sbin
HOST=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/host.sh

# why_no_machine PROGRAM...: the reason why there can be none here, or nothing.
why_no_machine() {
  local program
  for program in "$@" ip tc unshare python3; do
    command -v "$program" >/dev/null || { echo "$program is not installed; ./check --full installs it"; return; }
  done
  [ "$(id -u)" = 0 ] || { echo "namespaces of hosts are root's to make"; return; }
  unshare --mount --net --pid --uts --ipc --fork --mount-proc true 2>/dev/null || echo "unshare may not make namespaces here"
}

# on_own_machine SCRIPT ARGUMENT...: runs SCRIPT as the first process of the machine, with MACHINE set. Exit code: the script's.
on_own_machine() {
  MACHINE=$(mktemp -d /tmp/lockstep-machine.XXXXXX) && export MACHINE
  trap 'rmdir "$MACHINE"' EXIT
  setpriv --pdeathsig KILL unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc --propagation private "$@"
}

# make_machine NAME HOST...: what hosts need of it. Its own name is NAME.
make_machine() {
  local name=$1 host
  shift
  export HOST MACHINE_NETWORK=10.77.0
  mount -t tmpfs -o mode=755 machine "$MACHINE"
  mkdir -p "$MACHINE"/{log,tmp}
  export TMPDIR=$MACHINE/tmp # so that nothing is left behind either
  ip link set lo up
  ip link add switch type bridge
  ip address add $MACHINE_NETWORK.254/24 dev switch
  ip link set switch up
  hostname "$name"
  {
    printf '127.0.0.1 localhost\n%s %s\n' $MACHINE_NETWORK.254 "$name"
    for host; do echo "$MACHINE_NETWORK.${host#?} $host"; done
  } >"$MACHINE/hosts"
  mount --bind "$MACHINE/hosts" /etc/hosts
}
