import json

import numpy as np
import pytest
from helpers.part_imagenet import NAMES, make_part_imagenet
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from PIL import Image

from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART
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
        # Twice: an epoch leaves the next one its masks.
        for _ in range(2):
            np.testing.assert_array_equal(truth(data[i]), expected)


def test_the_log_tells_what_is_left_out(root, capsys):
    # A logger of its own, which writes to what is captured here.
    MMLogger.get_instance('test_part_imagenet')
    build(root)
    printed = capsys.readouterr().out
    assert '1 of 4 images of' in printed and 'are left out' in printed


def test_works_in_a_runner_of_mmsegmentation(root):
    init_default_scope('mmseg')
    pipeline = [
        dict(type='mmhierseg.LoadImage'),
        dict(type='Resize', scale=(72, 48), keep_ratio=True),
        dict(type='mmhierseg.LoadPartMap'),
        dict(type='PackSegInputs')
    ]
    sample = build(root, pipeline=pipeline, test_mode=True)[1]
    assert sample['inputs'].shape == (3, 48, 72)
    # Ground truth of testing keeps its size.
    assert truth(sample).shape == (24, 36)


def test_label_pngs(root):
    name = f'{NAMES[0][:9]}/{NAMES[0]}'
    for other in NAMES[1:]:
        (root / 'images/train' / other[:9] / f'{other}.JPEG').unlink()
    (root / 'images/train/n02099601/n02099601_4.JPEG').unlink()
    labels = np.full((24, 36), 7, dtype=np.uint8)
    path = root / 'labels/part/train' / f'{name}.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(labels).save(path)
    pipeline = [
        PIPELINE[0],
        dict(type='mmseg.LoadAnnotations'), PIPELINE[2]
    ]
    data = build(
        root,
        ann_file='',
        data_prefix=dict(
            img_path='images/train', seg_map_path='labels/part/train'),
        pipeline=pipeline)
    assert len(data) == 1
    np.testing.assert_array_equal(truth(data[0]), labels)


def test_images_in_one_heap(root):
    folder = root / 'images/train'
    for path in list(folder.rglob('*.JPEG')):
        path.rename(folder / path.name)
    assert len(build(root)) == 3


def test_choice_of_classes(root):
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
    with pytest.raises(ValueError, match=r"\['Tree'\], which are no objects"):
        build(root, labels='object', metainfo=dict(classes=['Tree']))


def test_missing_image(root):
    (root / 'images/train/n02835271/n02835271_11.JPEG').unlink()
    with pytest.raises(
            FileNotFoundError,
            match=r'1 of 3 images .* n02835271_11.JPEG. They are expected'):
        build(root)


def test_missing_files(root):
    with pytest.raises(FileNotFoundError, match='annotation file .*test.json'):
        build(root, ann_file='annotations/test.json')
    with pytest.raises(FileNotFoundError, match='there is no folder'):
        build(root, data_prefix=dict(img_path='images/test'))
    with pytest.raises(ValueError, match="'part' or 'object', got 'whole'"):
        build(root, labels='whole')


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
    with pytest.raises(ValueError, match=message):
        build(root)


@pytest.mark.parametrize('content', [b'', b'{"images": ', b'\xff\xfe\x00'])
def test_files_that_are_no_json(root, content):
    (root / 'annotations/train.json').write_bytes(content)
    with pytest.raises(ValueError, match='annotation file .* cannot be'):
        build(root)


def test_masks_of_another_size(root):
    edit(root / 'annotations/train.json',
         lambda data: data['images'][0].update(height=36, width=24))
    data = build(root)
    with pytest.raises(ValueError, match='is 36 x 24 but its .* 24 x 36'):
        data[0]
