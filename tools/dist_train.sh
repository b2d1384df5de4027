#!/usr/bin/env bash
# Train on several GPUs or, where there are none, in several processes.
#
#     tools/dist_train.sh CONFIG GPUS [options of train.py]
#
# From the environment, for several machines: NNODES, NODE_RANK, MASTER_ADDR,
# PORT (default: a free one on one machine, 29500 on several). PYTHON names
# the interpreter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -ge 2 ] || usage "${BASH_SOURCE[0]}"
CONFIG="$1"
GPUS="$2"
shift 2

launch "$GPUS" "$TOOLS/train.py" "$CONFIG" "$@"
