import numpy as np
import pytest

from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
    class_names,
    class_palette,
    part_id,
)


def test_numbers():
    """Those of the paper: 11 super-categories, 40 parts."""
    assert len(OBJECTS) == 11 and len(PARTS) == len(set(PARTS)) == 40
    assert OBJECT_OF_PART.shape == (41, )
    assert np.bincount(OBJECT_OF_PART).tolist() == [
        1, 4, 5, 4, 5, 2, 4, 3, 4, 2, 5, 2
    ]


@pytest.mark.parametrize('labels, count', [('part', 41), ('object', 12)])
def test_palette(labels, count):
    assert len(class_names(labels)) == count
    assert len({tuple(color) for color in class_palette(labels)}) == count


def test_unknown_labels():
    with pytest.raises(ValueError, match="'part' or 'object', got 'parts'"):
        class_names('parts')


@pytest.mark.parametrize('name, supercategory, expected', [
    ('Quadruped Head', 'Quadruped', 1),
    ('head', 'quadruped', 1),
    ('Car Side Mirror', 'Car', 27),
    ('side-mirror', 'CAR', 27),
    ('Bicycle Tire', 'Bicycle', 31),
    ('Bottle_Body', 'Bottle', 40),
])
def test_spellings(name, supercategory, expected):
    assert part_id(name, supercategory) == expected


@pytest.mark.parametrize('name, supercategory, message', [
    ('Car Sail', 'Car', "no part 'Car Sail' of 'Car'; its parts are Quad"),
    ('Car Body', 'Boat', "'Car Body' is no part of 'Boat'"),
])
def test_parts_that_do_not_exist(name, supercategory, message):
    with pytest.raises(ValueError, match=message):
        part_id(name, supercategory)
