import json

import numpy as np
import pytest
import scene_files
from PIL import Image
from scene_files import label_map, write_file, write_scene
from scene_layouts import (
    LAYOUTS,
    scene_paths,
)

from mmhierseg.datasets.scenes import SceneOptions, make_scene, scene_index

OPTIONS = SceneOptions(size=(32, 48))


@pytest.mark.parametrize('layout', LAYOUTS)
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
                    limit = 12 if image.format == 'JPEG' else 1e-9
                    difference = abs(array - scene.image.astype(int))
                    assert difference.mean() < limit
                else:
                    assert image.mode == (
                        'RGB' if field == 'panoptic' else 'P')
                    np.testing.assert_array_equal(
                        array, label_map(scene, field, layout))
    written = {
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob('*') if path.is_file()
    }
    assert written == {target for t in paths.values() for target in t}


def test_label_maps_of_a_layout():
    scene = make_scene(0, 6, SceneOptions(size=(40, 64), num_poles=1))
    assert label_map(scene, 'parts', 'ade20k') is scene.parts
    classes = label_map(scene, 'semantic', 'ade20k')
    assert set(classes[scene.semantic == 7]) == {21}  # car, 20, and one
    assert set(classes[scene.semantic == 13]) == {94}  # pole
    assert 0 not in classes
    panoptic = label_map(scene, 'panoptic', 'kitti_step')
    assert panoptic.shape == (40, 64, 3) and panoptic.dtype == np.uint8
    assert set(panoptic[scene.semantic == 7][:, 0]) == {13}
    np.testing.assert_array_equal(
        256 * panoptic[..., 1].astype(int) + panoptic[..., 2], scene.objects)


def test_finished_scene_is_left_alone(tmp_path, monkeypatch):
    write_scene(tmp_path, 'voc', 'train', 0, 0, OPTIONS)

    def fail(*_):
        raise AssertionError('made again')

    monkeypatch.setattr(scene_files, 'make_scene', fail)
    assert not write_scene(tmp_path, 'voc', 'train', 0, 0, OPTIONS)


@pytest.mark.parametrize('error', [OSError(28, 'No space'), KeyboardInterrupt])
def test_no_half_file_is_left(error, tmp_path, monkeypatch):
    path = tmp_path / 'folder' / 'file.json'
    write_file(path, json.dumps([1, 2]).encode())

    def fail(*_):
        raise error

    monkeypatch.setattr(scene_files.os, 'replace', fail)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        write_file(path, b'[1, 2, 3')
    assert [p.name for p in path.parent.iterdir()] == ['file.json']
    assert json.loads(path.read_text()) == [1, 2]
