"""Contours to divide images by."""

import math

import numpy as np
from scipy import ndimage

from mmhierseg.oversegmentation import ContourMap

#: A forest of one tree that asks whether there is a gradient in the middle of
#: a patch, and if so says that the middle is an edge.
FOREST = """%YAML:1.0
---
options:
   stride: 2
   shrinkNumber: 2
   patchSize: 32
   patchInnerSize: 16
   numberOfGradientOrientations: 4
   gradientSmoothingRadius: 0
   regFeatureSmoothingRadius: 2
   ssFeatureSmoothingRadius: 8
   gradientNormalizationRadius: 4
   selfsimilarityGridSize: 5
   numberOfTrees: 1
   numberOfTreesToEvaluate: 1
childs:
   - [ 2, 0, 0 ]
featureIds:
   - [ 904, 0, 0 ]
thresholds:
   - [ 0.1, 0., 0. ]
edgeBoundaries: [ 0, 0, 0, 4 ]
edgeBins: [ 119, 120, 135, 136 ]
"""


def random_contours(seed, size=(37, 52)):
    """Smooth noise as strength, any direction."""
    rng = np.random.default_rng(seed)
    strength = ndimage.gaussian_filter(rng.random(size), 2)
    strength = (strength - strength.min()) / np.ptp(strength)
    direction = rng.random(size) * math.pi
    return ContourMap(strength.astype(np.float32),
                      direction.astype(np.float32))
