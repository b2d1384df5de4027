"""The converter of PartImageNet."""

import json

import numpy as np
import pytest
from helpers.disk import fill_disk_at
from helpers.part_imagenet import make_part_imagenet
from helpers.scripts import load_script
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART

SPLITS = ('--splits', 'train', 'val')


@pytest.fixture(scope='module')
def script():
    return load_script('dataset_converters/part_imagenet.py')


@pytest.fixture
def root(tmp_path):
    make_part_imagenet(tmp_path)
    return tmp_path


def test_labels(script, tmp_path, capsys):
    """That PartImageNetDataset reads both is tested there."""
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


def test_resume(script, root, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        # The part map of this image has been written then.
        fill_disk_at(patch, 'object/val/n02835271')
        with pytest.raises(UserError, match='No space left.*resumes from'):
            script.main([str(root), *SPLITS, '--workers', '1'])
    assert not list(root.rglob('*.part'))
    done = len(list((root / 'labels/object').rglob('*.png')))
    assert done >= 4
    script.main([str(root), *SPLITS, '--workers', '2'])
    assert f'of 6 images ({6 - done} new)' in capsys.readouterr().out
    assert len(list((root / 'labels').rglob('*.png'))) == 12


def test_checks_come_first(script, root):
    with pytest.raises(UserError, match="no '.*annotations/test.json'"):
        script.main([str(root)])
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
