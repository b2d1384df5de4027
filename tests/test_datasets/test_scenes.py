"""Part-whole scenes, and the dataset of them."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from scipy.ndimage import distance_transform_edt

from mmhierseg.datasets import PartWholeScenes
from mmhierseg.datasets.scenes import (
    CATEGORIES,
    CATEGORY_OF_PART,
    FIRST_VAL_INDEX,
    GENERATOR_VERSION,
    PARTS,
    SceneOptions,
    make_scene,
    shapes,
)
from mmhierseg.datasets.scenes.categories import POLE
from mmhierseg.datasets.scenes.rendering import MATERIALS, PATTERNS

FIELDS = ('image', 'semantic', 'objects', 'parts')
POLE_ID = len(CATEGORIES) + 1


def digest(scene):
    """Hash of a scene's arrays and label."""
    arrays = [getattr(scene, field) for field in FIELDS]
    content = b''.join(array.tobytes() for array in arrays)
    return hashlib.sha256(content + bytes([scene.label])).hexdigest()


def scenes(size, count=36, **options):
    options = SceneOptions(size=size, **options)
    return [make_scene(1, i, options) for i in range(count)]


@pytest.mark.parametrize('size', [(32, 32), (40, 130), (96, 96), (8, 50),
                                  (17, 9)])
def test_maps(size):
    """They nest; the main object shows all its parts."""
    for i, scene in enumerate(scenes(size, max_others=8, num_poles=1)):
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
    """Whoever changes them on purpose raises GENERATOR_VERSION."""
    assert GENERATOR_VERSION == 1
    scene = make_scene(3, index, SceneOptions(size=size, num_poles=1))
    assert digest(scene)[:16] == expected


def test_scenes_depend_on_seed_and_index_only():
    """Not on the order, or the process: see the golden bytes."""
    options = SceneOptions(size=(32, 32))
    # The last two pairs would collide if the numbers were concatenated.
    pairs = [(0, 0), (0, 12), (1, 0), (0, FIRST_VAL_INDEX), (5, 12),
             (5 + (12 << 32), 0)]
    found = [digest(make_scene(*pair, options)) for pair in pairs]
    assert len(set(found)) == len(pairs)
    assert found[::-1] == [
        digest(make_scene(*pair, options)) for pair in pairs[::-1]
    ]


def test_options():
    """Subsets count labels; poles are thin."""
    for i, scene in enumerate(scenes((40, 40), 9,
                                     categories=('dog', 'boat', 'car'))):
        assert scene.label == i % 3
        assert scene.semantic[scene.objects == 1][0] == (12, 4, 7)[i % 3]
        assert set(np.unique(scene.semantic)) <= {0, 4, 7, 12}
    posts = [(scene.parts == 1 + PARTS.index('pole post')).sum(1)
             for scene in scenes((224, 200), 6, num_poles=1, max_others=0)]
    # The main object hides some of them partly.
    assert sum(np.count_nonzero(widths) > 100 for widths in posts) >= 3
    assert max(widths.max() for widths in posts) <= 6


@pytest.mark.parametrize('function, options, message', [
    (SceneOptions, dict(size=(7, 32)), r'each at least 8, got \(7, 32\)'),
    (SceneOptions, dict(categories=('unicorn', )), 'of aeroplane, .*unicorn'),
    (SceneOptions, dict(categories=('car', 'car')), 'each one once'),
    (SceneOptions, dict(max_others=51), '`max_others` .*in 0..50, got 51'),
    (SceneOptions, dict(typical_colors=1.5), '`typical_colors` .*in 0..1'),
    (make_scene, dict(seed=-1, index=0), r'`seed` must lie in .0, 2\^64'),
    (make_scene, dict(seed=0, index=2**32), r'`index` must lie in .0, 2\^32'),
    (PartWholeScenes, dict(num_scenes=0), '`num_scenes` must be at least 1'),
    (PartWholeScenes, dict(num_scenes=1, task='detection'), "got 'detection'"),
])
def test_bad_options(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(**options)


@pytest.mark.parametrize('shape', [
    shapes.box(0.1, 0.2, 0.5, 0.3),
    shapes.box(0.1, 0.2, 0.5, 0.3, 0.2),
    shapes.ring(-0.1, 0.1, 0.5, 0.1),
    shapes.bar((-0.5, -0.3), (0.4, 0.2), 0.1),
    # A bar of no length is a disc.
    shapes.bar((0.2, 0.1), (0.2, 0.1), 0.3),
    shapes.ellipse(0.1, 0.2, 0.6, 0.3),
    shapes.polygon((-0.5, -0.5), (0.6, -0.2), (0.1, 0.6)),
    # The same in the opposite order.
    shapes.polygon((0.1, 0.6), (0.6, -0.2), (-0.5, -0.5)),
], ids=lambda shape: shape.kind)
def test_distances(shape):
    """Compared with the nearest point of the other side, in a rectangle."""
    step = 0.01
    x = np.arange(-1.2, 1.2, step, dtype=np.float32)
    y = np.arange(-1, 1, step, dtype=np.float32)
    values = shapes.distance(shape, x[None], y[:, None])
    assert values.dtype == np.float32
    inside = values < 0
    reference = step * np.where(inside, 0.5 - distance_transform_edt(inside),
                                distance_transform_edt(~inside) - 0.5)
    # An outline is known to a pixel's diagonal.
    if shape.kind not in ('ellipse', 'polygon'):
        assert abs(values - reference).max() < 1.5 * step
    else:
        assert (abs(values) < abs(reference) + 1.5 * step).all()
        near = abs(reference) < 2 * step
        assert near.sum() > 100
        assert abs(values - reference)[near].max() < 2 * step
    rows, columns = np.nonzero(inside)
    found = [x[columns.min()], y[rows.min()], x[columns.max()], y[rows.max()]]
    np.testing.assert_allclose(shapes.extent(shape), found, atol=2 * step)


def test_categories():
    """Neither a part nor a texture identifies one."""
    assert len(CATEGORY_OF_PART) == len(PARTS) + 1 == len(set(PARTS)) + 1
    shared = [part.name for c in CATEGORIES for part in c.parts]
    for name in ('body', 'leg', 'tail', 'head', 'wheel'):
        assert shared.count(name) >= 3
    for pattern in PATTERNS:
        assert sum(pattern in chosen for chosen in MATERIALS.values()) >= 2
    for category in (*CATEGORIES, POLE):
        for part in category.parts:
            # In the frame, but for a little.
            assert all(abs(x) < 1.05 for shape in part.shapes
                       for x in shapes.extent(shape))


def accuracy(describe, many):
    """Classify the last third by its nearest neighbours in the first two."""
    features = np.stack([describe(scene) for scene in many])
    labels = np.array([scene.label for scene in many])
    split = 2 * len(features) // 3
    distances = ((features[split:, None] - features[:split])**2).sum(-1)
    return (labels[:split][distances.argmin(1)] == labels[split:]).mean()


def colour_histogram(scene, inside=...):
    bins = (scene.image[inside] // 64).astype(int) @ (16, 4, 1)
    return np.sqrt(np.bincount(bins.ravel(), minlength=64) / bins.size)


def outline(scene):
    """The main object's mask, scaled to 12 x 12."""
    mask = scene.objects == 1
    lines = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    at = [np.linspace(line[0], line[-1], 12).astype(int) for line in lines]
    return mask[np.ix_(*at)].astype(float).ravel()


@pytest.mark.slow
def test_shape_identifies_the_category_and_colour_does_not():
    """Each failure is compared with a success of the same measurement."""
    many = scenes((48, 48), 480)
    # 0.05, 0.07, 0.96; chance is 0.083, its standard error 0.022.
    assert accuracy(colour_histogram, many) < 0.16
    assert accuracy(lambda scene: scene.image[::4, ::4].ravel() / 255,
                    many) < 0.2
    assert accuracy(outline, many) > 0.8
    # Typical colours carry information; the main object's: 0.06, 0.93.
    for probability, low, high in ((0., 0., 0.2), (1., 0.7, 1.)):
        many = scenes((48, 48), 240, typical_colors=probability)
        assert low <= accuracy(
            lambda scene: colour_histogram(scene, scene.objects == 1),
            many) <= high


def test_items_are_scenes():
    data = PartWholeScenes(30, size=(32, 48), seed=4)
    assert len(data) == 30
    scene = make_scene(4, 13, SceneOptions(size=(32, 48)))
    item = data[13]
    np.testing.assert_array_equal(item['img'], scene.image[..., ::-1])
    assert item['img'].flags.c_contiguous
    assert item['img_shape'] == item['ori_shape'] == (32, 48)
    assert item['gt_label'] == scene.label == 1
    # MMSegmentation's transforms move these with the image.
    fields = ['gt_seg_map', 'gt_object_map', 'gt_part_map']
    assert item['seg_fields'] == fields
    for key, field in zip(fields, FIELDS[1:]):
        np.testing.assert_array_equal(item[key], getattr(scene, field))
    val = PartWholeScenes(2, split='val', size=(32, 48))
    expected = make_scene(0, FIRST_VAL_INDEX + 1, data.options)
    np.testing.assert_array_equal(val[1]['gt_part_map'], expected.parts)


def test_metainfo_and_categories():
    voc = PascalVOCDataset.METAINFO
    # In alphabetical order, as MMPretrain numbers folders.
    assert PartWholeScenes(1).metainfo['classes'] == voc['classes'][1:13]
    meta = PartWholeScenes(1, task='segmentation').metainfo
    assert meta['classes'] == voc['classes'][:13]
    assert meta['palette'] == voc['palette'][:13]
    assert PartWholeScenes(1, num_poles=2, task='segmentation').metainfo[
        'classes'][POLE_ID] == 'pole'
    data = PartWholeScenes(5, categories=('dog', 'boat'), size=(32, 32),
                           metainfo=dict(note='x'))
    assert data.metainfo['classes'] == ('dog', 'boat')
    assert data.metainfo['note'] == 'x'
    for i in range(5):
        assert data.get_cat_ids(i) == [data[i]['gt_label']] == [i % 2]


CODE = """
import sys
import mmhierseg
sys.modules['mmseg'] = None
from mmhierseg.registry import DATASETS, TRANSFORMS
assert len(DATASETS.build(dict(type='PartWholeScenes', num_scenes=3))) == 3
TRANSFORMS.build(dict(type='LoadPanopticMap'))
TRANSFORMS.build(dict(type='LoadPartMap'))
for name in ('KITTISTEPDataset', 'PartImageNetDataset'):
    try:
        DATASETS.build(dict(type=name, split='train'))
    except ImportError as error:
        print(error)
"""


def test_without_mmsegmentation():
    """Users of MMPretrain do not need it."""
    output = subprocess.check_output([sys.executable, '-c', CODE], text=True)
    for name in ('KITTISTEPDataset', 'PartImageNetDataset'):
        assert f'{name} needs the package `mmseg`: pip install' in output
