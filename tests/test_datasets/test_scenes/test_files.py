import json

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from PIL import Image

from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    SceneOptions,
    files,
    make_scene,
)
from mmhierseg.datasets.scenes.files import label_map, write_file, write_scene
from mmhierseg.datasets.scenes.layouts import (
    LAYOUTS,
    scene_index,
    scene_paths,
    voc_image_set,
)

OPTIONS = SceneOptions(size=(32, 48))


def test_palette_is_that_of_pascal_voc():
    expected = PascalVOCDataset.METAINFO['palette']
    assert voc_palette()[:21].tolist() == expected
    assert len(np.unique(voc_palette(), axis=0)) == 256


def test_validation_has_scenes_of_its_own():
    assert scene_index('train', 5) == 5
    assert scene_index('val', 5) == FIRST_VAL_INDEX + 5
    with pytest.raises(ValueError, match="'train' or 'val', got 'test'"):
        scene_index('test', 0)


def test_voc_image_sets_are_balanced_and_grow():
    sets = [voc_image_set(i, 12) for i in range(48)]
    for name in ('train', 'aug'):
        labels = [i % 12 for i in range(48) if sets[i] == name]
        assert np.bincount(labels, minlength=12).tolist() == [2] * 12


def test_unknown_layout():
    with pytest.raises(ValueError, match="one of .*got 'coco'"):
        scene_paths('coco', 'train', 0, OPTIONS)


@pytest.mark.parametrize('layout', files.LAYOUTS)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_what_is_written_is_the_scene(layout, split, tmp_path):
    assert write_scene(tmp_path, layout, split, 14, 3, OPTIONS)
    scene = make_scene(3, scene_index(split, 14), OPTIONS)
    paths = scene_paths(layout, split, 14, OPTIONS)
    # Last: where it is, the label maps are.
    assert list(paths)[-1] == 'image'
    for field, targets in paths.items():
        for target in targets:
            with Image.open(tmp_path / target) as image:
                array = np.asarray(image)
                if field == 'image':
                    # JPEG is not exact.
                    assert abs(array - scene.image.astype(int)).mean() < 12
                else:
                    assert image.mode == 'P'
                    np.testing.assert_array_equal(array,
                                                  getattr(scene, field))
    written = {
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob('*') if path.is_file()
    }
    assert written == {target for t in paths.values() for target in t}


def test_augmented_voc_scene_has_no_place_among_vocs_own():
    paths = scene_paths('voc', 'train', 12, OPTIONS)
    assert paths['semantic'] == ('SegmentationClassAug/train_00000012.png', )


def test_finished_scene_is_left_alone(tmp_path, monkeypatch):
    write_scene(tmp_path, 'voc', 'train', 0, 0, OPTIONS)

    def fail(*_):
        raise AssertionError('made again')

    monkeypatch.setattr(files, 'make_scene', fail)
    assert not write_scene(tmp_path, 'voc', 'train', 0, 0, OPTIONS)


@pytest.mark.parametrize('error', [OSError(28, 'No space'), KeyboardInterrupt])
def test_no_half_file_is_left(error, tmp_path, monkeypatch):
    path = tmp_path / 'folder' / 'file.json'
    write_file(path, json.dumps([1, 2]).encode())

    def fail(*_):
        raise error

    monkeypatch.setattr(files.os, 'replace', fail)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        write_file(path, b'[1, 2, 3')
    assert [p.name for p in path.parent.iterdir()] == ['file.json']
    assert json.loads(path.read_text()) == [1, 2]
