#!/usr/bin/env bash
# From a fresh checkout to pictures: sets everything up, draws the hierarchies
# that the small CAST of this package sees in two photographs, then pre-trains
# a tiny CAST of your own with MoCo v3 on photographs that scikit-image ships,
# and draws what that one sees.
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

echo '[1/5] Environment'
bash tools/setup_env.sh
PYTHON="$VENV/bin/python"

echo '[2/5] Photographs'
"$PYTHON" tools/dataset_converters/skimage_photos.py "$PHOTOS"

echo '[3/5] Hierarchies by the model that ships'
"$PYTHON" demo/hierarchy_demo.py \
    "$PHOTOS/photos/astronaut.png" "$PHOTOS/photos/coffee.png" \
    --out "$OUT/cast-t_imagenette"

echo '[4/5] Pre-training of your own'
"$PYTHON" tools/train.py configs/cast/cast-t_photos.py \
    --work-dir "$WORK" --resume

echo '[5/5] Hierarchies by your own'
"$PYTHON" demo/hierarchy_demo.py \
    "$PHOTOS/photos/astronaut.png" "$PHOTOS/photos/coffee.png" \
    --config configs/cast/cast-t_photos.py \
    --checkpoint "$(cat "$WORK/last_checkpoint")" --out "$OUT/cast-t_photos"

echo
echo "Done. Look at astronaut_hierarchy.png and coffee_hierarchy.png in"
echo "  $PWD/$OUT/cast-t_imagenette  (the model that ships)"
echo "  $PWD/$OUT/cast-t_photos      (yours, after two minutes)"
