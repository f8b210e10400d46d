#!/bin/bash
# Eight trainings, at most four at a time, within one budget: sbatch slurm_array.sh
#SBATCH --array=0-7%4
#SBATCH --time=01:00:00
#SBATCH --cpus-per-task=2
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
# The last line lets Slurm signal this script 60 s before the limit. A preemption sends SIGTERM instead.

is_asked=0
trap 'is_asked=1; kill -USR1 "$training" 2>/dev/null' USR1 TERM

srun python slurm_array.py &  # in the background, because bash calls a trap only between commands, or in a wait
training=$!
wait "$training"
status=$?
if [ "$is_asked" = 1 ]; then  # the signal has ended the first wait
    wait "$training"
    status=$?
fi

if [ "$status" = 75 ]; then  # the training has saved a checkpoint, and has more to do
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$status"
