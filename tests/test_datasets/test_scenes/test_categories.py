import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset

from mmhierseg.datasets.scenes import CATEGORIES, CATEGORY_OF_PART, PARTS
from mmhierseg.datasets.scenes.categories import POLE, first_part_id
from mmhierseg.datasets.scenes.shapes import extent
from mmhierseg.datasets.scenes.textures import MATERIALS


def test_names_and_ids_are_those_of_pascal_voc():
    names = tuple(category.name for category in CATEGORIES)
    assert names == PascalVOCDataset.METAINFO['classes'][1:13]


def test_labels_are_the_order_of_folders():
    # MMPretrain numbers classes in the order of their folders' names.
    names = [category.name for category in CATEGORIES]
    assert names == sorted(names)


def test_ids_of_parts():
    assert len(CATEGORY_OF_PART) == len(PARTS) + 1 == len(set(PARTS)) + 1
    for category_id, category in enumerate((*CATEGORIES, POLE), start=1):
        first = first_part_id(category_id)
        for i, part in enumerate(category.parts):
            assert PARTS[first + i - 1] == f'{category.name} {part.name}'
            assert CATEGORY_OF_PART[first + i] == category_id


@pytest.mark.parametrize(
    'category', [*CATEGORIES, POLE], ids=lambda category: category.name)
def test_category_is_made_of_parts(category):
    assert 2 <= len(category.parts) <= 5
    names = [part.name for part in category.parts]
    assert len(set(names)) == len(names)
    for part in category.parts:
        assert part.material in MATERIALS
        for shape in part.shapes:
            # In the frame, but for a little.
            assert max(map(abs, extent(shape))) < 1.05
            if shape.kind == 'polygon':
                assert is_convex(np.array(shape.points))


def is_convex(points):
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return (turns > 0).all() or (turns < 0).all()


def test_categories_share_parts():
    names = [part.name for c in CATEGORIES for part in c.parts]
    shared = {name for name in names if names.count(name) >= 3}
    assert {'body', 'leg', 'tail', 'head', 'wheel'} <= shared
