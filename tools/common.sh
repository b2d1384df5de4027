# Shared by the launch scripts beside it; sourced, not run.

# With it, cd may print the path.
unset CDPATH
TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# The interpreter: $PYTHON, else the active environment's, else the one that
# tools/setup_env.sh made, else whichever is first on the path.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
    elif [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] \
        && [ -x "$TOOLS/../.venv/bin/python" ]; then
        echo "$TOOLS/../.venv/bin/python"
    elif command -v python >/dev/null; then
        echo python
    else
        echo python3
    fi
}

# So that the tools also run from a checkout that is not installed.
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"

# usage SCRIPT: print the comment that the script opens with, and stop.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1" >&2
    exit 2
}

# launch GPUS PROGRAM [arguments]: run in GPUS processes on this node.
launch() {
    local processes="$1"
    shift
    local python port
    python="$(find_python)"
    port="${PORT:-}"
    if [ -z "$port" ]; then
        if [ "${NNODES:-1}" = 1 ]; then
            # Free on this machine, so that several runs can share it.
            port="$("$python" -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')"
        else
            port=29500
        fi
    fi
    "$python" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="$port" \
        --nproc_per_node="$processes" \
        "$@" --launcher pytorch
}

# launch_slurm PARTITION JOB_NAME PROGRAM [arguments]: run as a Slurm job.
launch_slurm() {
    local partition="$1" job_name="$2"
    shift 2
    local gpus="${GPUS:-8}"
    local per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    local -a resources=(--ntasks="$gpus" --cpus-per-task="${CPUS_PER_TASK:-5}")
    if [ "$per_node" -gt 0 ]; then
        resources+=(--gres="gpu:$per_node" --ntasks-per-node="$per_node")
    fi
    local -a extra=()
    read -r -a extra <<<"${SRUN_ARGS:-}"
    srun -p "$partition" --job-name="$job_name" "${resources[@]}" \
        --kill-on-bad-exit=1 ${extra[@]+"${extra[@]}"} \
        "$(find_python)" -u "$@" --launcher slurm
}
