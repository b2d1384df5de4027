"""The recipes of fine-tuning are those of the papers, number by number."""

import mmengine
import numpy as np
import pytest
import torch
from helpers.configs import ROOT, has_cast
from helpers.dense import DENSE_PATHS, load_all, shrink_dense
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import LinearLR, PolyLR, build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg.registry import MODELS

#: Config -> images, epochs, total batch, learning rate, classes, crop, stride
#: of windows (None: whole images), data root.
SEGMENTER = {
    'segmenter_ade20k-512x512':
    (20210, 64, 8, 1e-3, 150, (512, 512), (512, 512),
     'data/ade/ADEChallengeData2016'),
    'segmenter_pascal-context-480x480':
    (4998, 256, 16, 1e-3, 60, (480, 480), (320, 320),
     'data/VOCdevkit/VOC2010/'),
    'segmenter_cityscapes-768x768':
    (2975, 216, 8, 1e-2, 19, (768, 768), (512, 512), 'data/cityscapes/'),
    'segmenter_kitti-step-368x1232':
    (5027, 216, 8, 1e-2, 19, (368, 1232), None, 'data/kitti_step'),
}
VOC = 'cast/cast-s_voc12aug-512x512'
#: Its baselines in the first table of the paper, and what they start from.
VIT = 'baselines/vit-s_voc12aug-512x512'
BASELINES = {
    VIT: 'vit-s_coco',
    'baselines/cast-s-grid_voc12aug-512x512': 'cast-s-grid_coco',
    'baselines/vit-s-superpixel_voc12aug-512x512': 'vit-s-superpixel_coco',
}
SEGMENTERS = [name for name in DENSE_PATHS if '_segmenter_' in name]
SEEDS = dict(type='SEEDS', segment_size=16, histogram_bins=5,
             num_iterations=15)
GPUS = 4


@pytest.fixture(scope='module')
def configs():
    return load_all()


def numbers_of(name):
    return SEGMENTER[name.split('_', 1)[1]]


def datasets(cfg, field):
    dataset = cfg[f'{field}_dataloader'].dataset
    return dataset.get('datasets', [dataset])


def superpixels_of(pipeline):
    """They come right before packing."""
    assert pipeline[-1]['type'] == 'PackSegInputs'
    assert pipeline[-2]['type'] == 'mmhierseg.GenerateSuperpixels'
    return pipeline[-2]['superpixels']


def rates_of(cfg, steps):
    """Learning rate at some iterations."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))],
                                lr=cfg.optim_wrapper.optimizer.lr)
    kinds = dict(LinearLR=LinearLR, PolyLR=PolyLR)
    schedulers = []
    for options in cfg.param_scheduler:
        options = dict(options)
        kind = kinds[options.pop('type')]
        schedulers.append(kind(optimizer, **options))
    rates = []
    for _ in range(max(steps) + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return np.array(rates)[steps]


def test_all_are_asserted():
    assert len(SEGMENTERS) == 6
    assert set(DENSE_PATHS) == {VOC, *BASELINES, *SEGMENTERS}
    assert {name.split('_', 1)[1] for name in SEGMENTERS} == set(SEGMENTER)


@pytest.mark.parametrize('name', SEGMENTERS)
def test_segmenter_schedule(name, configs):
    cfg = configs[name]
    images, epochs, batch, rate, *_ = numbers_of(name)
    iterations = images * epochs // batch
    assert images * epochs % batch == 0 or name.endswith('368x1232')
    assert cfg.train_cfg == dict(
        type='IterBasedTrainLoop', max_iters=iterations,
        val_interval=cfg.train_cfg.val_interval)
    assert iterations % cfg.train_cfg.val_interval == 0
    assert f'{iterations}' in DENSE_PATHS[name].read_text()
    assert GPUS * cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert cfg.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=rate, momentum=0.9, weight_decay=0))
    steps = np.array([0, 1, 1000, 9999])
    # MMEngine's polynomial gets to 1e-5 in the last iteration.
    expected = 1e-5 + (rate - 1e-5) * (1 - steps / (iterations - 1))**0.9
    np.testing.assert_allclose(rates_of(cfg, steps), expected, rtol=1e-5)
    assert cfg.param_scheduler[0].end == iterations
    assert cfg.default_hooks.checkpoint.interval == cfg.train_cfg.val_interval


@pytest.mark.parametrize('name', SEGMENTERS)
def test_segmenter_model(name, configs):
    cfg = configs[name]
    _, _, _, _, classes, crop, stride, _ = numbers_of(name)
    width = 768 if 'cast-b' in name else 384
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    assert backbone.arch == ('base' if 'cast-b' in name else 'small')
    assert backbone.pos_embed == 'learned' and backbone.out_type == 'segments'
    assert backbone.drop_path_rate == 0.1
    assert head.type == 'mmhierseg.SegmentMaskTransformerHead'
    assert (head.in_channels, head.num_layers, head.num_heads) == (
        width, 2, width // 64)
    assert head.dropout_ratio == 0.1 and head.num_classes == classes
    size = backbone.img_size
    assert (size if isinstance(size, tuple) else (size, size)) == crop
    assert cfg.model.data_preprocessor.size == crop
    assert cfg.crop_size == crop
    assert cfg.model.test_cfg == (
        dict(mode='whole') if stride is None else dict(
            mode='slide', crop_size=crop, stride=stride))
    letter = 'b' if 'cast-b' in name else 's'
    assert backbone.init_cfg == dict(
        type='Pretrained', prefix='backbone.',
        checkpoint=f'work_dirs/cast-{letter}_deit_in1k/epoch_300.pth')


@pytest.mark.parametrize('name', SEGMENTERS)
def test_clusters_are_in_proportion(name, configs):
    """The papers' 320, 160, 80, 40 are for 1024 superpixels."""
    height, width = numbers_of(name)[5]
    clusters = configs[name].model.backbone.num_clusters
    proportion = height * width / 256 * 320 / 1024
    assert clusters[0] == pytest.approx(proportion, rel=0.15)
    assert all(a == 2 * b for a, b in zip(clusters, clusters[1:]))


@pytest.mark.parametrize('name', SEGMENTERS)
def test_segmenter_data(name, configs):
    cfg = configs[name]
    for field in ('train', 'val', 'test'):
        dataset, = datasets(cfg, field)
        assert dataset.data_root == numbers_of(name)[-1]
        assert superpixels_of(dataset.pipeline) == SEEDS


# ------------------------------------------------------------------------ VOC


@pytest.mark.parametrize('name', [VOC, *BASELINES])
def test_voc_schedule(name, configs):
    cfg = configs[name]
    assert cfg.train_cfg == dict(
        type='IterBasedTrainLoop', max_iters=30000, val_interval=3000)
    assert GPUS * cfg.train_dataloader.batch_size == 16
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=3e-3, momentum=0.9, weight_decay=1e-4)
    steps = np.array([0, 50, 100, 5000, 29999])
    # MMEngine's schedules get where they go in their last iteration.
    warmup = np.minimum(1, 0.01 + 0.99 * steps / 99)
    expected = 3e-3 * warmup * (1 - steps / 29999)**0.9
    np.testing.assert_allclose(
        rates_of(cfg, steps), expected, rtol=1e-5, atol=1e-12)


def test_voc_model(configs):
    cfg = configs[VOC]
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    assert (backbone.arch, backbone.pos_embed, backbone.out_type) == (
        'small', 'sincos', 'segments')
    assert backbone.num_clusters == (320, 160, 80, 40)
    assert backbone.img_size == 512 and cfg.sync_bn == 'torch'
    assert head.num_classes == 21 and cfg.model.test_cfg == dict(mode='whole')
    assert backbone.init_cfg == dict(
        type='Pretrained', prefix='backbone.',
        checkpoint='work_dirs/cast-s_coco/epoch_400.pth')
    head = MODELS.build(head)
    (conv, norm, activation), = (list(m.children()) for m in head.convs)
    assert conv.kernel_size == head.conv_seg.kernel_size == (1, 1)
    assert isinstance(norm, nn.BatchNorm2d)
    assert isinstance(activation, nn.ReLU) and head.dropout is None


def test_voc_data(configs):
    """Superpixels at half the resolution in training only."""
    cfg = configs[VOC]
    training = datasets(cfg, 'train')
    assert [d.ann_file.split('/')[-1] for d in training] == [
        'train.txt', 'aug.txt'
    ]
    for dataset in training:
        assert dataset.data_root == 'data/VOCdevkit/VOC2012'
        assert superpixels_of(dataset.pipeline) == dict(
            SEEDS, half_resolution=True)
    for field in ('val', 'test'):
        dataset, = datasets(cfg, field)
        assert superpixels_of(dataset.pipeline) == SEEDS


@pytest.mark.parametrize('name', BASELINES)
def test_baselines_differ_in_the_model_and_its_superpixels(name, configs):
    cfg, cast = configs[name], configs[VOC]
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    assert backbone.init_cfg == dict(
        type='Pretrained', prefix='backbone.',
        checkpoint=f'work_dirs/{BASELINES[name]}/epoch_400.pth')
    trained = Config.fromfile(
        str(ROOT / f'configs/baselines/{BASELINES[name]}.py'))
    assert backbone.type.split('.')[-1] == trained.model.backbone.type.split(
        '.')[-1]
    for key in ('arch', 'patch_size'):
        assert backbone.get(key) == trained.model.backbone.get(key)
    if 'superpixel' in name:
        assert backbone.num_clusters == ()
    elif name == VIT:
        assert head.type == 'FCNHead' and head.norm_cfg == dict(type='BN')
        assert (head.num_convs, head.kernel_size, head.channels,
                head.concat_input, head.dropout_ratio) == (
                    1, 1, cast.model.decode_head.channels, False, 0)
    else:
        assert cfg.model.data_preprocessor.superpixels == dict(
            type='Grid', segment_size=16)
    made = 'mmhierseg.GenerateSuperpixels'
    for field in ('train', 'val', 'test'):
        for ours, theirs in zip(datasets(cfg, field), datasets(cast, field)):
            steps = [step for step in theirs.pipeline if step.type != made
                     or 'superpixel' in name]
            assert ours.pipeline == steps and ours.ann_file == theirs.ann_file
    for key in ('val_evaluator', 'sync_bn', 'find_unused_parameters',
                'default_hooks', 'randomness'):
        assert cfg[key] == cast[key]


@pytest.mark.parametrize('name', [VOC, *BASELINES])
def test_voc_is_measured_by_what_the_table_shows(name, configs):
    for key in ('val_evaluator', 'test_evaluator'):
        assert [metric.type for metric in configs[name][key]] == [
            'IoUMetric', 'mmhierseg.BoundaryFScore'
        ]


@pytest.mark.parametrize('name', [VOC, *BASELINES])
def test_voc_learning_rate_and_decay_of_each_parameter(name):
    """Head x 10, biases x 2 and without decay, and their products."""
    cfg = shrink_dense(DENSE_PATHS[name])
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {id(p): name for name, p in model.named_parameters()}
    seen = set()
    for group in wrapper.param_groups:
        for parameter in group['params']:
            # MMEngine adds a number of its own, to log the learning rate.
            if id(parameter) not in names:
                assert not parameter.shape
                continue
            name = names[id(parameter)]
            seen.add(name)
            bias = name.endswith('.bias')
            factor = (10 if 'head' in name else 1) * (2 if bias else 1)
            assert group['lr'] == pytest.approx(3e-3 * factor), name
            assert group['weight_decay'] == (0 if bias else 1e-4), name
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert seen == trained
    assert {n for n in seen if 'decode_head' in n and n.endswith('.bias')} == {
        'decode_head.convs.0.bn.bias', 'decode_head.conv_seg.bias'
    }


# ------------------------------------------------------------------------ all


@pytest.mark.parametrize('name', sorted(DENSE_PATHS))
def test_all_that_is_trained_gets_a_gradient(name):
    """Else training in several processes would stop."""
    cfg = shrink_dense(DENSE_PATHS[name])
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    model = revert_sync_batchnorm(model).train()
    inputs = torch.randn(2, 4, 48, 64)
    inputs[:, 3] = torch.arange(48)[:, None] // 16 * 4 + torch.arange(64) // 16
    if not has_cast(cfg):
        inputs = inputs[:, :3]
    samples = [
        SegDataSample(gt_sem_seg=PixelData(
            data=torch.randint(0, 19, (1, 48, 64)))) for _ in range(2)
    ]
    losses = model.loss(inputs, samples)
    assert set(losses) == {'decode.loss_ce', 'decode.acc_seg'}
    losses['decode.loss_ce'].backward()
    without = {n for n, p in model.named_parameters()
               if p.requires_grad and p.grad is None}
    assert not without


@pytest.mark.parametrize('name', [VOC, SEGMENTERS[-1]])
def test_no_tensor_of_pixels_and_channels(name):
    """A training step holds nothing of H x W x C numbers, nor H x W x K."""
    cfg = shrink_dense(DENSE_PATHS[name])
    cfg.model.backbone.init_cfg = None
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
    height, width, side = 96, 128, 16
    inputs = torch.randn(1, 4, height, width)
    inputs[:, 3] = torch.arange(height)[:, None] // side * (
        width // side) + torch.arange(width) // side
    target = torch.randint(0, 19, (1, height, width))
    sizes = []

    class Watch(TorchDispatchMode):

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.is_floating_point():
                sizes.append(out.numel())
            return out

    with Watch():
        losses = model.loss(
            inputs, [SegDataSample(gt_sem_seg=PixelData(data=target))])
        losses['decode.loss_ce'].backward()
    # The largest is an image; the fewest channels or classes are 19.
    assert max(sizes) <= 4 * height * width


def test_metafile_tells_iterations_and_batch(configs):
    entries = {
        f'{folder}/{entry["Name"]}': entry
        for folder in ('cast', 'baselines')
        for entry in mmengine.load(ROOT / f'configs/{folder}/metafile.yml')
        ['Models']
    }
    for name, cfg in configs.items():
        metadata = entries[name]['Metadata']
        assert metadata['Iterations'] == cfg.train_cfg.max_iters
        assert (metadata['Batch Size'] ==
                GPUS * cfg.train_dataloader.batch_size)
