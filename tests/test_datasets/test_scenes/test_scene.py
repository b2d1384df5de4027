import hashlib

import numpy as np
import pytest

from mmhierseg.datasets.scenes import (
    CATEGORIES,
    CATEGORY_OF_PART,
    FIRST_VAL_INDEX,
    GENERATOR_VERSION,
    PARTS,
    SceneOptions,
    class_names,
    make_scene,
)

SIZES = [(32, 32), (40, 130), (96, 96), (8, 50), (17, 9)]
NAMES = class_names()[1:]
FIELDS = ('image', 'semantic', 'objects', 'parts')
POLE_ID = len(CATEGORIES) + 1


def digest(scene):
    """Hash of a scene's arrays and label."""
    arrays = [getattr(scene, field) for field in FIELDS]
    content = b''.join(array.tobytes() for array in arrays)
    return hashlib.sha256(content + bytes([scene.label])).hexdigest()


def scenes(size, count=36, first=0, **options):
    options = SceneOptions(size=size, **options)
    return [make_scene(1, first + i, options) for i in range(count)]


@pytest.mark.parametrize('size', SIZES)
def test_maps(size):
    """They nest; the main object shows all its parts."""
    for i, scene in enumerate(
            scenes(size, max_others=8, num_poles=1, categories=NAMES)):
        assert scene.label == i % 12
        assert scene.image.shape == (*size, 3) and scene.image.std() > 10
        for field in FIELDS:
            array = getattr(scene, field)
            assert array.shape[:2] == size
            assert array.dtype == np.uint8 and array.flags.c_contiguous
        np.testing.assert_array_equal(
            np.array(CATEGORY_OF_PART)[scene.parts], scene.semantic)
        np.testing.assert_array_equal(scene.objects > 0, scene.semantic > 0)
        main = scene.objects == 1
        assert scene.semantic[main][0] == scene.label + 1
        if min(size) >= 32:
            assert set(scene.parts[main]) == {
                i for i, c in enumerate(CATEGORY_OF_PART)
                if c == scene.label + 1
            }
        # Objects are numbered by size, poles last; hidden ones have no number.
        kinds = [set(scene.semantic[scene.objects == number])
                 for number in range(1, scene.objects.max() + 1)]
        assert all(len(kind) == 1 for kind in kinds)
        areas = np.bincount(scene.objects.ravel())[1:]
        areas = areas[[kind != {POLE_ID} for kind in kinds]]
        assert areas.min() > 0 and (np.diff(areas) <= 0).all()
        # Part instances refine objects and parts.
        instances = scene.part_instances
        pairs = np.unique(
            np.stack([scene.objects, scene.parts]).reshape(2, -1), axis=1)
        count = pairs.shape[1] + int(pairs[0, 0] > 0)
        assert count == instances.max() + 1
        np.testing.assert_array_equal(instances == 0, scene.parts == 0)


@pytest.mark.parametrize('index, size, expected', [
    (0, (64, 64), '0c68b2868c8073de'),
    (5, (48, 80), 'a9773915db3819da'),
    (FIRST_VAL_INDEX + 7, (64, 64), 'b04a4e62dd4e67a9'),
])
def test_golden_bytes(index, size, expected):
    """The same on every platform and with every version of NumPy.

    If the generator was changed on purpose, raise GENERATOR_VERSION, so that
    old and new scenes are not mixed in a folder.
    """
    assert GENERATOR_VERSION == 1
    scene = make_scene(3, index, SceneOptions(size=size, num_poles=1))
    assert digest(scene)[:16] == expected


def test_scenes_depend_on_seed_and_index_only():
    """Not on the order, or the process: see the golden bytes."""
    options = SceneOptions(size=(32, 32))
    # The last two pairs would collide if the numbers were concatenated.
    pairs = [(0, 0), (0, 12), (1, 0), (0, FIRST_VAL_INDEX), (5, 12),
             (5 + (12 << 32), 0)]
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    found = [digest(make_scene(*pair, options)) for pair in pairs]
    assert len(set(found)) == len(pairs)
    assert found[::-1] == [
        digest(make_scene(*pair, options)) for pair in pairs[::-1]
    ]
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_options():
    """Subsets count labels; poles are thin; typical colours are colours."""
    for i, scene in enumerate(scenes((40, 40), 9,
                                     categories=('dog', 'boat', 'car'))):
        assert scene.label == i % 3
        assert scene.semantic[scene.objects == 1][0] == (12, 4, 7)[i % 3]
        assert set(np.unique(scene.semantic)) <= {0, 4, 7, 12}
    assert class_names()[:2] == ('background', 'aeroplane')
    assert len(class_names()) == POLE_ID
    assert class_names(num_poles=2)[POLE_ID] == 'pole'
    posts = [(scene.parts == 1 + PARTS.index('pole post')).sum(1)
             for scene in scenes((224, 200), 6, num_poles=1, max_others=0)]
    # The main object hides some of them partly.
    assert sum(np.count_nonzero(widths) > 100 for widths in posts) >= 3
    assert max(widths.max() for widths in posts) <= 6
    plain, = scenes((64, 64), 1)
    typical, = scenes((64, 64), 1, typical_colors=1.)
    np.testing.assert_array_equal(plain.parts, typical.parts)
    assert (plain.image != typical.image).any()


def test_bad_options():
    for options, message in (
        (dict(size=(7, 32)), r'`size` must be .* at least 8, got \(7, 32\)'),
        (dict(categories=('unicorn', )), r'some of aeroplane, .*unicorn'),
        (dict(categories=('car', 'car')), 'each one once'),
        (dict(max_others=51), r'`max_others` must lie in 0..50, got 51'),
        (dict(num_poles=-1), r'`num_poles` must lie in 0..50, got -1'),
        (dict(typical_colors=1.5), r'`typical_colors` must lie in 0..1'),
    ):
        with pytest.raises(ValueError, match=message):
            SceneOptions(**options)
    with pytest.raises(ValueError, match=r'`seed` must lie in \[0, 2\^64\)'):
        make_scene(-1, 0)
    with pytest.raises(ValueError, match='`index` must .* got 4294967296'):
        make_scene(0, 2**32)
