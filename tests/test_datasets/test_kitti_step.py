import numpy as np
import pytest
from helpers.panoptic import make_kitti_step, panoptic_map, save_png
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.kitti_step_split import SEQUENCES, check_sequences
from mmhierseg.datasets.transforms import LoadPanopticMap
from mmhierseg.registry import DATASETS

PIPELINE = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='mmhierseg.LoadPanopticMap'),
    dict(type='mmseg.PackSegInputs')
]


def build(root, **options):
    return DATASETS.build(
        dict(
            type='mmhierseg.KITTISTEPDataset',
            data_root=str(root),
            **dict(dict(pipeline=PIPELINE), **options)))


def truth(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


def names_of(data):
    infos = map(data.get_data_info, range(len(data)))
    return ['/'.join(info['img_path'].split('/')[-2:]) for info in infos]


def test_reads_panoptic_maps(tmp_path):
    maps = make_kitti_step(tmp_path)
    data = build(tmp_path, split='train')
    names = names_of(data)
    assert names == [
        '0000/000000.png', '0000/000001.png', '0020/000000.png',
        '0020/000001.png'
    ]
    for i, name in enumerate(names):
        assert data[i]['inputs'].shape == (3, 20, 34)
        np.testing.assert_array_equal(
            truth(data[i]), maps[f'train/{name[:-4]}'][..., 0])
    for key in ('classes', 'palette'):
        assert data.metainfo[key] == CityscapesDataset.METAINFO[key]
    # Folders in place of a split, as in configs of MMSegmentation.
    prefix = dict(img_path='images/train', seg_map_path='panoptic_maps/train')
    by_folders = build(tmp_path, data_prefix=prefix)
    assert by_folders.split == 'train'
    assert by_folders.get_data_info(3) == data.get_data_info(3)
    # Images alone.
    data = build(
        tmp_path,
        data_prefix=dict(img_path='images/val'),
        pipeline=[PIPELINE[0], PIPELINE[2]])
    assert len(data) == 2 and 'gt_sem_seg' not in data[0]['data_samples']


def test_subset_of_classes_and_frames(tmp_path):
    maps = make_kitti_step(tmp_path)
    # A new id is the old id of another class.
    data = build(tmp_path, split='val', metainfo=dict(classes=('car', 'road')))
    original = maps['val/0002/000000'][..., 0]
    expected = np.full_like(original, 255)
    expected[original == 13], expected[original == 0] = 0, 1
    np.testing.assert_array_equal(truth(data[0]), expected)
    path = tmp_path / 'some.txt'
    path.write_text('0020/000001\n0000/000000\n')
    data = build(tmp_path, split='train', ann_file='some.txt')
    assert names_of(data) == ['0020/000001.png', '0000/000000.png']
    path.write_text('0020/000009\n')
    with pytest.raises(FileNotFoundError, match='0020/000009 of the list'):
        build(tmp_path, split='train', ann_file='some.txt')


def test_missing_and_foreign_files(tmp_path):
    """Folders of another name may hold any sequence."""
    make_kitti_step(tmp_path)
    root = tmp_path
    for folder, message in (
        ('panoptic_maps', '1 of 4 images has no label map: 0020/000001 '),
        ('images', '1 of 4 label maps has no image: 0020/000001 .*remove the'),
    ):
        path = root / folder / 'train/0020/000001.png'
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FileNotFoundError, match=message) as caught:
            build(root, split='train')
        assert isinstance(caught.value, UserError)
        path.write_bytes(content)
    for folder in ('images', 'panoptic_maps'):
        save_png(
            panoptic_map(np.random.default_rng(1)),
            root / folder / 'train/0007/000000.png')
    with pytest.raises(UserError, match='images/train holds sequence 0007, '
                       "which belongs to 'val'"):
        build(root, split='train')
    for folder in ('images', 'panoptic_maps'):
        (root / folder / 'train').rename(root / folder / 'mine')
    prefix = dict(img_path='images/mine', seg_map_path='panoptic_maps/mine')
    assert len(build(root, data_prefix=prefix)) == 5
    # KITTI's tracking benchmark has 21 training sequences.
    assert sorted(SEQUENCES['train'] + SEQUENCES['val']) == list(range(21))
    for name, message in (
        ('0021', 'sequence 0021, which KITTI-STEP does not have'),
        ('city', "'city' where folders of sequences are expected"),
    ):
        with pytest.raises(UserError, match=message):
            check_sequences(['0002', name], 'val', 'images/val')


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


def test_files_that_are_no_panoptic_maps(tmp_path):
    """Damaged files, and those of another size: see test_load_image.py."""
    path = tmp_path / 'm.png'
    pixels = panoptic_map(np.random.default_rng(0), (6, 9))
    wrong = pixels.copy()
    wrong[2, 3, 0], wrong[4, 5, 0] = 19, 200
    for image, kind, message in (
        (pixels[..., 0], 'PNG', 'of mode L; label PNGs, which hold'),
        (pixels, 'JPEG', 'must be a PNG of mode RGB.* got JPEG'),
        (wrong, 'PNG', r'has \[19, 200\] in R.*0 to 18, or 255'),
    ):
        Image.fromarray(image).save(path, format=kind)
        with pytest.raises(UserError, match=message):
            LoadPanopticMap()(dict(seg_map_path=str(path)))
    save_png(pixels, path)
    results = dict(seg_map_path=str(path), ori_shape=(9, 6))
    with pytest.raises(UserError, match='is 6 x 9 but its image .* 9 x 6'):
        LoadPanopticMap()(results)
    # The image may have been resized already.
    LoadPanopticMap()(dict(results, ori_shape=(6, 9), img_shape=(3, 4)))
    path.unlink()
    with pytest.raises(FileNotFoundError, match="panoptic map .*m.png' does"):
        LoadPanopticMap()(results)
