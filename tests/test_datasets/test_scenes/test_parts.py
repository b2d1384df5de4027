"""Shapes and categories that scenes are made of."""

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from scipy.ndimage import distance_transform_edt

from mmhierseg.datasets.scenes import CATEGORIES, CATEGORY_OF_PART, PARTS
from mmhierseg.datasets.scenes.categories import POLE, voc_palette
from mmhierseg.datasets.scenes.rendering import MATERIALS, PATTERNS
from mmhierseg.datasets.scenes.shapes import (
    bar,
    box,
    distance,
    ellipse,
    extent,
    polygon,
    ring,
)

STEP = 0.01

@pytest.mark.parametrize('shape', [
    box(0.1, 0.2, 0.5, 0.3),
    box(0.1, 0.2, 0.5, 0.3, 0.2),
    ring(-0.1, 0.1, 0.5, 0.1),
    bar((-0.5, -0.3), (0.4, 0.2), 0.1),
    # A bar of no length is a disc.
    bar((0.2, 0.1), (0.2, 0.1), 0.3),
    ellipse(0.1, 0.2, 0.6, 0.3),
    polygon((-0.5, -0.5), (0.6, -0.2), (0.1, 0.6)),
    # The same in the opposite order.
    polygon((0.1, 0.6), (0.6, -0.2), (-0.5, -0.5)),
], ids=lambda shape: shape.kind)
def test_distances(shape):
    """Compared with the nearest point of the other side, in a rectangle."""
    x = np.arange(-1.2, 1.2, STEP, dtype=np.float32)
    y = np.arange(-1, 1, STEP, dtype=np.float32)
    values = distance(shape, x[None], y[:, None])
    assert values.dtype == np.float32
    inside = values < 0
    reference = STEP * np.where(inside, 0.5 - distance_transform_edt(inside),
                                distance_transform_edt(~inside) - 0.5)
    # An outline is known to a pixel's diagonal.
    if shape.kind not in ('ellipse', 'polygon'):
        assert abs(values - reference).max() < 1.5 * STEP
    else:
        assert (abs(values) < abs(reference) + 1.5 * STEP).all()
        near = abs(reference) < 2 * STEP
        assert near.sum() > 100
        assert abs(values - reference)[near].max() < 2 * STEP
    rows, columns = np.nonzero(inside)
    found = (x[columns.min()], y[rows.min()], x[columns.max()],
             y[rows.max()])
    np.testing.assert_allclose(extent(shape), found, atol=2 * STEP)


def test_categories():
    """Those of VOC; neither a part nor a texture identifies one."""
    names = tuple(category.name for category in CATEGORIES)
    meta = PascalVOCDataset.METAINFO
    assert names == meta['classes'][1:13]
    assert voc_palette()[:21].tolist() == meta['palette']
    # MMPretrain numbers classes in the order of their folders' names.
    assert names == tuple(sorted(names))
    assert len(CATEGORY_OF_PART) == len(PARTS) + 1 == len(set(PARTS)) + 1
    shared = [part.name for c in CATEGORIES for part in c.parts]
    for name in ('body', 'leg', 'tail', 'head', 'wheel'):
        assert shared.count(name) >= 3
    for pattern in PATTERNS:
        assert sum(pattern in chosen for chosen in MATERIALS.values()) >= 2
    for category in (*CATEGORIES, POLE):
        for part in category.parts:
            assert part.material in MATERIALS
            # In the frame, but for a little.
            assert max(abs(x) for s in part.shapes for x in extent(s)) < 1.05
