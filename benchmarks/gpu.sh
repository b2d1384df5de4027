#!/usr/bin/env bash
# Everything that needs a GPU, in under eight minutes on a recent one:
#
#     bash benchmarks/gpu.sh DATA OUT
#
# The tests that need one, the goals of docs/speed.md on it, the 2 x 2 of
# superpixels and pooling at the size of CAST-S, and steps of MoCo v3 with and
# without `compile_cfg`. DATA holds the folder `imagenette` (61 MB) of
# benchmarks/real.md; logs and results are written to OUT. PYTHON has the
# environment of tools/setup_env.sh with PyTorch for CUDA.
# DEVICE=cpu tries the tests and the 2 x 2, at a tiny size, on a CPU.
set -uo pipefail
unset CDPATH

DATA="$(cd "$1" && pwd)"
mkdir -p "$2"
OUT="$(cd "$2" && pwd)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"
SIZE=(--device "${DEVICE:-cuda}")
SLOWER=1
[ "${DEVICE:-cuda}" = cpu ] && SIZE+=(--quick) && SLOWER=4
status=0

# A step that fails, or takes too long, does not keep the others.
step() {
    local name="$1" seconds="$2"
    shift 2
    echo "== $name"
    timeout "$((SLOWER * seconds))" "$@" 2>&1 | tee "$OUT/$name.log" || status=1
}

step tests 80 "$PYTHON" -m pytest -q -p no:cacheprovider -m gpu tests
step cast-s 150 "$PYTHON" benchmarks/run.py real --table cast-s --seeds 0 \
    --data "$DATA" --work-dir "$OUT/work" --results "$OUT" "${SIZE[@]}" \
    --out "$OUT/cast-s-table.json"
[ "${DEVICE:-cuda}" = cpu ] && exit $status
step goals 90 "$PYTHON" benchmarks/run.py goals --quick "${SIZE[@]}" \
    --out "$OUT/goals.json"
step runtime 150 "$PYTHON" benchmarks/run.py runtime \
    --models vit-s cast-s cast-s-compiled --modes pretraining-bf16 \
    --batch-size 128 --repeats 5 "${SIZE[@]}" --out "$OUT/runtime.json"
exit $status
