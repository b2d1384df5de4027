"""The converter of KITTI-STEP."""

import numpy as np
import pytest
from helpers.disk import fill_disk_at
from helpers.panoptic import make_kitti_step, panoptic_map, save_png
from helpers.scripts import load_script
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS


@pytest.fixture(scope='module')
def script():
    return load_script('dataset_converters/kitti_step.py')


@pytest.fixture
def root(tmp_path):
    make_kitti_step(tmp_path)
    return tmp_path


def test_labels(script, tmp_path, capsys):
    maps = make_kitti_step(tmp_path)
    script.main([str(tmp_path)])
    printed = capsys.readouterr()
    assert '6 label maps (6 new)' in printed.out
    # Most of the real sequences are missing.
    assert 'lacks 0001, 0003, 0004, 0005, 0009 and 5 more' in printed.err
    for name, pixels in maps.items():
        with Image.open(tmp_path / 'labels' / f'{name}.png') as image:
            assert image.mode == 'P'
            np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])
            colors = np.asarray(image.convert('RGB'))
            road = pixels[..., 0] == 0
            assert (colors[road] == CityscapesDataset.METAINFO['palette'][0]
                    ).all()
    data = DATASETS.build(
        dict(
            type='mmhierseg.KITTISTEPDataset',
            data_root=str(tmp_path),
            data_prefix=dict(
                img_path='images/val', seg_map_path='labels/val'),
            pipeline=[
                dict(type='mmhierseg.LoadImage'),
                dict(type='mmseg.LoadAnnotations'),
                dict(type='mmseg.PackSegInputs')
            ]))
    for i, sample in enumerate(data):
        np.testing.assert_array_equal(
            sample['data_samples'].gt_sem_seg.data[0],
            maps[f'val/0002/{i:06d}'][..., 0])


def test_resume(script, root, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_at(patch, '0020/000000')
        with pytest.raises(UserError, match='No space left.*resumes from'):
            script.main([str(root), '--workers', '1'])
    assert not list(root.rglob('*.part'))
    done = {path: path.stat().st_mtime_ns
            for path in (root / 'labels').rglob('*.png')}
    assert 0 < len(done) < 6
    script.main([str(root), '--workers', '2'])
    assert f'6 label maps ({6 - len(done)} new)' in capsys.readouterr().out
    assert done == {path: path.stat().st_mtime_ns for path in done}


def test_out_and_splits(script, root, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    script.main([str(root), '--out', str(out), '--splits', 'val'])
    assert {path.name for path in out.iterdir()} == {'val'}
    assert not (root / 'labels').exists()


def test_checks_come_first(script, root, tmp_path_factory):
    (root / 'images/val/0002/000001.png').unlink()
    with pytest.raises(UserError, match='map has no image: 0002/000001|'
                       'label maps has no image: 0002/000001'):
        script.main([str(root)])
    pixels = panoptic_map(np.random.default_rng(1))
    for folder in ('images', 'panoptic_maps'):
        save_png(pixels, root / folder / 'val/0001/000000.png')
    with pytest.raises(UserError, match="0001, which belongs to 'train'"):
        script.main([str(root)])
    assert not (root / 'labels').exists()
    with pytest.raises(UserError, match='there is no folder .*images/trai'):
        script.main([str(tmp_path_factory.mktemp('empty'))])


def test_bad_maps(script, root):
    path = root / 'panoptic_maps/train/0000/000000.png'
    save_png(np.zeros((20, 34), dtype=np.uint8), path)
    with pytest.raises(UserError, match='000000.png. must be a PNG of'):
        script.main([str(root)])
    save_png(panoptic_map(np.random.default_rng(1), (34, 20)), path)
    with pytest.raises(UserError, match='is 34 x 20 but its image'):
        script.main([str(root)])
