from pathlib import Path

import numpy as np
import pytest
from mmseg.datasets import (
    ADE20KDataset,
    CityscapesDataset,
    PascalContextDataset,
    PascalVOCDataset,
)
from scene_layouts import (
    LAYOUTS,
    kitti_step_frame,
    scene_paths,
    semantic_ids,
    voc_image_set,
)

from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    SceneOptions,
    class_names,
    scene_index,
)

OPTIONS = SceneOptions(size=(32, 48), categories=('cat', 'boat', 'car'))
#: Class of the data set, how its ids are shifted, and other names.
DATA_SETS = dict(
    voc=(PascalVOCDataset, 0, {}),
    cityscapes=(CityscapesDataset, 0, {}),
    kitti_step=(CityscapesDataset, 0, {}),
    ade20k=(ADE20KDataset, 1, dict(aeroplane='airplane',
                                   diningtable='table')),
    pascal_context=(PascalContextDataset, 0, dict(diningtable='table')))


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


@pytest.mark.parametrize('layout', DATA_SETS)
def test_ids_are_those_of_the_data_set(layout):
    data_set, shift, other_names = DATA_SETS[layout]
    classes = data_set.METAINFO['classes']
    ids = semantic_ids(layout).astype(int) - shift
    assert len(set(ids)) == len(ids) == 14
    assert ids.min() >= 0 and ids.max() < len(classes)
    for name, i in zip(class_names(num_poles=1), ids):
        name = other_names.get(name, name)
        # Whatever has a class of its name is of that class.
        assert (name == classes[i]) == (name in classes) or layout == 'voc'


@pytest.mark.parametrize('layout', DATA_SETS)
def test_documentation_lists_the_ids(layout):
    text = (Path(__file__).parents[3] / 'docs/data.md').read_text()
    rows = [row for row in text.splitlines() if row.startswith('| `')]
    ids = ' '.join(map(str, semantic_ids(layout)))
    assert any(f'`{layout}`' in row and f'| {ids} |' in row for row in rows)


@pytest.mark.parametrize('call', [
    lambda: scene_paths('coco', 'train', 0, OPTIONS),
    lambda: semantic_ids('coco'),
])
def test_unknown_layout(call):
    with pytest.raises(ValueError, match="one of .*got 'coco'"):
        call()


@pytest.mark.parametrize('layout', LAYOUTS)
def test_no_two_scenes_share_a_path(layout):
    paths = [
        path for split in ('train', 'val') for number in range(40)
        for targets in scene_paths(layout, split, number, OPTIONS).values()
        for path in targets
    ]
    assert len(set(paths)) == len(paths)
    with pytest.raises(ValueError, match="'train' or 'val', got 'test'"):
        scene_paths(layout, 'test', 0, OPTIONS)


def test_augmented_voc_scene_has_no_place_among_vocs_own():
    paths = scene_paths('voc', 'train', 3, OPTIONS)
    assert paths['semantic'] == ('SegmentationClassAug/train_00000003.png', )


def test_frames_of_kitti_step_fill_all_sequences():
    frames = [kitti_step_frame('train', i) for i in range(24)]
    assert frames[0] == 'train/0000/000000'
    assert frames[23] == 'train/0020/000001'


def test_folder_of_an_image_of_part_imagenet_is_its_category():
    """Also in validation, whose first number is no multiple of three."""
    for split in ('train', 'val'):
        for number in range(3):
            path = scene_paths('part_imagenet', split, number,
                               OPTIONS)['image'][0]
            label = scene_index(split, number) % 3
            wnid = ('n02124075', 'n04612504', 'n03594945')[label]
            assert path == f'images/{split}/{wnid}/{wnid}_{number}.JPEG'
