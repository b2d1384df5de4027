import json

import numpy as np
import pytest
from scene_files import write_scene
from scene_layouts import scene_paths
from scene_parts import (
    FOLDERS,
    annotations,
    image_name,
    part_imagenet_id,
)

from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART
from mmhierseg.datasets.part_imagenet_classes import OBJECTS as ALL_OBJECTS
from mmhierseg.datasets.part_imagenet_classes import PARTS as ALL_PARTS
from mmhierseg.datasets.part_imagenet_file import parse_annotations
from mmhierseg.datasets.scenes import (
    CATEGORIES,
    CATEGORY_OF_PART,
    PARTS,
    SceneOptions,
    make_scene,
)
from mmhierseg.datasets.transforms.load_part_map import draw_part_map

OPTIONS = SceneOptions(size=(40, 56), categories=tuple(FOLDERS))


def test_every_part_is_one_of_its_object():
    wholes = dict(
        bus='Car', cat='Quadruped', cow='Quadruped', dog='Quadruped')
    for part, whole in enumerate(CATEGORY_OF_PART[1:-2], start=1):
        name = CATEGORIES[whole - 1].name
        if name not in FOLDERS:
            assert name in ('chair', 'diningtable')
            continue
        found = part_imagenet_id(part)
        assert ALL_OBJECTS[OBJECT_OF_PART[found] - 1] == wholes.get(
            name, name.capitalize())
    assert ALL_PARTS[part_imagenet_id(1 + PARTS.index('dog leg')) -
                     1] == 'Quadruped Foot'


def test_what_it_cannot_hold():
    with pytest.raises(ValueError, match='no object that is a chair: name'):
        image_name('chair', 0)


def test_annotations_give_the_maps_back(tmp_path):
    names = []
    for number in range(10):
        write_scene(tmp_path, 'part_imagenet', 'train', number, 3, OPTIONS)
        paths = scene_paths('part_imagenet', 'train', number, OPTIONS)
        names.append(paths['image'][0][len('images/'):-len('.JPEG')])
    content = annotations(tmp_path, names)
    assert len(json.loads(content)['categories']) == 40
    images = parse_annotations(content, 'train.json')
    for number, image in enumerate(images):
        scene = make_scene(3, number, OPTIONS)
        expected = np.array([0] + [
            part_imagenet_id(part) if whole not in (9, 11, 13) else 0
            for part, whole in enumerate(CATEGORY_OF_PART[1:], start=1)
        ])[scene.parts]
        assert names[number].endswith(image.file_name[:-len('.JPEG')])
        np.testing.assert_array_equal(
            draw_part_map(image.parts, image.size, 'map'), expected)
        # One annotation for each part of each object.
        pairs = {*zip(scene.objects.ravel().tolist(),
                      expected.ravel().tolist())} - {(0, 0)}
        assert len(image.parts) == len(pairs)
