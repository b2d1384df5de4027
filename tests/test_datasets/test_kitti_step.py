import re

import numpy as np
import pytest
from helpers.panoptic import make_kitti_step, panoptic_map, save_png
from mmseg.datasets import CityscapesDataset

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS

PIPELINE = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='mmhierseg.LoadPanopticMap'),
    dict(type='mmseg.PackSegInputs')
]


@pytest.fixture
def root(tmp_path):
    make_kitti_step(tmp_path)
    return tmp_path


def build(root, **options):
    return DATASETS.build(
        dict(
            type='mmhierseg.KITTISTEPDataset',
            data_root=str(root),
            **dict(dict(pipeline=PIPELINE), **options)))


def truth(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


def name_of(info):
    return '/'.join(info['img_path'].split('/')[-2:])


def test_reads_panoptic_maps(tmp_path):
    maps = make_kitti_step(tmp_path)
    data = build(tmp_path, split='train')
    names = [name_of(data.get_data_info(i)) for i in range(len(data))]
    assert names == [
        '0000/000000.png', '0000/000001.png', '0020/000000.png',
        '0020/000001.png'
    ]
    for i, name in enumerate(names):
        assert data[i]['inputs'].shape == (3, 20, 34)
        np.testing.assert_array_equal(
            truth(data[i]), maps[f'train/{name[:-4]}'][..., 0])


def test_folders_instead_of_a_split(root):
    """As in configs of MMSegmentation; the folder's name is the split."""
    prefix = dict(img_path='images/train', seg_map_path='panoptic_maps/train')
    by_folders = build(root, data_prefix=prefix)
    by_split = build(root, split='train')
    assert by_folders.split == 'train'
    assert [by_folders.get_data_info(i) for i in range(4)
            ] == [by_split.get_data_info(i) for i in range(4)]
    for key in ('classes', 'palette'):
        assert by_split.metainfo[key] == CityscapesDataset.METAINFO[key]


def test_subset_of_classes(tmp_path):
    maps = make_kitti_step(tmp_path)
    data = build(
        tmp_path, split='val', metainfo=dict(classes=('car', 'road')))
    original = maps['val/0002/000000'][..., 0]
    found = truth(data[0])
    np.testing.assert_array_equal(found == 0, original == 13)
    np.testing.assert_array_equal(found == 1, original == 0)
    assert set(np.unique(found)) == {0, 1, 255}


def test_list_of_frames(root):
    (root / 'some.txt').write_text('0020/000001\n0000/000000\n')
    data = build(root, split='train', ann_file='some.txt')
    assert [name_of(data.get_data_info(i)) for i in range(2)
            ] == ['0020/000001.png', '0000/000000.png']
    (root / 'some.txt').write_text('0020/000009\n')
    with pytest.raises(FileNotFoundError, match='0020/000009 of the list'):
        build(root, split='train', ann_file='some.txt')


def test_images_alone(root):
    data = build(
        root,
        data_prefix=dict(img_path='images/val'),
        pipeline=[PIPELINE[0], PIPELINE[2]])
    assert len(data) == 2
    assert 'gt_sem_seg' not in data[0]['data_samples']


def test_missing_map(root):
    (root / 'panoptic_maps/train/0020/000001.png').unlink()
    with pytest.raises(FileNotFoundError,
                       match='1 of 4 images has no label map: 0020/000001'):
        build(root, split='train')


def test_sequence_of_the_other_split(root):
    rng = np.random.default_rng(1)
    for folder in ('images', 'panoptic_maps'):
        save_png(panoptic_map(rng), root / folder / 'train/0007/000000.png')
    message = re.escape("images/train holds sequence 0007, which belongs to "
                        "'val'")
    with pytest.raises(UserError, match=message):
        build(root, split='train')
    # Folders of another name may hold any sequence.
    for folder in ('images', 'panoptic_maps'):
        (root / folder / 'train').rename(root / folder / 'mine')
    prefix = dict(img_path='images/mine', seg_map_path='panoptic_maps/mine')
    assert len(build(root, data_prefix=prefix)) == 5


def test_bad_options(tmp_path):
    for options, message in (
        (dict(split='test'), "`split` must be 'train' or 'val'.*got 'test'"),
        (dict(), "needs `split`, 'train' or 'val', or `data_prefix`"),
        (dict(data_prefix=dict(seg_map_path='x')), 'must name `img_path`'),
        (dict(split='train'), 'there is no folder .*images'),
    ):
        with pytest.raises(UserError, match=message):
            build(tmp_path, **options)
    for folder in ('images', 'panoptic_maps'):
        (tmp_path / folder / 'train').mkdir(parents=True)
    with pytest.raises(UserError, match='there is no image in'):
        build(tmp_path, split='train')
