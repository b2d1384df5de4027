import subprocess
import sys

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset

from mmhierseg.datasets import PartWholeScenes
from mmhierseg.datasets.scenes import SceneOptions, make_scene, scene_index

FIELDS = dict(
    gt_seg_map='semantic', gt_object_map='objects', gt_part_map='parts')


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
    assert item['seg_fields'] == list(FIELDS)
    for key, field in FIELDS.items():
        np.testing.assert_array_equal(item[key], getattr(scene, field))
    val = PartWholeScenes(2, split='val', size=(32, 48))
    expected = make_scene(0, scene_index('val', 1), data.options)
    np.testing.assert_array_equal(val[1]['gt_part_map'], expected.parts)


def test_metainfo_and_categories():
    voc = PascalVOCDataset.METAINFO
    assert PartWholeScenes(1).metainfo['classes'] == voc['classes'][1:13]
    meta = PartWholeScenes(1, task='segmentation').metainfo
    assert meta['classes'] == voc['classes'][:13]
    assert meta['palette'] == voc['palette'][:13]
    data = PartWholeScenes(
        5,
        categories=('dog', 'boat'),
        size=(32, 32),
        metainfo=dict(note='x'))
    assert data.metainfo['classes'] == ('dog', 'boat')
    assert data.metainfo['note'] == 'x'
    for i in range(5):
        assert data.get_cat_ids(i) == [data[i]['gt_label']] == [i % 2]


def test_bad_arguments():
    for options, message in (
        (dict(num_scenes=0), '`num_scenes` must be at least 1, got 0'),
        (dict(task='detection'), "`task` must be .*'detection'"),
    ):
        with pytest.raises(ValueError, match=message):
            PartWholeScenes(**dict(dict(num_scenes=1), **options))


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
