"""The converters of KITTI-STEP and PartImageNet to label PNGs."""

import json

import numpy as np
import pytest
from helpers.disk import fill_disk_at
from helpers.panoptic import make_kitti_step, panoptic_map, save_png
from helpers.part_imagenet import edit, make_part_imagenet
from helpers.scripts import load_script
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART

SPLITS = ('--splits', 'train', 'val')


@pytest.fixture
def kitti_step():
    return load_script('dataset_converters/kitti_step.py').main


@pytest.fixture
def part_imagenet():
    return load_script('dataset_converters/part_imagenet.py').main


def check_png(path, labels):
    with Image.open(path) as image:
        assert image.mode == 'P'
        np.testing.assert_array_equal(np.asarray(image), labels)
        return np.asarray(image.convert('RGB'))


def test_kitti_step(kitti_step, tmp_path, capsys):
    maps = make_kitti_step(tmp_path)
    kitti_step([str(tmp_path)])
    printed = capsys.readouterr()
    assert '6 label maps (6 new)' in printed.out
    # Most of the real sequences are missing.
    assert 'lacks 0001, 0003, 0004, 0005, 0009 and 5 more' in printed.err
    for name, pixels in maps.items():
        labels = pixels[..., 0]
        colors = check_png(tmp_path / 'labels' / f'{name}.png', labels)
        road = CityscapesDataset.METAINFO['palette'][0]
        assert (colors[labels == 0] == road).all()
    out = tmp_path / 'out'
    kitti_step([str(tmp_path), '--out', str(out), '--splits', 'val'])
    assert {path.name for path in out.iterdir()} == {'val'}


def test_part_imagenet(part_imagenet, tmp_path, capsys):
    """That PartImageNetDataset reads both is tested there."""
    maps = make_part_imagenet(tmp_path)
    part_imagenet([str(tmp_path), *SPLITS])
    assert 'label maps of 6 images (6 new)' in capsys.readouterr().out
    for name, expected in maps.items():
        for kind, table in (('part', np.arange(41)),
                            ('object', OBJECT_OF_PART)):
            check_png(tmp_path / 'labels' / kind / f'{name}.png',
                      table[expected])
    names = json.loads((tmp_path / 'labels/part_imagenet.json').read_text())
    assert names['part'][26] == 'Car Tier' and names['object'][7] == 'Car'


@pytest.mark.parametrize('tool, make, full, count', [
    ('kitti_step', make_kitti_step, '0020/000000', 6),
    # The part map of this image has been written then.
    ('part_imagenet', make_part_imagenet, 'object/val/n02835271', 12),
])
def test_resume(tool, make, full, count, request, tmp_path, capsys,
                monkeypatch):
    main = request.getfixturevalue(tool)
    make(tmp_path)
    with monkeypatch.context() as patch:
        fill_disk_at(patch, full)
        with pytest.raises(UserError, match='No space left.*resumes from'):
            main([str(tmp_path), *SPLITS, '--workers', '1'])
    assert not list(tmp_path.rglob('*.part'))
    done = {path: path.stat().st_mtime_ns
            for path in (tmp_path / 'labels').rglob('0*.png')}
    main([str(tmp_path), *SPLITS, '--workers', '2'])
    new = int(capsys.readouterr().out.rpartition('(')[2].split()[0])
    assert 0 < new < 6
    assert len(list((tmp_path / 'labels').rglob('*.png'))) == count
    assert done == {path: path.stat().st_mtime_ns for path in done}


def test_bad_kitti_step(kitti_step, tmp_path):
    make_kitti_step(tmp_path)
    pixels = panoptic_map(np.random.default_rng(1), (34, 20))
    path = tmp_path / 'panoptic_maps/train/0000/000000.png'
    for array, message in ((pixels[..., 0], '000000.png. must be a PNG of'),
                           (pixels, 'is 34 x 20 but its image')):
        save_png(array, path)
        with pytest.raises(UserError, match=message):
            kitti_step([str(tmp_path), '--out', str(tmp_path / 'out')])
    # Files are looked for before anything is written.
    (tmp_path / 'images/val/0002/000001.png').unlink()
    with pytest.raises(UserError, match='maps has no image: 0002/000001'):
        kitti_step([str(tmp_path)])
    for folder in ('images', 'panoptic_maps'):
        save_png(pixels, tmp_path / folder / 'val/0001/000000.png')
    with pytest.raises(UserError, match="0001, which belongs to 'train'"):
        kitti_step([str(tmp_path)])
    assert not (tmp_path / 'labels').exists()


def test_bad_part_imagenet(part_imagenet, tmp_path):
    make_part_imagenet(tmp_path)
    with pytest.raises(UserError, match="no '.*annotations/test.json'"):
        part_imagenet([str(tmp_path)])
    (tmp_path / 'images/val/n02835271/n02835271_11.JPEG').rename(
        tmp_path / 'images/val/moved.JPEG')
    with pytest.raises(UserError, match='n02835271_11.JPEG. They are'):
        part_imagenet([str(tmp_path), *SPLITS])
    assert not (tmp_path / 'labels').exists()
    edit(tmp_path / 'annotations/train.json',
         lambda data: data['images'][1].update(height=36, width=24))
    with pytest.raises(UserError, match='is 36 x 24 but its image .* 24 x 36'):
        part_imagenet([str(tmp_path), '--splits', 'train'])
