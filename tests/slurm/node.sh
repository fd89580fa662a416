#!/bin/bash
# node.sh start NODE | stop NODE: a node of the cluster of with_cluster.sh: its own name, processes, shared memory and network, and in it
# slurmd. Stopping is a power failure: its cable goes silent first, so that nobody is told.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
action=$1 node=$2

start() {
  rm -f "$CLUSTER/$node.booted"
  setsid unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" boot "$node" \
    >"$CLUSTER/log/$node.out" 2>&1 </dev/null &
  local machine=$!
  echo $machine >"$CLUSTER/$node.process"
  until [ -e "$CLUSTER/$node.booted" ]; do sleep 0.05; done
  ip link add "to-$node" type veth peer name eth0 netns $machine
  ip link set "to-$node" master switch up
}

stop() {
  ip link delete "to-$node"
  kill -KILL "$(cat "$CLUSTER/$node.process")"
}

# boot: as the first process of the node.
boot() {
  hostname "$node"
  mount -t tmpfs -o mode=1777 shm /dev/shm
  mkdir -p "$CLUSTER/disk/$node" "$CLUSTER/spool/$node"
  ip link set lo up
  touch "$CLUSTER/$node.booted"
  until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
  ip address add "$CLUSTER_NETWORK.${node#n}/24" dev eth0
  slurmd -D -N "$node" &
  while :; do sleep infinity; done # a first process takes care of orphans, and slurmd does not
}

$action
