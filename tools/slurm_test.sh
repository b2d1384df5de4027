#!/usr/bin/env bash
# Test on a Slurm cluster.
#
#     tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
#
# From the environment: GPUS (in all, default 8), GPUS_PER_NODE (default 8, or
# GPUS where that is less; 0 on a cluster without GPUs), CPUS_PER_TASK (default
# 5), SRUN_ARGS (further options of srun, separated by spaces). PYTHON names
# the interpreter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -ge 4 ] || usage "${BASH_SOURCE[0]}"
PARTITION="$1"
JOB_NAME="$2"
CONFIG="$3"
CHECKPOINT="$4"
shift 4

launch_slurm "$PARTITION" "$JOB_NAME" "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" "$@"
