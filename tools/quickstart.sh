#!/usr/bin/env bash
# From a fresh checkout to a picture: sets everything up, pre-trains a tiny
# CAST with MoCo v3 on photographs that scikit-image ships, and draws the
# hierarchies of two of them.
#
#     bash tools/quickstart.sh
#
# Takes a few minutes on two CPU cores. Running it again resumes an interrupted
# run, or draws the pictures again. Settings, from the environment: PYTHON and
# VENV as in tools/setup_env.sh.
set -euo pipefail
unset CDPATH

cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV="${VENV:-$PWD/.venv}"
export VENV
# A thread that waits sleeps instead of spinning: where the cores have other
# work as well, spinning makes training ten times slower.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
PHOTOS=data/skimage_photos
WORK=work_dirs/cast-t_photos
OUT=outputs/quickstart

echo '[1/4] Environment'
bash tools/setup_env.sh
PYTHON="$VENV/bin/python"

echo '[2/4] Photographs'
"$PYTHON" tools/dataset_converters/skimage_photos.py "$PHOTOS"

echo '[3/4] Pre-training'
"$PYTHON" tools/train.py configs/cast/cast-t_photos.py \
    --work-dir "$WORK" --resume

echo '[4/4] Hierarchies'
"$PYTHON" demo/hierarchy_demo.py \
    "$PHOTOS/photos/astronaut.png" "$PHOTOS/photos/coffee.png" \
    --checkpoint "$(cat "$WORK/last_checkpoint")" --out "$OUT"

echo
echo "Done. Look at $PWD/$OUT/astronaut_hierarchy.png"
echo "          and $PWD/$OUT/coffee_hierarchy.png"
