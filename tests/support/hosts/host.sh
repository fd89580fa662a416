#!/bin/bash
# host.sh ACTION HOST ...: a host of the machine that own_machine.sh makes: its own name, processes, shared memory and network. Files, but
# for /dev/shm, are those of the machine.
#   start HOST            boots it; on it runs $HOST_PROGRAM, if that is set
#   kill HOST             its first process is killed, and with it all others; the network still carries their last words
#   stop HOST             power failure: its cable goes silent first, so that nobody is told
#   unplug HOST           its cable is pulled; plug HOST puts it back
#   slow HOST RATE        its cable carries RATE, such as 10mbit, each way
#   mend HOST             its cable is fast again
#   on HOST COMMAND...    runs COMMAND there, with this environment and folder
#   rsh HOST COMMAND...   the same as ssh does it: the words by a shell at home, with nothing of this environment
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
action=$1 host=$2
shift 2

start() {
  rm -f "$MACHINE/$host.booted" "$MACHINE/$host.door"
  setsid unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" boot "$host" \
    >"$MACHINE/log/$host.out" 2>&1 </dev/null &
  local process=$!
  echo $process >"$MACHINE/$host.process"
  until [ -e "$MACHINE/$host.booted" ]; do sleep 0.05; done
  # The network of one that is dead stays while TCP still tries to say goodbye.
  ip link delete "to-$host" 2>/dev/null || true
  # The same address each time, since the others remember it.
  ip link add "to-$host" type veth peer name eth0 address "02:00:00:00:00:0${host#?}" netns $process
  ip link set "to-$host" master switch up
  until [ -S "$MACHINE/$host.door" ]; do sleep 0.05; done
}

# boot: as the first process of the host, which it stays.
boot() {
  hostname "$host"
  mount -t tmpfs -o mode=1777 shm /dev/shm
  ip link set lo up
  touch "$MACHINE/$host.booted"
  until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
  ip address add "$MACHINE_NETWORK.${host#?}/24" dev eth0
  [ -z "${HOST_PROGRAM:-}" ] || bash -c "$HOST_PROGRAM" &
  exec python3 "$here/host_init.py" "$MACHINE/$host.door"
}

kill_first_process() { kill -KILL "$(cat "$MACHINE/$host.process")"; }

case $action in
  start) start ;;
  boot) boot ;;
  kill) kill_first_process ;;
  stop) ip link delete "to-$host" && kill_first_process ;;
  unplug) ip link set "to-$host" down ;;
  plug) ip link set "to-$host" up ;;
  slow)
    tc qdisc replace dev "to-$host" root tbf rate "$1" burst 32k latency 200ms
    "${BASH_SOURCE[0]}" on "$host" tc qdisc replace dev eth0 root tbf rate "$1" burst 32k latency 200ms
    ;;
  mend)
    tc qdisc delete dev "to-$host" root
    "${BASH_SOURCE[0]}" on "$host" tc qdisc delete dev eth0 root
    ;;
  on | rsh) exec python3 "$here/on_host.py" "$action" "$MACHINE/$host.door" "$@" ;;
  *) echo "host.sh: no such action: $action" >&2; exit 2 ;;
esac
