"""Part-whole scenes: generated images whose hierarchy is known.

Textured objects made of differently textured parts on textured backgrounds,
with image label, semantic, object and part map. Functions on NumPy arrays
only; :class:`mmhierseg.datasets.PartWholeScenes` makes a dataset of them.
"""

from .categories import CATEGORIES, CATEGORY_OF_PART, PARTS
from .scene import (
    FIRST_VAL_INDEX,
    GENERATOR_VERSION,
    Scene,
    SceneOptions,
    class_names,
    make_scene,
    scene_index,
)

__all__ = [
    'CATEGORIES', 'CATEGORY_OF_PART', 'FIRST_VAL_INDEX', 'GENERATOR_VERSION',
    'PARTS', 'Scene', 'SceneOptions', 'class_names', 'make_scene',
    'scene_index'
]
