"""`_base_` configs of segmentation datasets, on scenes in their layouts."""

import cv2
import numpy as np
import pytest
import torch
from helpers.config_runs import cases
from helpers.configs import ROOT
from helpers.segmentation_data import COUNTS, make_segmentation_data
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS, TRANSFORMS

from mmhierseg.registry import SUPERPIXELS

#: Crop and number of classes.
BASES = dict(
    pascal_voc12_aug=((512, 512), 21),
    pascal_voc12_aug_seeds=((512, 512), 21),
    ade20k_seeds=((512, 512), 150),
    pascal_context_seeds=((480, 480), 60),
    pascal_context_59_seeds=((480, 480), 59),
    cityscapes_768x768_seeds=((768, 768), 19),
    kitti_step=((368, 1232), 19),
    kitti_step_seeds=((368, 1232), 19),
    part_imagenet=((224, 224), 41),
    part_imagenet_seeds=((224, 224), 41))
SEEDS = dict(
    type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15)


def load_base(name):
    """A base as the config of a segmentor has it: with its default scope."""
    cfg = Config.fromfile(str(ROOT / f'configs/_base_/datasets/{name}.py'))
    init_default_scope('mmseg')
    return cfg


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('run')
    make_segmentation_data(root)
    return root


def steps(pipeline, name):
    return [step for step in pipeline if step.type.endswith(name)]


@pytest.mark.parametrize('name', BASES)
def test_superpixels_are_the_published_ones(name):
    cfg = load_base(name)
    tta = [step for branch in cfg.tta_pipeline[1].transforms
           for step in branch]
    for pipeline in (cfg.train_pipeline, cfg.test_pipeline, tta):
        made = steps(pipeline, 'GenerateSuperpixels')
        assert len(made) == name.endswith('seeds')
        for step in made:
            halved = pipeline is cfg.train_pipeline and 'voc' in name
            assert step.superpixels == dict(
                SEEDS, **dict(half_resolution=True) if halved else {})
            # Of the image alone, as it is packed.
            assert pipeline[pipeline.index(step) +
                            1].type == 'PackSegInputs'
    assert not steps(cfg.train_pipeline, 'Pad')


@pytest.mark.parametrize('name', cases(
    BASES, ['pascal_voc12_aug_seeds', 'kitti_step', 'kitti_step_seeds',
            'part_imagenet_seeds']))
def test_pipelines(name, folder, monkeypatch):
    """The real pipelines, on tiny images, up to the input of the model."""
    monkeypatch.chdir(folder)
    np.random.seed(0)  # else a crop may be without labels
    cfg = load_base(name)
    crop, classes = BASES[name]
    assert cfg.crop_size == crop
    for field, count in (('train', COUNTS[0]), ('val', COUNTS[1]),
                         ('test', COUNTS[1])):
        data = DATASETS.build(cfg[f'{field}_dataloader'].dataset)
        assert len(data) == count
        assert len(data.metainfo['classes']) == classes
    # The last scene of each split.
    train = DATASETS.build(cfg.train_dataloader.dataset)[-1]
    _check(train, classes, name.endswith('seeds'), crop, 'voc' in name)
    val = data[-1]
    _check(val, classes, name.endswith('seeds'), None)
    # Ground truth keeps its size in testing.
    assert val['data_samples'].gt_sem_seg.shape == (60, 88)


def _check(sample, classes, has_map, crop, halved=False):
    inputs, labels = sample['inputs'], sample['data_samples'].gt_sem_seg.data
    height, width = inputs.shape[1:]
    ids = set(labels.unique().tolist())
    assert ids <= {*range(classes), 255} and ids != {255}
    assert len(inputs) == (4 if has_map else 3)
    preprocessor = MODELS.build(
        dict(
            type='mmhierseg.SuperpixelSegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            size=crop,
            superpixels=None if has_map else dict(
                type='Grid', segment_size=16)))
    batch = preprocessor(
        dict(inputs=[inputs], data_samples=[sample['data_samples']]),
        training=crop is not None)
    segments = batch['inputs'][0, 3]
    if crop is not None:
        assert segments.shape == crop and height <= crop[0]
        assert labels.shape[1:] == (height, width)
    else:
        assert segments.shape == (height, width)
    inside = segments[:height, :width]
    assert inside.min() == 0
    # Padding has no superpixel.
    assert (segments == -1).sum() == segments.numel() - inside.numel()
    number = inside.unique().numel()
    if has_map:
        # Of the image as it is cropped, BGR; compact, as SEEDS loses some.
        seeds = SUPERPIXELS.build(dict(SEEDS, half_resolution=halved))
        image = inputs[None, [2, 1, 0]].float()
        assert torch.equal(inside.long(), seeds(image)[0])
        assert number <= _number_of_seeds(height, width, halved)
    else:
        wanted = height * width / 256
        assert 0.6 * wanted < number <= 1.1 * wanted + 2


def _number_of_seeds(height, width, halved):
    """What OpenCV makes of h * w / 256: whole blocks of the image's size."""
    factor = 2 if halved else 1
    return cv2.ximgproc.createSuperpixelSEEDS(
        -(-width // factor), -(-height // factor), 3,
        round(height * width / 256), 1, 2, 5, False).getNumberOfSuperpixels()


@pytest.mark.parametrize('name', cases(
    ['kitti_step_seeds', 'part_imagenet_seeds', 'pascal_context_seeds',
     'ade20k_seeds'], ['kitti_step_seeds']))
def test_test_time_augmentation(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    cfg = load_base(name)
    dataset = cfg.test_dataloader.dataset
    dataset.pipeline = Config(dict(tta=cfg.tta_pipeline)).tta
    packed = DATASETS.build(dataset)[0]
    assert len(packed['inputs']) == 12
    scales = {tuple(inputs.shape[1:]) for inputs in packed['inputs']}
    assert (30, 44) in scales and (105, 154) in scales and len(scales) == 6
    flips = [sample.flip for sample in packed['data_samples']]
    assert sorted(flips) == [False] * 6 + [True] * 6
    # Superpixels are those of the flipped image.
    for inputs in packed['inputs']:
        assert len(inputs) == 4
        assert len(inputs[3].unique()) == inputs[3].max() + 1


def test_objects_of_part_imagenet(folder, monkeypatch):
    """An option of the dataset, which the pipelines follow."""
    monkeypatch.chdir(folder)
    cfg = load_base('part_imagenet_seeds')
    cfg.val_dataloader.dataset.labels = 'object'
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    assert len(dataset.metainfo['classes']) == 12
    labels = dataset[-1]['data_samples'].gt_sem_seg.data.unique().tolist()
    assert set(labels) <= {*range(12), 255} and len(labels) > 1


def test_crop_of_kitti_step():
    """Whole superpixels, and no higher than any frame of the data set."""
    crop = load_base('kitti_step').crop_size
    assert all(side % 16 == 0 for side in crop)
    # The least height and the largest width that frames have.
    assert 370 - 16 < crop[0] <= 370 and 1242 - 16 < crop[1] <= 1242
    resize = TRANSFORMS.build(load_base('kitti_step').test_pipeline[1])
    for size in ((375, 1242), (376, 1241)):
        image = np.zeros((*size, 3), dtype=np.uint8)
        assert resize(dict(img=image))['img'].shape[:2] == size


@pytest.mark.parametrize('name', ['ade20k', 'cityscapes_768x768'])
def test_the_rest_is_mmsegmentations(name):
    own = Config.fromfile(
        str(ROOT / f'configs/_base_/datasets/{name}_seeds.py'))
    theirs = Config.fromstring(
        f"_base_ = 'mmseg::_base_/datasets/{name}.py'", '.py')
    for key in ('train_pipeline', 'test_pipeline'):
        kept = [
            step for step in own[key][1:]
            if step.type != 'mmhierseg.GenerateSuperpixels'
        ]
        assert kept == theirs[key][1:]
    loader = dict(own.train_dataloader, dataset=None)
    assert loader == dict(theirs.train_dataloader, dataset=None)
