#!/usr/bin/env bash
# Test on several GPUs or, where there are none, in several processes.
#
#     tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
#
# From the environment, for several machines: NNODES, NODE_RANK, MASTER_ADDR,
# PORT (default: a free one on one machine, 29500 on several). PYTHON names
# the interpreter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -ge 3 ] || usage "${BASH_SOURCE[0]}"
CONFIG="$1"
CHECKPOINT="$2"
GPUS="$3"
shift 3

launch "$GPUS" "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" "$@"
