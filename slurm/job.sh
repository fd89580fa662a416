# shellcheck shell=bash
# What a job does on its first node. Sourced by train.sbatch and array.sbatch.

# ---- this site ----------------------------------------------------------------------------------------------------------------------
# site_setup: what a shell needs for the program, such as modules or a Python environment with torch.
site_setup() {
  :  # module load openmpi; . "$HOME/env/bin/activate"
}
# A disk of each node's own, such as /local/scratch: the data set is copied there once per node. Empty: it is read where it lies.
local_disk=${LOCKSTEP_JOB_DISK:-}
# How ranks are started: srun (which needs Slurm's pmix plug-in), mpirun, or auto: srun where the plug-in is.
start_with=${LOCKSTEP_JOB_START:-auto}
# How often a job may be started anew, by itself or by Slurm, before it stays where it is.
max_restarts=${LOCKSTEP_JOB_RESTARTS:-50}
# ---- nothing of one site below --------------------------------------------------------------------------------------------------------

job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID} # an array's own number would mean all of its tasks
job=${job:-$SLURM_JOB_ID}
restarts=${SLURM_RESTART_COUNT:-0}
asked=${asked:-} # whether USR1 has come: the batch scripts take it from their first line on
export SLURM_EXPORT_ENV=ALL # ranks have this shell's environment, also after sbatch --export=NONE

# No program of its own: Slurm may be ending all of them.
say() { printf '[%(%F %T)T] job %s on %s: %s\n' -1 "$job" "$SLURM_JOB_NODELIST" "$*"; }
# The last word of a job that this script ends.
die() {
  say "failed: $*"
  exit 2
}

# value_of OPTION ARGUMENT...: what the command line says last of --OPTION; spelled with '_' or '-', with a blank or '='.
value_of() {
  local option=--$1 value='' argument
  shift
  while [ $# -gt 0 ]; do
    argument=${1//-/_} argument=--${argument#__}
    case $argument in
      "$option") value=${2:-} ;;
      "$option="*) value=${1#*=} ;;
    esac
    shift
  done
  echo "$value"
}

# patiently COMMAND...: again for a minute until it succeeds and says something: Slurm's controller may be busy, or start anew.
patiently() {
  local i answer
  for i in {1..12}; do
    if answer=$("$@") && [ -n "$answer" ]; then
      echo "$answer"
      return
    fi
    sleep 5 & wait $!
  done
  return 1
}

# Of this job, as Slurm sees it now.
end_time() { date -d "$(squeue -h -j "$job" -o %e)" +%s 2>/dev/null; }
of_job() { scontrol show job -o "$job" | sed -n "s/.* $1=\([0-9]*\).*/\1/p"; }

# ---- ranks ----------------------------------------------------------------------------------------------------------------------------
# count_ranks ARGUMENT...: ranks_per_node and threads of each.
count_ranks() {
  local gpus=${SLURM_GPUS_ON_NODE:-0}
  [ "$(value_of device "$@")" != cpu ] || gpus=0
  [ -z "${SLURM_GPUS_PER_TASK:-}" ] || die "--gpus-per-task shows ranks too few GPUs under mpirun; use --gpus-per-node"
  local in_all=${SLURM_GPUS:-}
  in_all=${in_all##*:} # "a100:8"
  [ "$gpus" = 0 ] || [ "${in_all:-$((gpus * SLURM_NNODES))}" = $((gpus * SLURM_NNODES)) ] ||
    die "the $in_all GPUs are spread unevenly over $SLURM_NNODES nodes; use --gpus-per-node"
  ranks_per_node=${SLURM_NTASKS_PER_NODE:-1}
  [ "$gpus" = 0 ] || ranks_per_node=$gpus
  threads=$((SLURM_CPUS_ON_NODE / ranks_per_node))
  [ $threads -gt 0 ] || threads=1
}

has_pmix() { srun --mpi=list 2>&1 | grep -qw pmix; }

# The command line that starts the ranks; program and arguments follow. With srun, ranks that leave with 75 are not to be killed by the
# first that has left; those that are left alone by a dead one are.
compose_start() {
  local ranks=$((ranks_per_node * SLURM_NNODES))
  [ "$start_with" != auto ] || { has_pmix && start_with=srun || start_with=mpirun; }
  case "$start_with" in
    srun)
      unset SLURM_CPUS_PER_GPU # some Slurms refuse it beside --cpus-per-task
      # With Slurm's plug-in, once in some hundred starts, a rank is out of MPI_Init while another is still in it, and the first message from
      # there ends that one with a segmentation fault. Of its algorithms for fences, only the ring never let one through.
      export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
      start=(srun --mpi=pmix --ntasks=$ranks --ntasks-per-node=$ranks_per_node --cpus-per-task=$threads --overcommit
        --kill-on-bad-exit=0 --wait=60)
      ;;
    mpirun)
      local own=${program%/*}/mpirun
      [ -x "$own" ] || own=mpirun
      start=("$own" -np $ranks --map-by "ppr:$ranks_per_node:node" --oversubscribe --bind-to none)
      ;;
    *) die "start_with is '$start_with', and can be srun, mpirun or auto" ;;
  esac
}

on_each_node=(srun --mpi=none --overlap --ntasks="$SLURM_NNODES" --ntasks-per-node=1)

# ---- the data set on a disk of each node's own ---------------------------------------------------------------------------------------------
# copy_data DATASET: once per node; a job that comes back to a node finds it.
copy_data() {
  local copy=$local_disk/lockstep-$job/dataset
  [ -d "$1" ] || die "--dataset $1 is no folder"
  # shellcheck disable=SC2016  # for the nodes' shells
  "${on_each_node[@]}" bash -c '[ -d "$1" ] || { rm -rf "$1.part" && mkdir -p "${1%/*}" && cp -rL "$0" "$1.part" && mv "$1.part" "$1"; }' "$1" "$copy" ||
    die "the data set could not be copied to $copy on each node"
  say "the data set is in $copy on each node"
  on_local_disk=(--dataset "$copy")
}

remove_data() { [ -z "$local_disk" ] || "${on_each_node[@]}" rm -rf "$local_disk/lockstep-$job"; }

# ---- from the start to the last word --------------------------------------------------------------------------------------------------------
# Before it listens for USR1, mpirun or srun would be ended by it, and ranks that are still starting would be missed. To ask twice does no harm.
ask_to_stop() {
  local caught
  while kill -0 $ranks 2>/dev/null; do
    caught=$(sed -n 's/^Sig\(Cgt\|Blk\):[[:space:]]*/0x/p' /proc/$ranks/status | tr '\n' '|')
    (((${caught}0) >> 9 & 1)) && kill -USR1 $ranks
    sleep 3
  done
}

# USR1 is Slurm's notice: the time is nearly over, or the job is preempted.
pass_on_request() {
  [ -z "$told" ] || return
  told=yes
  say "USR1: asking the ranks to stop"
  ask_to_stop &
}

# wait_for_ranks: `code` is their exit code. A signal to this shell ends `wait` early.
wait_for_ranks() {
  while kill -0 $ranks 2>/dev/null; do wait $ranks; done
  wait $ranks
  code=$?
}

# TERM is Slurm's: it has decided what becomes of the job, and this script must not queue it again.
taken_down() {
  local now
  say "TERM: Slurm takes the job down"
  now=$(of_job Restarts)
  if [ "${now:-$restarts}" -gt "$restarts" ]; then
    say "preempted, or a node was lost: Slurm has queued the job again; it goes on from the last checkpoint"
  elif [ "$(date +%s)" -ge "${SLURM_JOB_END_TIME:-9999999999}" ]; then
    say "failed: the time limit was reached before the ranks had stopped; a larger --signal=B:USR1@SECONDS leaves them more"
  else
    say "cancelled"
  fi
  exit 143
}

has_checkpoint() { compgen -G "$run/checkpoint-*/manifest.json" >/dev/null; }

# where_to_begin OPTION...: what --resume_from_checkpoint is to be. The user's own counts until there is a checkpoint of this job to go on from.
where_to_begin() {
  local given
  given=$(value_of resume_from_checkpoint "$@")
  case $given in false | False) given=never ;; esac
  if ! has_checkpoint || { [ "$given" = never ] && [ "$restarts" = 0 ]; }; then echo "${given:-auto}"; else echo auto; fi
}

# For `patiently`, in a shell of its own. TERM comes to everything in the job as soon as Slurm has queued it again, and must not cost the answer.
requeue() { trap '' TERM; scontrol requeue "$job" && echo done; }

queue_again() {
  local why="stopped at a checkpoint" end state
  end=$(end_time)
  # With notice, preemption brings the end forward.
  [ "${end:-0}" = 0 ] || [ "$end" -ge "${SLURM_JOB_END_TIME:-0}" ] || why="preempted, stopped at a checkpoint"
  has_checkpoint || { say "failed: $why, but there is none in $run"; exit 75; }
  [ "$restarts" -lt "$max_restarts" ] || { say "failed: $why, but all $max_restarts restarts are used up; the same sbatch goes on from it"; exit 75; }
  # Who cancels the job while it stops means it.
  state=$(patiently squeue -h -j "$job" -o %T)
  [ "${state:-RUNNING}" = RUNNING ] && [ -z "$taken" ] || taken_down
  [ "$(patiently of_job Requeue)" != 0 ] || { say "failed: $why, but this job is not to be queued again (Requeue=0); the same sbatch goes on from it"; exit 75; }
  patiently requeue >/dev/null || { say "failed: $why, but Slurm does not queue it again (scontrol above says why)"; exit 75; }
  say "$why and queued again: restart $((restarts + 1)) of at most $max_restarts"
  trap : TERM
  sleep 60 & wait $! # the requeue ends this shell
  exit 75
}

# A node that is lost is often noticed by its peers before Slurm, which queues the job again once it knows - if there is still a job.
wait_for_slurm() {
  local i
  [ -n "$taken" ] || say "exit code $code, and a node does not answer: waiting for Slurm to notice"
  for i in {1..300}; do
    [ -z "$taken" ] || return
    sleep 3 & wait $!
  done
}

# In the background: a shell that waits for a program hears TERM only afterwards, and the answer of a lost node may take longer than Slurm
# leaves to a job that it takes down.
all_nodes_answer() {
  [ "$SLURM_NNODES" != 1 ] || return 0
  timeout 60 "${on_each_node[@]}" true 2>/dev/null & wait $!
}

# is_saving OPTION...: whether --save_strategy is given, here or in the --config file.
is_saving() {
  local config
  config=$(value_of config "$@")
  [ -n "$(value_of save_strategy "$@")" ] || { [ -n "$config" ] && grep -qsE '^[[:space:]]*save[-_]strategy[[:space:]]*=' "$config"; }
}

run_job() {
  run=$(value_of output_dir "$@")
  [ -n "$run" ] || die "--output_dir is missing on the command line"
  is_saving "$@" || die "without --save_strategy, here or in the --config file, there is nothing to go on from after a stop; add --save_strategy epoch"
  site_setup
  program=${LOCKSTEP:-$(ls "$folder"/../bin/lockstep "$folder"/../build/bin/lockstep 2>/dev/null | head -n 1)}
  [ -x "$program" ] || die "there is no program at '$program'; build it, or name it: export LOCKSTEP=/path/to/lockstep"
  count_ranks "$@"
  compose_start
  export OMP_NUM_THREADS=$threads
  export SLURM_JOB_END_TIME=${SLURM_JOB_END_TIME:-$(end_time)} # older Slurms do not tell
  on_local_disk=()
  [ -z "$local_disk" ] || copy_data "$(value_of dataset "$@")"

  say "restart $restarts, $SLURM_NNODES x $ranks_per_node ranks with $threads threads each, by $start_with"
  local told='' code
  taken=
  "${start[@]}" "$program" "$@" "${on_local_disk[@]}" --resume_from_checkpoint "$(where_to_begin "$@")" &
  ranks=$!
  trap pass_on_request USR1
  [ -z "$asked" ] || pass_on_request # it came before there were ranks
  trap 'taken=yes; kill -TERM $ranks' TERM
  wait_for_ranks
  trap 'taken=yes' TERM
  [ -z "$taken" ] || taken_down
  [ $code != 75 ] || queue_again
  [ $code = 0 ] || all_nodes_answer || wait_for_slurm
  [ -z "$taken" ] || taken_down
  remove_data
  if [ $code = 0 ]; then say "finished; the model is in $run"; else say "failed with exit code $code (docs/exit_codes.md)"; fi
  exit $code
}

# run_array_task OPTION VALUE,VALUE,... ARGUMENT...: with the value of this task, in a run folder of its own.
run_array_task() {
  local option=$1 values value
  [ -n "${SLURM_ARRAY_TASK_ID:-}" ] || die "this is no array job; use sbatch --array=0-N, or train.sbatch"
  IFS=, read -ra values <<<"$2"
  shift 2
  value=${values[SLURM_ARRAY_TASK_ID]:-}
  [ -n "$value" ] || die "task $SLURM_ARRAY_TASK_ID has no value among the ${#values[@]} of --$option; tasks count from 0"
  run_job "$@" "--$option" "$value" --output_dir "$(value_of output_dir "$@")/$option-$value"
}
