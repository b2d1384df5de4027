"""The converter of PartImageNet."""

import json
import os

import numpy as np
import pytest
import scene_files as files
from helpers.part_imagenet import make_part_imagenet
from helpers.scripts import load_script
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART
from mmhierseg.registry import DATASETS

SPLITS = ('--splits', 'train', 'val')


@pytest.fixture(scope='module')
def script():
    return load_script('dataset_converters/part_imagenet.py')


@pytest.fixture
def root(tmp_path):
    make_part_imagenet(tmp_path)
    return tmp_path


def test_labels(script, tmp_path, capsys):
    maps = make_part_imagenet(tmp_path)
    script.main([str(tmp_path), *SPLITS])
    assert 'label maps of 6 images (6 new)' in capsys.readouterr().out
    for name, expected in maps.items():
        for kind, table in (('part', np.arange(41)),
                            ('object', OBJECT_OF_PART)):
            path = tmp_path / 'labels' / kind / f'{name}.png'
            with Image.open(path) as image:
                assert image.mode == 'P'
                np.testing.assert_array_equal(
                    np.asarray(image), table[expected])
    names = json.loads((tmp_path / 'labels/part_imagenet.json').read_text())
    assert names['part'][26] == 'Car Tier' and names['object'][7] == 'Car'


@pytest.mark.parametrize('labels', ['part', 'object'])
def test_both_ways_of_reading_agree(script, root, labels):
    script.main([str(root), *SPLITS])
    # The image without a part has no label map.
    (root / 'images/val/n02099601/n02099601_4.JPEG').unlink()
    samples = []
    for load, options in (
        (dict(type='mmhierseg.LoadPartMap'),
         dict(
             ann_file='annotations/val.json',
             data_prefix=dict(img_path='images/val'))),
        (dict(type='mmseg.LoadAnnotations'),
         dict(
             data_prefix=dict(
                 img_path='images/val', seg_map_path=f'labels/{labels}/val'))),
    ):
        data = DATASETS.build(
            dict(
                type='mmhierseg.PartImageNetDataset',
                labels=labels,
                data_root=str(root),
                pipeline=[
                    dict(type='mmhierseg.LoadImage'), load,
                    dict(type='mmseg.PackSegInputs')
                ],
                **options))
        samples.append({
            data[i]['data_samples'].img_path:
            data[i]['data_samples'].gt_sem_seg.data.numpy()
            for i in range(len(data))
        })
    assert samples[0].keys() == samples[1].keys() and len(samples[0]) == 3
    for path, labels in samples[0].items():
        np.testing.assert_array_equal(labels, samples[1][path])


def test_takes_up_where_it_stopped(script, root, capsys, monkeypatch):
    replace = os.replace

    def full(source, target):
        # Of this image, the part map has been written then.
        if 'object/val/n02835271' in str(target):
            raise OSError(28, 'No space left on device', str(target))
        replace(source, target)

    monkeypatch.setattr(files.os, 'replace', full)
    with pytest.raises(UserError, match='No space left.*goes on from'):
        script.main([str(root), *SPLITS, '--workers', '1'])
    monkeypatch.undo()
    assert not list(root.rglob('*.part'))
    done = len(list((root / 'labels/object').rglob('*.png')))
    assert done >= 4
    capsys.readouterr()
    script.main([str(root), *SPLITS, '--workers', '2'])
    assert f'of 6 images ({6 - done} new)' in capsys.readouterr().out
    assert len(list((root / 'labels').rglob('*.png'))) == 12


def test_missing_split(script, root):
    with pytest.raises(UserError, match="no '.*annotations/test.json'"):
        script.main([str(root)])
    assert not (root / 'labels').exists()


def test_missing_image(script, root):
    (root / 'images/val/n02835271/n02835271_11.JPEG').unlink()
    with pytest.raises(UserError, match='n02835271_11.JPEG. They are'):
        script.main([str(root), *SPLITS])
    assert not (root / 'labels').exists()


def test_masks_of_another_size(script, root):
    path = root / 'annotations/val.json'
    data = json.loads(path.read_text())
    data['images'][1].update(height=36, width=24)
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match='are 36 x 24 but the image 24 x 36'
                       ):
        script.main([str(root), *SPLITS])


def test_bad_command_line(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main([str(tmp_path), '--workers', '0'])
    assert '--workers must be at least 1, got 0' in capsys.readouterr().err


def test_interrupt(script, root, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, 'convert_image', interrupt)
    with pytest.raises(SystemExit, match='130'):
        script.main([str(root), *SPLITS])
    assert 'the same command goes on' in capsys.readouterr().err
