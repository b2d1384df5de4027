import json

import numpy as np
import pytest
from helpers.part_imagenet import NAMES, make_part_imagenet
from helpers.scripts import load_script
from mmengine.logging import MMLogger

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
    class_names,
    class_palette,
    part_id,
)
from mmhierseg.registry import DATASETS

PIPELINE = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='mmhierseg.LoadPartMap'),
    dict(type='mmseg.PackSegInputs')
]


@pytest.fixture
def root(tmp_path):
    make_part_imagenet(tmp_path)
    return tmp_path


def build(root, **options):
    return DATASETS.build(
        dict(
            type='mmhierseg.PartImageNetDataset',
            data_root=str(root),
            **dict(
                dict(
                    ann_file='annotations/train.json',
                    data_prefix=dict(img_path='images/train'),
                    pipeline=PIPELINE), **options)))


def truth(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


@pytest.mark.parametrize('labels, count', [('part', 41), ('object', 12)])
def test_reads_annotations(tmp_path, labels, count):
    maps = make_part_imagenet(tmp_path)
    data = build(tmp_path, labels=labels)
    assert len(data.metainfo['classes']) == count
    assert len(data.metainfo['palette']) == count
    # An image without any part is left out.
    assert len(data) == 3
    for i, name in enumerate(NAMES):
        assert data.get_data_info(i)['img_path'].endswith(
            f'images/train/{name[:9]}/{name}.JPEG')
        expected = maps[f'train/{name[:9]}/{name}']
        if labels == 'object':
            expected = OBJECT_OF_PART[expected]
        # Twice: reading a sample must not consume its masks.
        for _ in range(2):
            np.testing.assert_array_equal(truth(data[i]), expected)


def test_log_counts_images_left_out(root, capsys):
    # A new logger writes to the captured output.
    MMLogger.get_instance('test_part_imagenet')
    build(root)
    printed = capsys.readouterr().out
    assert '1 of 4 images of' in printed and 'are left out' in printed


@pytest.mark.parametrize('labels', ['part', 'object'])
def test_label_pngs_of_the_converter(root, labels):
    script = load_script('dataset_converters/part_imagenet.py')
    script.main([str(root), '--splits', 'train'])
    expected = build(root, labels=labels)
    # The image without a part has no label map.
    (root / 'images/train/n02099601/n02099601_4.JPEG').unlink()
    data = build(
        root,
        labels=labels,
        ann_file='',
        data_prefix=dict(
            img_path='images/train', seg_map_path=f'labels/{labels}/train'),
        pipeline=[
            PIPELINE[0],
            dict(type='mmseg.LoadAnnotations'), PIPELINE[2]
        ])
    found = {s['data_samples'].img_path: truth(s) for s in data}
    assert len(found) == len(expected) == 3
    for sample in expected:
        np.testing.assert_array_equal(
            truth(sample), found[sample['data_samples'].img_path])


def test_images_in_one_folder(root):
    folder = root / 'images/train'
    for path in list(folder.rglob('*.JPEG')):
        path.rename(folder / path.name)
    assert len(build(root)) == 3


def test_subset_of_classes(root):
    original = truth(build(root, labels='object')[0])
    ids = sorted(set(np.unique(original)) - {0})
    names = build(root, labels='object').metainfo['classes']
    data = build(
        root,
        labels='object',
        metainfo=dict(classes=[names[ids[-1]], 'background']))
    found = truth(data[0])
    np.testing.assert_array_equal(found == 0, original == ids[-1])
    np.testing.assert_array_equal(found == 1, original == 0)
    assert len(data.metainfo['palette']) == 2
    with pytest.raises(UserError, match=r"\['Tree'\], which are no objects"):
        build(root, labels='object', metainfo=dict(classes=['Tree']))


def test_missing_files(root):
    (root / 'images/train/n02835271/n02835271_11.JPEG').unlink()
    for options, message in (
        (dict(), r'1 of 3 images .* n02835271_11.JPEG. They are expected'),
        (dict(ann_file='annotations/test.json'), 'annotation file .*test.js'),
        (dict(data_prefix=dict(img_path='images/test')), 'there is no folder'),
        (dict(labels='whole'), "'part' or 'object', got 'whole'"),
    ):
        with pytest.raises(UserError, match=message):
            build(root, **options)


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize('change, message', [
    (lambda data: data.pop('categories'), "no COCO-style JSON.*'categories'"),
    (lambda data: data['images'][0].pop('height'), "KeyError: 'height'"),
    (lambda data: data['images'][0].update(width='wide'), 'cannot be read'),
    (lambda data: data.update(annotations=3), 'no COCO-style JSON.*TypeErr'),
    (lambda data: data['categories'][0].update(name='Leaf'),
     "no part 'Leaf' of 'Quadruped'"),
    (lambda data: data['annotations'][0].update(image_id=99),
     'images that it does not list: image_id 99'),
    (lambda data: data['annotations'][0].update(category_id=40),
     'categories that it does not list, in n02690373_7'),
    (lambda data: data.update(annotations=[]), 'annotates no part'),
])
def test_wrong_annotations(root, change, message):
    edit(root / 'annotations/train.json', change)
    with pytest.raises(UserError, match=message):
        build(root)


def test_files_that_are_no_json(root):
    for content in (b'', b'{"images": ', b'\xff\xfe\x00'):
        (root / 'annotations/train.json').write_bytes(content)
        with pytest.raises(UserError, match='annotation file .* cannot be'):
            build(root)


def test_masks_of_another_size(root):
    edit(root / 'annotations/train.json',
         lambda data: data['images'][0].update(height=36, width=24))
    with pytest.raises(UserError, match='is 36 x 24 but its .* 24 x 36'):
        build(root)[0]


def test_classes():
    """Those of the paper: 11 super-categories, 40 parts."""
    assert len(OBJECTS) == 11 and len(PARTS) == len(set(PARTS)) == 40
    assert np.bincount(OBJECT_OF_PART).tolist() == [
        1, 4, 5, 4, 5, 2, 4, 3, 4, 2, 5, 2
    ]
    for labels, count in (('part', 41), ('object', 12)):
        assert len(class_names(labels)) == count
        colors = {tuple(color) for color in class_palette(labels)}
        assert len(colors) == count


def test_spellings_of_parts():
    for name, supercategory, expected in (
        ('Quadruped Head', 'Quadruped', 1),
        ('head', 'quadruped', 1),
        ('side-mirror', 'CAR', 27),
        ('Bicycle Tire', 'Bicycle', 31),
        ('Bottle_Body', 'Bottle', 40),
    ):
        assert part_id(name, supercategory) == expected
    with pytest.raises(UserError, match="no part 'Car Sail' of 'Car'; its pa"):
        part_id('Car Sail', 'Car')
    with pytest.raises(UserError, match="'Car Body' is no part of 'Boat'"):
        part_id('Car Body', 'Boat')
