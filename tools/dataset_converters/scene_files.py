"""Writes scenes in the folder layouts of real datasets.

Names depend on the scene's number alone, so that a dataset can grow and an
interrupted run can be resumed. A scene's image is written last: where it
exists, the label maps do.
"""

from pathlib import Path, PurePosixPath

import numpy as np
from conversion import encode_image, write_file
from PIL import Image
from scene_layouts import scene_paths, semantic_ids

from mmhierseg.datasets.files import upright_mark
from mmhierseg.datasets.scenes import (
    Scene,
    SceneOptions,
    make_scene,
    scene_index,
)
from mmhierseg.datasets.scenes.categories import voc_palette


def write_scene(job: tuple[str, int], root: Path, layout: str, seed: int,
                options: SceneOptions) -> bool:
    """Write the scene of a job, (split, number), unless it exists."""
    paths = scene_paths(layout, *job, options)
    if (root / paths['image'][-1]).is_file():
        return False
    scene = make_scene(seed, scene_index(*job), options)
    for field, targets in paths.items():
        for target in targets:
            content = _encode(scene, field, layout, target)
            write_file(root / PurePosixPath(target), content)
    return True


def label_map(scene: Scene, field: str, layout: str) -> np.ndarray:
    """A label map of a scene in the ids of a layout.

    ``field`` is 'semantic', 'objects', 'parts', or 'panoptic', which is
    KITTI-STEP's: (H, W, 3), R = class, 256 G + B = object.
    """
    if field in ('objects', 'parts'):
        return getattr(scene, field)
    classes = semantic_ids(layout)[scene.semantic]
    if field == 'semantic':
        return classes
    # There are fewer than 256 objects: G is 0.
    return np.stack((classes, np.zeros_like(classes), scene.objects), axis=2)


def encode_label_map(labels: np.ndarray, palette: np.ndarray) -> bytes:
    """Encode a label map as PNG; (H, W) gets the palette, (H, W, 3) none."""
    image = Image.fromarray(labels)
    if image.mode == 'L':
        image.putpalette(palette.tobytes())
    return encode_image(image, format='PNG', pnginfo=upright_mark())


def _encode(scene: Scene, field: str, layout: str, target: str) -> bytes:
    if field != 'image':
        return encode_label_map(
            label_map(scene, field, layout), voc_palette())
    image = Image.fromarray(scene.image)
    if target.endswith('.png'):
        return encode_image(image, format='PNG')
    return encode_image(image, format='JPEG', quality=95)
