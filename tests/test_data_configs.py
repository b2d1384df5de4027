"""`_base_` configs of segmentation datasets, on scenes in their layouts."""

import numpy as np
import pytest
import torch
from helpers.config_runs import cases
from helpers.configs import load_base
from helpers.segmentation_data import COUNTS, make_segmentation_data
from mmengine.config import Config
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
#: Padded before superpixels are made; tested with superpixels of each window.
PADDED = {name for name in BASES if name.endswith('_seeds')
          and name.startswith(('ade', 'city', 'kitti', 'pascal_context'))}
WINDOWS = PADDED - {'kitti_step_seeds'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('run')
    make_segmentation_data(root)
    return root


@pytest.mark.parametrize('name', cases(BASES, ['part_imagenet_seeds']))
def test_pipelines(name, folder, monkeypatch):
    """The real pipelines, on tiny images, up to the input of the model."""
    monkeypatch.chdir(folder)
    np.random.seed(0)
    cfg = load_base(name)
    crop, classes = BASES[name]
    assert cfg.crop_size == crop
    for field, count in (('train', COUNTS[0]), ('val', COUNTS[1]),
                         ('test', COUNTS[1])):
        data = DATASETS.build(cfg[f'{field}_dataloader'].dataset)
        assert len(data) == count
        assert len(data.metainfo['classes']) == classes
        sample = data[-1]  # the last scene of each split
        if field == 'train':
            while (sample['data_samples'].gt_sem_seg.data == 255).all():
                sample = data[-1]  # a crop without labels
            check(sample, classes, name, crop, halved='voc' in name)
        else:
            if name in WINDOWS:
                assert sample['inputs'].shape[0] == 3
            else:
                check(sample, classes, name, None)
            # Ground truth keeps its size in testing.
            assert sample['data_samples'].gt_sem_seg.shape == (60, 88)


def check(sample, classes, name, crop, halved=False):
    """Superpixels are the published ones, of the image as it is cropped."""
    has_map = name.endswith('seeds')
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
    assert segments.shape == (crop or (height, width))
    if crop is not None:
        assert labels.shape[1:] == (height, width) and height <= crop[0]
        assert (height, width) == crop or name not in PADDED
    inside = segments[:height, :width]
    # Padding has no superpixel.
    assert (segments == -1).sum() == segments.numel() - inside.numel()
    assert inside.min() == 0
    if has_map:
        seeds = SUPERPIXELS.build(
            dict(
                type='SEEDS',
                segment_size=16,
                histogram_bins=5,
                num_iterations=15,
                half_resolution=halved,
                inverted=name.startswith(('ade', 'pascal_context'))))
        image = inputs[None, [2, 1, 0]].float()
        assert torch.equal(inside.long(), seeds(image)[0])
    else:
        wanted = height * width / 256
        assert 0.6 * wanted < inside.unique().numel() <= 1.1 * wanted + 2


@pytest.mark.parametrize('name', sorted(PADDED))
def test_padding(name):
    """To the crop, before superpixels: the mean colour and ignored."""
    pad, superpixels = load_base(name).train_pipeline[-3:-1]
    image = np.zeros((30, 20, 3), dtype=np.uint8)
    results = TRANSFORMS.build(pad)(
        dict(img=image, gt_seg_map=image[..., 0], seg_fields=['gt_seg_map']))
    assert results['img'].shape[:2] == BASES[name][0]
    for corner in ((30, 0), (0, 20)):
        assert results['gt_seg_map'][corner] == 255
        mean, std = np.array([103.53, 116.28, 123.675]), [57.4, 57.1, 58.4]
        assert np.abs((results['img'][corner] - mean) / std).max() < 0.009
    assert superpixels.type == 'mmhierseg.GenerateSuperpixels'


@pytest.mark.slow
@pytest.mark.parametrize('name', [
    'kitti_step_seeds', 'part_imagenet_seeds', 'pascal_context_seeds',
    'ade20k_seeds'
])
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
    # Each view has superpixels of its own.
    for inputs in packed['inputs'] if name not in WINDOWS else ():
        assert len(inputs[3].unique()) == inputs[3].max() + 1


def test_frames_of_kitti_step_keep_their_size():
    resize = TRANSFORMS.build(load_base('kitti_step').test_pipeline[1])
    for size in ((375, 1242), (376, 1241)):
        image = np.zeros((*size, 3), dtype=np.uint8)
        assert resize(dict(img=image))['img'].shape[:2] == size


@pytest.mark.parametrize('name', ['ade20k', 'cityscapes_768x768'])
def test_the_rest_is_mmsegmentations(name):
    own = load_base(f'{name}_seeds')
    theirs = Config.fromstring(
        f"_base_ = 'mmseg::_base_/datasets/{name}.py'", '.py')
    for key in ('train_pipeline', 'test_pipeline'):
        steps = [step for step in own[key][1:] if step.type not in (
            'Pad', 'mmhierseg.GenerateSuperpixels')]
        for step, other in zip(steps, theirs[key][1:], strict=True):
            if name == 'cityscapes_768x768' and 'scale' in step:
                other['scale'] = (2048, 1024)
            assert step == other
    loader = dict(own.train_dataloader, dataset=None)
    assert loader == dict(theirs.train_dataloader, dataset=None)
