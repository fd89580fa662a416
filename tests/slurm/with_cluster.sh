#!/bin/bash
# with_cluster.sh COMMAND...: runs COMMAND on a machine of its own (own_machine.sh) that has a Slurm cluster: 3 nodes with 2 pretended GPUs
# each, real slurmctld, slurmd and munged. Exit code: COMMAND's. Where that cannot be, COMMAND runs as it is, with the reason in
# SLURM_IS_MISSING.
#
# COMMAND finds: CLUSTER, the cluster's folder, which all nodes share (logs in CLUSTER/log); SLURM_CONF; and
# CLUSTER_NODE, host.sh, to stop a node and to start it again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../support/hosts/own_machine.sh"
nodes=(n1 n2 n3)

if [ -z "${MACHINE:-}" ]; then
  SLURM_IS_MISSING=$(why_no_machine slurmctld slurmd munged sbatch) && export SLURM_IS_MISSING
  [ -z "$SLURM_IS_MISSING" ] || exec "$@"
  on_own_machine "${BASH_SOURCE[0]}" "$@"
  exit
fi

# ---- from here on in the namespaces, as their first process -------------------------------------------------------------------------
make_folders() {
  export CLUSTER=$MACHINE
  mkdir -p "$CLUSTER"/{munge,state,spool,disk} "${nodes[@]/#/$CLUSTER/spool/}" "${nodes[@]/#/$CLUSTER/disk/}"
  mountpoint -q /sys/fs/cgroup || mount -t tmpfs cgroup /sys/fs/cgroup # slurmd wants something there, though it uses nothing of it
}

start_munge() {
  (umask 077 && head -c 128 /dev/urandom >"$CLUSTER/munge/key")
  munged --foreground --force --key-file="$CLUSTER/munge/key" --socket="$CLUSTER/munge/socket" --pid-file="$CLUSTER/munge/pid" \
    --log-file="$CLUSTER/log/munged" --seed-file="$CLUSTER/munge/seed" \
    >"$CLUSTER/log/munged.out" 2>&1 &
  within 10 test -S "$CLUSTER/munge/socket"
}

# GPUs are character devices with NVIDIA's number; no driver stands behind them.
pretend_gpus() {
  mknod "$CLUSTER/gpu0" c 195 0
  mknod "$CLUSTER/gpu1" c 195 1
  echo "Name=gpu File=$CLUSTER/gpu[0-1]" >"$CLUSTER/gres.conf"
}

# Times are as short as they can be: a requeued job waits for cred_expire, a silent node is down after SlurmdTimeout.
write_configuration() {
  cat >"$CLUSTER/slurm.conf" <<CONFIGURATION
ClusterName=test
SlurmctldHost=login($MACHINE_NETWORK.254)
SlurmUser=root
AuthInfo=socket=$CLUSTER/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$CLUSTER/state
SlurmdSpoolDir=$CLUSTER/spool/%n
TmpFS=$CLUSTER/disk/%n
SlurmctldPidFile=$CLUSTER/state/slurmctld.pid
SlurmdPidFile=$CLUSTER/state/%n.pid
SlurmctldLogFile=$CLUSTER/log/slurmctld
SlurmdLogFile=$CLUSTER/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
MpiDefault=none
GresTypes=gpu
SchedulerParameters=bf_interval=1,batch_sched_delay=0,sched_min_interval=100000,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
TCPTimeout=2
KillWait=5
MailProg=/bin/true
CONFIGURATION
  local node
  for node in "${nodes[@]}"; do
    echo "NodeName=$node NodeAddr=$MACHINE_NETWORK.${node#n} CPUs=4 RealMemory=4000 Gres=gpu:2"
  done >>"$CLUSTER/slurm.conf"
  cat >>"$CLUSTER/slurm.conf" <<CONFIGURATION
PartitionName=main Nodes=ALL Default=YES PriorityTier=10
PartitionName=warned Nodes=ALL PriorityTier=1 GraceTime=20
PartitionName=low Nodes=ALL PriorityTier=1
PartitionName=high Nodes=ALL PriorityTier=100 PreemptMode=OFF
CONFIGURATION
}

# within SECONDS COMMAND...: until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

all_idle() { [ "$(sinfo -h -N -p main -t idle -o %N 2>/dev/null | wc -l)" = ${#nodes[@]} ]; }

start_cluster() {
  make_machine login "${nodes[@]}"
  make_folders
  start_munge
  pretend_gpus
  write_configuration
  export SLURM_CONF=$CLUSTER/slurm.conf CLUSTER_NODE=$HOST
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # for jobs by mpirun
  slurmctld -D -i >"$CLUSTER/log/slurmctld.out" 2>&1 &
  local node
  export HOST_PROGRAM='exec slurmd -D -N "$(hostname)"'
  for node in "${nodes[@]}"; do "$HOST" start "$node"; done
  within 30 all_idle
}

start_cluster || {
  tail -n 20 "$CLUSTER"/log/* >&2
  export SLURM_IS_MISSING="the cluster did not come up; the ends of its logs are above"
}
code=0
"$@" || code=$?
exit $code # and with the first process of the namespaces everything in them ends
