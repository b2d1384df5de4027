"""The converter of KITTI-STEP."""

import os

import numpy as np
import pytest
import scene_files as files
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
    # Of the real sequences most are missing.
    assert 'lacks 0001, 0003, 0004, 0005, 0009 and 5 more' in printed.err
    for name, pixels in maps.items():
        with Image.open(tmp_path / 'labels' / f'{name}.png') as image:
            assert image.mode == 'P'
            np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])
            colors = np.asarray(image.convert('RGB'))
            road = pixels[..., 0] == 0
            assert (colors[road] == CityscapesDataset.METAINFO['palette'][0]
                    ).all()


@pytest.mark.parametrize('split', ['train', 'val'])
def test_both_ways_of_reading_agree(script, root, split):
    script.main([str(root)])
    samples = []
    for folder, load in (('panoptic_maps', 'mmhierseg.LoadPanopticMap'),
                         ('labels', 'mmseg.LoadAnnotations')):
        data = DATASETS.build(
            dict(
                type='mmhierseg.KITTISTEPDataset',
                data_root=str(root),
                data_prefix=dict(
                    img_path=f'images/{split}',
                    seg_map_path=f'{folder}/{split}'),
                pipeline=[
                    dict(type='mmhierseg.LoadImage'),
                    dict(type=load),
                    dict(type='mmseg.PackSegInputs')
                ]))
        samples.append([
            data[i]['data_samples'].gt_sem_seg.data.numpy()
            for i in range(len(data))
        ])
    for one, other in zip(*samples):
        np.testing.assert_array_equal(one, other)


def test_takes_up_where_it_stopped(script, root, capsys, monkeypatch):
    replace = os.replace

    def full(source, target):
        if '0020/000000' in str(target):
            raise OSError(28, 'No space left on device', str(target))
        replace(source, target)

    monkeypatch.setattr(files.os, 'replace', full)
    with pytest.raises(UserError, match='No space left.*goes on from'):
        script.main([str(root), '--workers', '1'])
    monkeypatch.undo()
    assert not list(root.rglob('*.part'))
    done = {path: path.stat().st_mtime_ns
            for path in (root / 'labels').rglob('*.png')}
    assert 0 < len(done) < 6
    capsys.readouterr()
    script.main([str(root), '--workers', '2'])
    assert f'6 label maps ({6 - len(done)} new)' in capsys.readouterr().out
    assert done == {path: path.stat().st_mtime_ns for path in done}


def test_out_and_splits(script, root, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    script.main([str(root), '--out', str(out), '--splits', 'val'])
    assert {path.name for path in out.iterdir()} == {'val'}
    assert not (root / 'labels').exists()


def add(root, name, size=(20, 34)):
    pixels = panoptic_map(np.random.default_rng(1), size)
    for folder in ('images', 'panoptic_maps'):
        save_png(pixels, root / folder / f'{name}.png')
    return root / 'panoptic_maps' / f'{name}.png'


def test_nothing_is_written_for_a_wrong_split(script, root):
    add(root, 'val/0001/000000')
    with pytest.raises(UserError, match="0001, which belongs to 'train'"):
        script.main([str(root)])
    assert not (root / 'labels').exists()


@pytest.mark.parametrize('missing, message', [
    ('images/val/0002/000001.png', 'label maps has no image: 0002/000001'),
    ('panoptic_maps/val/0002/000001.png', 'has no label map: 0002/000001'),
])
def test_nothing_is_written_if_something_is_missing(script, root, missing,
                                                    message):
    (root / missing).unlink()
    with pytest.raises(UserError, match=message):
        script.main([str(root)])
    assert not (root / 'labels').exists()


def test_maps_of_another_kind(script, root):
    path = add(root, 'train/0001/000000')
    labels = np.asarray(Image.open(path))[..., 0]
    save_png(labels, path)
    with pytest.raises(UserError, match='000000.png. must be a PNG of'):
        script.main([str(root)])
    save_png(panoptic_map(np.random.default_rng(1), (34, 20)), path)
    with pytest.raises(UserError, match='is 34 x 20 but its image'):
        script.main([str(root)])


def test_missing_folder(script, tmp_path):
    with pytest.raises(UserError, match='there is no folder .*images/trai'):
        script.main([str(tmp_path)])


def test_bad_command_line(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main([str(tmp_path), '--workers', '0'])
    assert '--workers must be at least 1, got 0' in capsys.readouterr().err


def test_interrupt(script, root, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, 'convert_frame', interrupt)
    with pytest.raises(SystemExit, match='130'):
        script.main([str(root)])
    assert 'the same command goes on' in capsys.readouterr().err
