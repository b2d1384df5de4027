import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scene_files as files
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmpretrain.datasets import CustomDataset, ImageNet
from PIL import Image
from scene_layouts import LAYOUTS, semantic_ids
from scene_parts import FOLDERS

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECTS
from mmhierseg.datasets.scenes import CATEGORIES

NAMES = tuple(category.name for category in CATEGORIES)
SCRIPT = (
    Path(__file__).parents[2] /
    'tools/dataset_converters/make_part_whole_scenes.py')


@pytest.fixture(scope='module')
def script():
    spec = importlib.util.spec_from_file_location('make_scenes', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Workers look its functions up by the module's name.
    sys.modules['make_scenes'] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules['make_scenes']


@pytest.fixture
def make(script, monkeypatch):
    """Run the program in this process."""

    def run(*words):
        words = ('--size', '32', '40', '--train', '24', '--val', '12',
                 '--workers', '1', *map(str, words))
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *words])
        script.main()

    return run


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*') if path.is_file()
    }


def test_imagenet_layout(make, tmp_path, capsys):
    make(tmp_path)
    assert '24 training and 12 validation scenes (36 new)' in (
        capsys.readouterr().out)
    for data in (CustomDataset(str(tmp_path), data_prefix='train'),
                 ImageNet(
                     str(tmp_path),
                     split='train',
                     metainfo=dict(classes=NAMES))):
        assert len(data) == 24
        assert tuple(data.CLASSES) == NAMES
        for i in range(24):
            info = data.get_data_info(i)
            number = int(Path(info['img_path']).stem.split('_')[1])
            assert info['gt_label'] == number % 12
    val = ImageNet(str(tmp_path), split='val', metainfo=dict(classes=NAMES))
    assert val.get_gt_labels().tolist() == list(range(12))
    path = Path(val.get_data_info(3)['img_path'])
    assert Image.open(path).size == (40, 32)
    for kind in ('semantic', 'object', 'part'):
        name = path.relative_to(tmp_path).with_suffix('.png')
        assert Image.open(tmp_path / 'maps' / kind / name).size == (40, 32)


def voc_data_set(root, names, folder):
    return DATASETS.build(
        dict(
            type='mmseg.PascalVOCDataset',
            data_root=str(root),
            data_prefix=dict(img_path='JPEGImages', seg_map_path=folder),
            ann_file=f'ImageSets/Segmentation/{names}.txt',
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg.LoadAnnotations'),
                dict(type='mmseg.PackSegInputs')
            ]))


@pytest.mark.parametrize('names, folder, count', [
    ('train', 'SegmentationClass', 12),
    ('trainval', 'SegmentationClass', 24),
    ('val', 'SegmentationClass', 12),
    ('aug', 'SegmentationClassAug', 12),
    ('trainaug', 'SegmentationClassAug', 24),
])
def test_voc_layout(make, tmp_path, names, folder, count):
    make(tmp_path, '--layout', 'voc')
    data = voc_data_set(tmp_path, names, folder)
    assert len(data) == count
    for i in range(count):
        sample = data[i]['data_samples']
        truth = sample.gt_sem_seg.data[0].numpy()
        stem = Path(sample.img_path).stem
        # The main object's category is the scene's number, modulo twelve.
        objects = np.asarray(
            Image.open(tmp_path / 'SegmentationObject' / f'{stem}.png'))
        parts = np.asarray(
            Image.open(tmp_path / 'SegmentationPart' / f'{stem}.png'))
        assert set(truth[objects == 1]) == {1 + int(stem[-8:]) % 12}
        np.testing.assert_array_equal(parts > 0, truth > 0)


def test_mmsegmentations_own_config_reads_it(make, tmp_path):
    make(tmp_path / 'VOC2012', '--layout', 'voc')
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmseg::_base_/datasets/pascal_voc12_aug.py'")
    dataset = Config.fromfile(config).train_dataloader.dataset
    init_default_scope('mmseg')
    for part in dataset.datasets:
        part.data_root = str(tmp_path / 'VOC2012')
        for step in part.pipeline:
            if step.type == 'RandomResize':
                step.scale = (80, 64)
    data = DATASETS.build(dataset)
    assert len(data) == 24
    for i in (3, 20):
        truth = data[i]['data_samples'].gt_sem_seg.data
        assert set(truth.unique().tolist()) <= {*range(13), 255}


SEMANTIC = dict(
    cityscapes=('mmseg.CityscapesDataset', 'leftImg8bit/{}', 'gtFine/{}'),
    kitti_step=('mmhierseg.KITTISTEPDataset', 'images/{}',
                'panoptic_maps/{}'),
    ade20k=('mmseg.ADE20KDataset', 'images/{}', 'annotations/{}'),
    pascal_context=('mmseg.PascalContextDataset', 'JPEGImages',
                    'SegmentationClassContext'))


def read_truth(root, split, kind, images, maps, **options):
    """Label maps that a data set class gives, by the path of the image."""
    folder = dict(train='training', val='validation')[split]
    split = folder if kind == 'mmseg.ADE20KDataset' else split
    load = ('mmhierseg.LoadPanopticMap' if 'KITTI' in kind else
            'mmhierseg.LoadPartMap' if maps is None else
            'mmseg.LoadAnnotations')
    data = DATASETS.build(
        dict(
            type=kind,
            data_root=str(root),
            data_prefix={
                name: path.format(split)
                for name, path in (('img_path', images),
                                   ('seg_map_path', maps)) if path
            },
            pipeline=[
                dict(type='mmhierseg.LoadImage'),
                dict(type=load),
                dict(type='mmseg.PackSegInputs')
            ],
            **options))
    samples = [data[i]['data_samples'] for i in range(len(data))]
    return {
        sample.img_path: sample.gt_sem_seg.data[0].numpy()
        for sample in samples
    }


def map_of(root, path, kind):
    """Object or part map of an image, in the scene's own ids."""
    name = Path(path).relative_to(root).with_suffix('').as_posix()
    name = name.partition('/')[2].replace('_leftImg8bit', '')
    return np.asarray(Image.open(root / 'maps' / kind / f'{name}.png'))


@pytest.mark.parametrize('split, count', [('train', 24), ('val', 12)])
@pytest.mark.parametrize('layout', SEMANTIC)
def test_data_set_class_reads_its_layout(make, tmp_path, layout, split,
                                         count):
    make(tmp_path, '--layout', layout, '--num-poles', '1')
    options = dict(
        ann_file=f'ImageSets/SegmentationContext/{split}.txt'
    ) if layout == 'pascal_context' else {}
    truth = read_truth(tmp_path, split, *SEMANTIC[layout], **options)
    assert len(truth) == count
    # ADE20K's files count from 1, its classes from 0.
    ids = semantic_ids(layout) - (layout == 'ade20k')
    main = set()
    for path, labels in truth.items():
        assert labels.shape == (32, 40)
        assert set(np.unique(labels)) <= set(ids)
        objects = map_of(tmp_path, path, 'object')
        np.testing.assert_array_equal(labels == ids[0], objects == 0)
        main |= set(labels[objects == 1])
    # Categories take turns.
    assert main == set(ids[1:13])


def test_pascal_context_without_background(make, tmp_path):
    make(tmp_path, '--layout', 'pascal_context')
    truth = read_truth(
        tmp_path,
        'val',
        'mmseg.PascalContextDataset59',
        'JPEGImages',
        'SegmentationClassContext',
        ann_file='ImageSets/SegmentationContext/val.txt')
    for path, labels in truth.items():
        np.testing.assert_array_equal(labels == 255,
                                      map_of(tmp_path, path, 'object') == 0)


@pytest.mark.parametrize('split, count', [('train', 24), ('val', 12)])
def test_part_imagenet_layout(make, tmp_path, split, count):
    make(tmp_path, '--layout', 'part_imagenet')
    truth = {
        labels: read_truth(
            tmp_path,
            split,
            'mmhierseg.PartImageNetDataset',
            'images/{}',
            None,
            labels=labels,
            ann_file=f'annotations/{split}.json')
        for labels in ('part', 'object')
    }
    assert len(truth['part']) == count
    wnids = list(FOLDERS.values())
    for path, labels in truth['part'].items():
        foreground = map_of(tmp_path, path, 'part') > 0
        np.testing.assert_array_equal(labels > 0, foreground)
        whole = truth['object'][path]
        np.testing.assert_array_equal(whole > 0, foreground)
        # The main object is what the folder says.
        category = list(FOLDERS)[wnids.index(Path(path).parent.name)]
        found = set(whole[map_of(tmp_path, path, 'object') == 1])
        assert len(found) == 1
        name = OBJECTS[found.pop() - 1]
        assert name == dict(
            bus='Car', cat='Quadruped', cow='Quadruped',
            dog='Quadruped').get(category, category.capitalize())


@pytest.mark.parametrize('options, message', [
    (('--categories', 'cat', 'chair'), 'PartImageNet has no chair: its lay'),
    (('--num-poles', '1'), 'PartImageNet has no poles'),
])
def test_what_part_imagenet_cannot_hold(make, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        make(tmp_path / 'out', '--layout', 'part_imagenet', *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('layout', LAYOUTS)
def test_workers_write_the_same_files(layout, make, script, tmp_path,
                                      monkeypatch):
    monkeypatch.setattr(script, 'CHUNK', 5)
    make(tmp_path / 'one', '--layout', layout)
    make(tmp_path / 'two', '--layout', layout, '--workers', '2')
    make(tmp_path / 'other', '--layout', layout, '--seed', '1')
    one, two, other = (contents(tmp_path / name)
                       for name in ('one', 'two', 'other'))
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one
               if name.endswith(('.jpg', '.JPEG', '_leftImg8bit.png'))
               or name.startswith('images/') and layout == 'kitti_step')


@pytest.mark.parametrize('layout, image', [
    ('voc', 'JPEGImages/train_00000003.jpg'),
    ('kitti_step', 'images/train/0004/000000.png'),
    ('part_imagenet', 'images/train/n04612504/n04612504_3.JPEG'),
])
def test_takes_up_and_grows(make, tmp_path, capsys, layout, image):
    whole, grown = tmp_path / 'whole', tmp_path / 'grown'
    make(whole, '--layout', layout)
    make(grown, '--layout', layout, '--train', '5', '--val', '1')
    lost = grown / image
    lost.unlink()
    lost.with_name(f'{lost.name}.part').write_bytes(b'half a file')
    capsys.readouterr()
    make(grown, '--layout', layout)
    assert '(31 new)' in capsys.readouterr().out
    assert contents(grown) == contents(whole)


@pytest.mark.parametrize('options, message', [
    (('--seed', '3'), 'seed 0, asked for 3'),
    (('--size', '48', '48'), r'size \[32, 40\], asked for \[48, 48\]'),
    (('--layout', 'voc'), "layout 'imagenet', asked for 'voc'"),
    (('--train', '4'), '24 train scenes, asked for 4'),
    (('--typical-colors', '0.5'), 'typical_colors None, asked for 0.5'),
])
def test_refuses_to_mix_settings(make, tmp_path, options, message):
    make(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=message):
        make(tmp_path, *options)
    assert contents(tmp_path) == before


def test_refuses_to_mix_colours(make, tmp_path):
    make(tmp_path, '--typical-colors', '1')
    with pytest.raises(UserError, match='typical_colors 1.0, asked for n'):
        make(tmp_path)


def test_leaves_a_real_data_set_alone(make, tmp_path):
    (tmp_path / 'ImageSets').mkdir()
    with pytest.raises(UserError, match='not made by this program'):
        make(tmp_path, '--layout', 'voc')
    assert contents(tmp_path) == {}


def test_unreadable_manifest(make, tmp_path):
    (tmp_path / 'part_whole_scenes.json').write_text('{"seed": ')
    with pytest.raises(UserError, match='cannot be read'):
        make(tmp_path)


def test_manifest_names_the_ids(make, tmp_path):
    make(tmp_path, '--num-poles', '1')
    described = json.loads((tmp_path / 'part_whole_scenes.json').read_text())
    assert described['semantic_classes'][13] == 'pole'
    assert described['semantic_ids'] == list(range(14))
    assert described['parts'][1] == 'aeroplane wing'
    assert (described['train'], described['val']) == (24, 12)


@pytest.mark.parametrize('workers', [1, 2])
def test_disk_that_is_full(make, tmp_path, monkeypatch, workers):
    replace = os.replace

    def full(source, target):
        if '00000007' in str(target):
            raise OSError(28, 'No space left on device', str(target))
        replace(source, target)

    # Forked workers have it, too.
    monkeypatch.setattr(files.os, 'replace', full)
    with pytest.raises(UserError, match='No space left.*goes on from'):
        make(tmp_path, '--workers', str(workers))
    assert not list(tmp_path.rglob('*.part'))
    monkeypatch.undo()


def interrupted(root, workers):
    """Start the program, interrupt it when it has begun to write."""
    process = subprocess.Popen(
        [
            sys.executable, SCRIPT, root, '--train', '100000', '--workers',
            str(workers), '--size', '64', '64'
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            **os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)
        })
    try:
        deadline = time.monotonic() + 60
        while not any(root.rglob('*.JPEG')):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        # As the terminal does it: to all processes of the group.
        os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=60), process.returncode
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize('workers', [1, 2])
def test_interrupt_leaves_whole_files(tmp_path, workers):
    (_, errors), status = interrupted(tmp_path, workers)
    assert status == 130
    assert 'the same command goes on' in errors
    assert 'Traceback' not in errors
    assert not list(tmp_path.rglob('*.part'))
    images = list(tmp_path.rglob('*.JPEG'))
    assert 0 < len(images) < 100000
    for path in images:
        name = path.relative_to(tmp_path).with_suffix('.png')
        for kind in ('semantic', 'object', 'part'):
            Image.open(tmp_path / 'maps' / kind / name).load()
        Image.open(path).load()


def test_figure(make, tmp_path):
    make('--figure', tmp_path / 'figure.png', '--categories', 'dog', 'car')
    # Two columns of four pictures, 40 x 32 each.
    width, height = Image.open(tmp_path / 'figure.png').size
    assert 80 < width < 400 and 4 * 32 < height < 400
    assert [path.name for path in tmp_path.iterdir()] == ['figure.png']


@pytest.mark.parametrize('options, message', [
    ((), 'name the root of the data set, or --figure'),
    (('out', '--figure', 'x.png'), 'name the root of the data set, or'),
    (('out', '--workers', '0'), '--workers must be at least 1, got 0'),
    (('out', '--val', '-1'), '--val must be at least 0, got -1'),
])
def test_bad_command_line(make, options, message, capsys):
    with pytest.raises(SystemExit):
        make(*options)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('options, message', [
    (('--size', '4', '40'), '`size` must be'),
    (('--categories', 'unicorn'), 'unicorn'),
    (('--seed', '-1'), '`seed` must lie in'),
])
def test_bad_options(make, options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        make(tmp_path / 'out', *options)
    assert not list(tmp_path.iterdir())
