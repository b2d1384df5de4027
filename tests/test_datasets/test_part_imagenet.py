import re

import numpy as np
import pytest
from helpers.part_imagenet import NAMES, edit, make_part_imagenet
from helpers.scripts import load_script
from mmengine.logging import MMLogger
from PIL import Image
from pycocotools import mask as coco

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.coco_masks import decode_mask
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
    part_id,
)
from mmhierseg.datasets.transforms import LoadLabelMap, LoadPartMap
from mmhierseg.registry import DATASETS

PIPELINE = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='mmhierseg.LoadPartMap'),
    dict(type='mmseg.PackSegInputs')
]


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
def test_reads_annotations_and_label_pngs(tmp_path, labels, count, capsys):
    # A new logger writes to the captured output.
    MMLogger.get_instance(f'test_part_imagenet_{labels}')
    maps = make_part_imagenet(tmp_path)
    data = build(tmp_path, labels=labels)
    assert len(data.metainfo['classes']) == count
    assert len(set(map(tuple, data.metainfo['palette']))) == count
    assert len(data) == 3
    printed = capsys.readouterr().out
    assert '1 of 4 images of' in printed and 'are left out' in printed
    load_script('dataset_converters/part_imagenet.py').main(
        [str(tmp_path), '--splits', 'train'])
    # The image without a part has no label map.
    (tmp_path / 'images/train/n02099601/n02099601_4.JPEG').unlink()
    folders = dict(
        img_path='images/train', seg_map_path=f'labels/{labels}/train')
    load = dict(type='mmseg.LoadAnnotations')
    pngs = build(tmp_path, labels=labels, ann_file='', data_prefix=folders,
                 pipeline=[PIPELINE[0], load, PIPELINE[2]])
    found = {s['data_samples'].img_path: truth(s) for s in pngs}
    assert len(found) == 3
    for i, name in enumerate(NAMES):
        path = data.get_data_info(i)['img_path']
        assert path.endswith(f'images/train/{name[:9]}/{name}.JPEG')
        expected = maps[f'train/{name[:9]}/{name}']
        if labels == 'object':
            expected = OBJECT_OF_PART[expected]
        # Twice: reading a sample must not consume its masks.
        for array in (truth(data[i]), truth(data[i]), found[path]):
            np.testing.assert_array_equal(array, expected)
    # Images may lie in one folder.
    folder = tmp_path / 'images/train'
    for path in list(folder.rglob('*.JPEG')):
        path.rename(folder / path.name)
    assert len(build(tmp_path)) == 3


@pytest.mark.parametrize('orientation, annotated', [
    (6, None), (3, 'stored'), (3, 'upright')])
def test_turned_images(tmp_path, orientation, annotated):
    """The converter puts masks where the dataset does."""
    make_part_imagenet(tmp_path)
    name = f'train/{NAMES[0][:9]}/{NAMES[0]}'
    image = tmp_path / f'images/{name}.JPEG'
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(image) as stored:
        stored.save(image, format='PNG', exif=exif)
    words = [str(tmp_path), '--splits', 'train']
    main = load_script('dataset_converters/part_imagenet.py').main
    if annotated:
        for convert in (lambda: build(tmp_path)[0], lambda: main(words)):
            with pytest.raises(UserError, match="Choose by annotated='stor"):
                convert()
        words += ['--annotated', annotated]
    main(words)
    load = dict(PIPELINE[1], annotated=annotated)
    sample = build(tmp_path, pipeline=[PIPELINE[0], load, PIPELINE[2]])[0]
    # The PNG says that it is of the upright image.
    found = LoadLabelMap()(dict(
        img_path=str(image), reduce_zero_label=False, seg_fields=[],
        seg_map_path=str(tmp_path / f'labels/part/{name}.png')))
    assert sample['inputs'].shape[1:] == found['gt_seg_map'].shape
    np.testing.assert_array_equal(truth(sample), found['gt_seg_map'])


def test_subset_of_classes(tmp_path):
    make_part_imagenet(tmp_path)
    whole = build(tmp_path, labels='object')
    original = truth(whole[0])
    last = max(np.unique(original))
    name = whole.metainfo['classes'][last]
    classes = [name, 'background']
    data = build(tmp_path, labels='object', metainfo=dict(classes=classes))
    found = truth(data[0])
    np.testing.assert_array_equal(found == 0, original == last)
    np.testing.assert_array_equal(found == 1, original == 0)
    assert len(data.metainfo['palette']) == 2
    with pytest.raises(UserError, match=r"\['Tree'\], which are no objects"):
        build(tmp_path, labels='object', metainfo=dict(classes=['Tree']))


def test_bad_files(tmp_path):
    make_part_imagenet(tmp_path)
    path = tmp_path / 'annotations/train.json'
    whole = path.read_bytes()
    for change, message in (
        (lambda data: data.pop('categories'), "COCO-style JSON.*'categories'"),
        (lambda data: data['images'][0].update(width='wide'), 'cannot be rea'),
        (lambda data: data.update(annotations=3), 'a COCO-style JSON.*TypeE'),
        (lambda data: data['categories'][0].update(name='Leaf'),
         "no part 'Leaf' of 'Quadruped'"),
        (lambda data: data['annotations'][0].update(image_id=99),
         '1 of 6 annotations .*: id 0 .image_id 99 is no image'),
        (lambda data: data['annotations'][0].update(category_id=40),
         'id 0 of n02690373_7.JPEG .category_id 40 is no category'),
        (lambda data: data['images'].append(data['images'][0]),
         'lists an image or .* more than once: n02690373_7.JPEG'),
        (lambda data: data['images'][1].update(id=10), 'than once: an id'),
        (lambda data: data['categories'].append(data['categories'][0]),
         'than once: an id'),
        (lambda data: data['images'][0].update(height=-24), 'positive int'),
        (lambda data: data['images'][0].update(height=10**6, width=10**6),
         'n02690373_7.JPEG: it has 1000000 x 1000000 pixels, more than'),
        (lambda data: data.update(annotations=[]), 'annotates no part'),
    ):
        edit(path, change)
        with pytest.raises(UserError, match=message):
            build(tmp_path)
        path.write_bytes(whole)
    (tmp_path / 'images/train/n02835271/n02835271_11.JPEG').unlink()
    for options, message in (
        (dict(), r'1 of 3 images .* n02835271_11.JPEG. They are expected'),
        (dict(data_prefix=dict(img_path='images/test')), 'there is no folder'),
        (dict(ann_file='no.json'), "annotation file '.*no.json' does not ex"),
        (dict(labels='whole'), "'part' or 'object', got 'whole'"),
    ):
        with pytest.raises(UserError, match=message):
            build(tmp_path, **options)
    for content in (b'', b'{"images": ', b'\xff\xfe\x00'):
        path.write_bytes(content)
        with pytest.raises(UserError, match='annotation file .* cannot be'):
            build(tmp_path)


def test_classes():
    """Those of the paper: 11 super-categories, 40 parts."""
    assert len(OBJECTS) == 11 and len(PARTS) == len(set(PARTS)) == 40
    assert np.bincount(OBJECT_OF_PART).tolist() == [
        1, 4, 5, 4, 5, 2, 4, 3, 4, 2, 5, 2
    ]
    for name, supercategory, expected in (('head', 'quadruped', 1),
                                          ('side-mirror', 'CAR', 27),
                                          ('Bicycle Tire', 'Bicycle', 31)):
        assert part_id(name, supercategory) == expected
    with pytest.raises(UserError, match="'Car Body' is no part of 'Boat'"):
        part_id('Car Body', 'Boat')


SIZE = (4, 7)


def draw(*masks, **results):
    """Part map of masks, whose parts are 1, 2, ..."""
    parts = [
        dict(part_id=i, segmentation=mask) for i, mask in enumerate(masks, 1)
    ]
    return LoadPartMap()(
        dict(
            part_annotations=parts,
            part_size=SIZE,
            part_labels='part',
            img_path='a.JPEG',
            **results))['gt_seg_map']


def test_masks():
    # Two rectangles, x first; later masks are on top.
    whole = [[0, 0, 7, 0, 7, 4, 0, 4]]
    expected = np.ones(SIZE, dtype=np.uint8)
    expected[0:2, 1:3] = expected[1:4, 5:7] = 2
    found = draw(whole, [[1, 0, 3, 0, 3, 2, 1, 2], [5, 1, 7, 1, 7, 4, 5, 4]])
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(UserError, match='is 4 x 7 but its image .* 7 x 4'):
        draw(whole, ori_shape=(7, 4))
    with pytest.raises(UserError, match='needs PartImageNetDataset'):
        LoadPartMap()(dict(img_path='a.JPEG'))


def packed(*runs):
    """Compressed code of runs that need not be possible."""
    deltas = [run - runs[i - 2] * (i > 2) for i, run in enumerate(runs)]
    text = ''
    for number in deltas:
        while True:
            bits, number = number & 31, number >> 5
            more = number != -(bits >> 4)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


IMPOSSIBLE = [
    ([[1, 2, 3, 4, 5, 6, 7]], 'x and y of at least 3 points'),
    ([1, 2, 3, 4, 5, 6], 'x and y of at least 3 points'),
    ([[1, 2, 3, 4, 5, float('nan')]], 'NaN or infinity'),
    ([[1, 2, 3, 4, 5, 10**400]], 'NaN or infinity'),
    ([[1, 2, 3, 4, 5, '6']], 'must be numbers'),
    ([[1, 2, 3, 4, 5, True]], 'must be numbers'),
    ([[1, 2, 3, 4, 1e7, 4]], 'outside of the image by more than its size'),
    ([[1, 2, 3, 4, 1, -4.5]], 'outside of the image by more than its size'),
    ([[0, 0, 14, 8] * 150000], 'outline of a polygon is .* pixels long'),
    (None, 'expected polygons or a run-length code'),
    ('[[1, 2]]', 'expected polygons or a run-length code'),
    ([[[[[1, 2, 3, 4, 5, 6]]]]], 'must be numbers|x and y'),
    (dict(counts=[28], size=[7, 4]), r'is of size \[7, 4\], the image'),
    (dict(counts=[28], size=[-4, -7]), r'is of size \[-4, -7\], the image'),
    (dict(counts='', size=[4, 7]), "needs 'counts'"),
    (dict(counts=[3, 4], size=[4, 7]), 'its runs have 7 pixels.* 28'),
    (dict(counts=[-3, 31], size=[4, 7]), 'its runs have 28 pixels'),
    (dict(counts=[3, 25.], size=[4, 7]), 'must be integers'),
    (dict(counts='garbage', size=[4, 7]), 'invalid characters'),
    (dict(counts=packed(3, 25)[:-1], size=[4, 7]), 'runs have 3|truncated'),
    (dict(counts=packed(3, 1000)[:-1], size=[4, 7]), 'truncated'),
    (dict(counts=packed(30, -2), size=[4, 7]), 'one is negative'),
    (dict(counts=packed(2**45, 3), size=[4, 7]), 'over 32 bits'),
    (dict(counts='1 2', size=[4, 7]), 'invalid characters'),
    (dict(counts='1\udcff\u0437', size=[4, 7]), 'invalid characters'),
]


@pytest.mark.parametrize('segmentation, message', IMPOSSIBLE)
def test_bad_masks(segmentation, message):
    """Found before they reach pycocotools, which may crash."""
    with pytest.raises(
            UserError, match=f'the mask of part 1 cannot be .*{message}'):
        draw(segmentation)


def test_masks_are_decided_on_for_the_whole_file(tmp_path, capsys):
    """Impossible ones are one error; degenerate ones are counted."""
    maps = make_part_imagenet(tmp_path)
    path = tmp_path / 'annotations/train.json'
    whole = path.read_bytes()
    MMLogger.get_instance('test_whole_file')

    def put_degenerate(data):
        first, second, third = data['annotations'][:3]
        first['segmentation'] += [[], [3, 4], [1, 2, 3, 4]]
        second['segmentation'] = []
        third['segmentation'] = [[]]

    edit(path, put_degenerate)
    data = build(tmp_path)
    assert '5 polygons of fewer than three' in capsys.readouterr().out
    name = f'train/{NAMES[0][:9]}/{NAMES[0]}'
    found, both = truth(data[0]), maps[name]
    np.testing.assert_array_equal(found[:, :20], both[:, :20])
    assert not found[:, 20:].any()
    assert len(data) == 3

    def put_impossible(data):
        for i, (mask, _) in enumerate(IMPOSSIBLE):
            data['annotations'].append(
                dict(data['annotations'][0], id=100 + i, segmentation=mask))
        data['annotations'] += [3, dict(id=7, image_id=11), dict(image_id=[])]

    path.write_bytes(whole)
    edit(path, put_impossible)
    with pytest.raises(UserError) as caught:
        build(tmp_path)
    message = str(caught.value)
    # Images are larger than those that some of the masks are of.
    assert re.search(r'(\d+) of 34 annotations', message)[1] in ('27', '28')
    assert 'id 100 of n02690373_7.JPEG (a polygon needs' in message
    assert message.count(' of n0') == 5 and 'and 2' in message
    path.write_text('[' * 100000)
    with pytest.raises(UserError, match='cannot be read'):
        build(tmp_path)


def test_runs_are_those_of_pycocotools():
    rng = np.random.default_rng(0)
    for size in ((1, 1), (3, 300), (70, 50)):
        for density in (0., .01, .5, 1.):
            mask = rng.random(size) < density
            code = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
            edges = np.flatnonzero(np.diff(mask.T.ravel(), prepend=False))
            runs = np.diff([0, *edges, mask.size]).tolist()
            for counts in (runs, code['counts'], code['counts'].decode()):
                np.testing.assert_array_equal(
                    decode_mask(dict(code, counts=counts), size), mask)
