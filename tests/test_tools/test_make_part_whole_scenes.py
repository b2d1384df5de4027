import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers.disk import contents, run_and_stop
from helpers.scripts import TOOLS, run_main
from mmengine.registry import DATASETS
from mmpretrain.datasets import ImageNet
from PIL import Image
from scene_files import label_map
from scene_layouts import LAYOUTS, scene_paths, semantic_ids
from scene_parts import FOLDERS

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART, OBJECTS
from mmhierseg.datasets.scenes import (
    SceneOptions,
    class_names,
    make_scene,
    scene_index,
)

TOOL = 'dataset_converters/make_part_whole_scenes.py'
NAMES = class_names()[1:]
WORDS = ('--size', '32', '40', '--train', '24', '--val', '12', '--workers',
         '1')


def run(*words):
    run_main(TOOL, *WORDS, *words)


def options_of(layout):
    """Options of a layout on the command line."""
    poles = '0' if layout == 'part_imagenet' else '1'
    return '--layout', layout, '--num-poles', poles


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Root of a layout; each is made once."""

    @cache
    def root(layout):
        folder = tmp_path_factory.mktemp(layout)
        run(folder, *options_of(layout))
        return folder

    return root


@pytest.mark.parametrize('layout', LAYOUTS)
def test_files_are_the_scenes(layout, made):
    root = made(layout)
    limited = layout == 'part_imagenet'
    options = SceneOptions(
        size=(32, 40),
        categories=tuple(FOLDERS) if limited else NAMES,
        num_poles=0 if limited else 1)
    expected = []
    for split, count in (('train', 24), ('val', 12)):
        for i in range(count):
            paths = scene_paths(layout, split, i, options)
            # Last: where it exists, the label maps do.
            assert list(paths)[-1] == 'image'
            expected += [target for t in paths.values() for target in t]
        scene = make_scene(0, scene_index(split, i), options)
        for field, target in ((f, t) for f in paths for t in paths[f]):
            array = np.asarray(Image.open(root / target))
            if field == 'image':
                # JPEG is not exact.
                difference = abs(array - scene.image.astype(int)).mean()
                assert difference < (1e-9 if '.png' in target else 20)
            else:
                np.testing.assert_array_equal(
                    array, label_map(scene, field, layout))
    lists = ('part_whole_scenes.json', 'ImageSets/', 'annotations/train.json',
             'annotations/val.json')
    assert sorted(path for path in contents(root)
                  if not path.startswith(lists)) == sorted(expected)


def test_labels_and_lists(made):
    root = made('imagenet')
    data = ImageNet(str(root), split='train', metainfo=dict(classes=NAMES))
    assert len(data) == 24 and tuple(data.CLASSES) == NAMES
    for i in range(24):
        info = data.get_data_info(i)
        number = int(Path(info['img_path']).stem.split('_')[1])
        assert info['gt_label'] == number % 12
    described = json.loads((root / 'part_whole_scenes.json').read_text())
    assert described['semantic_classes'][13] == 'pole'
    folder = made('voc') / 'ImageSets/Segmentation'
    sets = {path.stem: path.read_text().split() for path in folder.iterdir()}
    assert {name: len(names) for name, names in sets.items()} == dict(
        train=12, aug=12, trainaug=24, val=12, trainval=24)
    assert sorted(sets['train'] + sets['aug']) == sets['trainaug']


def test_part_imagenet(made):
    """The other dataset classes read their layouts in the tests of configs."""
    root = made('part_imagenet')
    data = DATASETS.build(
        dict(
            type='mmhierseg.PartImageNetDataset',
            data_root=str(root),
            data_prefix=dict(img_path='images/train'),
            ann_file='annotations/train.json',
            pipeline=[dict(type='mmhierseg.LoadPartMap')]))
    assert len(data) == 24
    for item in data:
        labels = item['gt_seg_map']
        path = item['img_path'].replace('images', 'maps/object')
        objects = np.asarray(Image.open(Path(path).with_suffix('.png')))
        np.testing.assert_array_equal(labels == 0, objects == 0)
        # The main object is that of the folder.
        category, = (name for name, folder in FOLDERS.items()
                     if folder in path)
        whole, = set(OBJECT_OF_PART[labels[objects == 1]])
        assert OBJECTS[whole - 1] == dict(
            bus='Car', cat='Quadruped', cow='Quadruped',
            dog='Quadruped').get(category, category.capitalize())


DATASET_CLASSES = dict(
    voc='mmseg.PascalVOCDataset',
    cityscapes='mmseg.CityscapesDataset',
    kitti_step='mmhierseg.KITTISTEPDataset',
    ade20k='mmseg.ADE20KDataset',
    pascal_context='mmseg.PascalContextDataset')


@pytest.mark.parametrize('layout', DATASET_CLASSES)
def test_ids_are_those_of_the_dataset(layout):
    classes = DATASETS.get(DATASET_CLASSES[layout]).METAINFO['classes']
    ids = semantic_ids(layout).astype(int) - (layout == 'ade20k')
    assert len(set(ids)) == len(ids) == 14
    assert ids.min() >= 0 and ids.max() < len(classes)
    other_names = dict(diningtable='table')
    if layout == 'ade20k':
        other_names['aeroplane'] = 'airplane'
    for name, i in zip(class_names(num_poles=1), ids):
        name = name if name in classes else other_names.get(name, name)
        # A category with a class of its name has its id.
        assert (name == classes[i]) == (name in classes) or layout == 'voc'


@pytest.mark.parametrize('layout, image, workers', [
    ('voc', 'JPEGImages/train_00000003.jpg', '1'),
    ('part_imagenet', 'images/train/n04612504/n04612504_3.JPEG', '2'),
])
def test_resumes_and_grows(made, tmp_path, capsys, layout, image, workers):
    """With any number of workers, the files are the same."""
    options = (tmp_path, *options_of(layout))
    run(*options, '--train', '5', '--val', '1')
    (tmp_path / image).unlink()
    run(*options, '--workers', workers)
    assert '(31 new)' in capsys.readouterr().out
    assert contents(tmp_path) == contents(made(layout))


def test_refuses_to_mix_settings(made, tmp_path):
    root = made('imagenet')
    before = contents(root)
    for options, message in (
        (('--seed', '3'), 'seed 0, requested 3'),
        (('--layout', 'voc'), "layout 'imagenet', requested 'voc'"),
        (('--train', '4'), '24 train scenes, requested 4'),
    ):
        with pytest.raises(UserError, match=message):
            run(root, '--num-poles', '1', *options)
    assert contents(root) == before
    # It may be a real dataset.
    (tmp_path / 'ImageSets').mkdir()
    with pytest.raises(UserError, match='not made by this program'):
        run(tmp_path, '--layout', 'voc')


@pytest.mark.slow
def test_interrupt_leaves_complete_files(tmp_path):
    errors, status = run_and_stop(
        [TOOLS / TOOL, tmp_path, '--train', 100000, '--workers', 2, '--size',
         64, 64], tmp_path, '*.JPEG')
    assert status == 130
    assert 'the same command resumes' in errors
    assert 'Traceback' not in errors
    assert not list(tmp_path.rglob('*.part'))
    images = list(tmp_path.rglob('*.JPEG'))
    assert 0 < len(images) < 100000
    for path in images:
        name = path.relative_to(tmp_path).with_suffix('.png')
        for file in (path, *(tmp_path / 'maps' / kind / name
                             for kind in ('semantic', 'object', 'part'))):
            Image.open(file).load()


def test_figure_and_bad_options(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, message in (
        ('--figure x.png', 'name the root of the dataset, or'),
        ('--categories unicorn', 'unicorn'),
        ('--layout part_imagenet --categories chair', 'has no chair: its lay'),
        ('--layout part_imagenet --num-poles 1', 'PartImageNet has no poles'),
    ):
        with pytest.raises((SystemExit, UserError)) as caught:
            run('out', *words.split())
        assert message in capsys.readouterr().err + str(caught.value)
    assert not list(tmp_path.iterdir())
    run('--figure', 'figure.png', '--categories', 'dog', 'car')
    # Two columns of four pictures, 40 x 32 each.
    width, height = Image.open('figure.png').size
    assert 80 < width < 400 and 4 * 32 < height < 400
