"""The recipes are those of the papers, number by number."""

import json
import re

import numpy as np
import pytest
import torch
from helpers.configs import (
    ALL_CONFIGS,
    ROOT,
    build_full,
    learning_rates,
    load_config,
    parameter_groups,
    pruned,
    without_weights,
)
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch import nn

from mmhierseg.checkpoints.hsg import rename_hsg_key
from mmhierseg.registry import MODELS

PATHS = {
    str(path.relative_to(ROOT / 'configs').with_suffix('')): path
    for path in ALL_CONFIGS
    if path.parent.name != 'swap'
    and not path.stem.startswith('cast-t_') and '_r18' not in path.stem
    and not path.stem.endswith('_imagenette')
}
#: Patterns of names.
MOCO_V3 = (r'\w+/(2x2/\w+|[a-z-]+)_(in1k|in100|coco)'
           r'(_torchslic|_fsdp)?')
LINEAR = r'\w+/[a-z-]+_linear_\w+'
DEIT = r'cast/cast-._deit_\w+'
SEGMENTER = r'cast/cast-._segmenter_.*'
VOC = r'\w+/[a-z-]+_voc12aug-512x512'
RETRIEVAL = r'\w+/[a-z-]+_retrieval_voc12-512'
HSG = r'(hsg/hsg|baselines/segsort)_r50_.*'
MOCO_V2 = r'baselines/(moco|densecl)_r50_[a-z-]+'
RETRIEVAL_R50 = r'baselines/\w+_r50_retrieval_.*'
DINO = r'baselines/dinov\d-s_retrieval_.*'


def _sgd(rate, decay=1e-4):
    return dict(type='SGD', lr=rate, momentum=0.9, weight_decay=decay)


def _hsg_sgd(rate):
    return dict(_sgd(rate), type='mmhierseg.SGD', rate_in_momentum=True)


def _weights(path):
    return dict(type='Pretrained', checkpoint=f'work_dirs/{path}.pth',
                prefix='backbone.')


def _images(root, prefix):
    key = 'train_dataloader.dataset'
    return {f'{key}.data_root': root, f'{key}.data_prefix': prefix}


def _epochs(number, batch):
    """Epochs and images of a batch on 8 GPUs."""
    return {'train_cfg.max_epochs': number,
            'train_dataloader.batch_size': batch // 8,
            'auto_scale_lr.base_batch_size': batch}


def _iterations(number, batch, gpus=8):
    return {'train_cfg.max_iters': number,
            'train_dataloader.batch_size': batch // gpus,
            'auto_scale_lr.base_batch_size': batch}


def _segmenter(iterations, batch, rate, classes, crop, scale, root,
               inverted=False):
    square = crop[0] == crop[1]
    seeds = dict(_SEEDS, segment_size=16)
    if inverted:
        seeds['inverted'] = True
    steps = 'train_dataloader.dataset.pipeline'
    return {
        **_iterations(iterations, batch, gpus=4),
        'optim_wrapper': dict(type='OptimWrapper', optimizer=dict(
            _sgd(rate, 0.), nesterov=True)),
        '.decode_head.num_classes': classes,
        '.data_preprocessor.size': crop, 'crop_size': crop,
        '.test_cfg': dict(
            mode='slide', crop_size=crop, stride=(crop[0] - 32, ) * 2,
            enlarge=True) if square else dict(mode='whole'),
        **{f'{field}_dataloader.dataset.data_root': root
           for field in ('train', 'val', 'test')},
        # Resize, crop, flip, distort, pad, and superpixels of that.
        f'{steps}.1.reduce_zero_label': True if classes == 150 else None,
        f'{steps}.2': dict(type='RandomResize', scale=scale,
                           ratio_range=(0.5, 2.0), keep_ratio=True),
        f'{steps}.3': dict(type='RandomCrop', crop_size=crop,
                           cat_max_ratio=0.75),
        f'{steps}.4': dict(type='RandomFlip', prob=0.5),
        f'{steps}.5': dict(type='PhotoMetricDistortion'),
        f'{steps}.6': dict(type='Pad', size=crop[::-1], pad_val=dict(
            img=(104, 116, 124), seg=255)),
        f'{steps}.7.superpixels': seeds,
        # Tested without flips, at one scale; superpixels are of each window.
        'test_dataloader.dataset.pipeline.1': dict(
            type='Resize', scale=scale, keep_ratio=True),
        '.backbone.superpixels': seeds,
    }


def _hsg(crop, kmeans, classes, clusters):
    return {
        'crop_size': (crop, crop), '.head.kmeans_clusters': kmeans[:2],
        '.head.kmeans_iterations': kmeans[2], '.num_classes': classes,
        '.kmeans_clusters': clusters}


_SEEDS = dict(type='SEEDS', histogram_bins=5, num_iterations=15)
_GRID = dict(type='Grid', segment_size=16)
_SLIC = dict(type='TorchSLIC', segment_size=16)
_ONE_STAGE = dict(embed_dims=384, depths=(11, ), num_heads=12)


def _moco_optim(**options):
    return dict(
        type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16',
        optimizer=dict(type='mmhierseg.AdamW', lr=1.5e-4, betas=(0.9, 0.999),
                       weight_decay=0.1, **options))


#: Pattern -> setting (``.x``: ``model.x``) -> value; all that fit hold.
RECIPES = {
    # CAST and its baselines, pre-trained by MoCo v3.
    MOCO_V3: {
        'optim_wrapper': _moco_optim(),
        'train_dataloader.drop_last': True,
        'train_dataloader.dataset.with_label': False, '.base_momentum': 0.01,
        '.head.temperature': 0.2, '.head.loss.loss_weight': 0.4,
        **{f'.{part}.{key}': value
           for part, layers in (('neck', 3), ('head.predictor', 2))
           for key, value in (('num_layers', layers), ('hid_channels', 4096),
                              ('out_channels', 256))}},
    r'\w+/[a-z-]+_in1k\w*': {
        **_epochs(100, 256), **_images('data/imagenet', 'train')},
    r'\w+/[a-z-]+_in100': {
        **_epochs(200, 256), **_images('data/imagenet100', 'train')},
    # The paper's retrieval uses the checkpoint of epoch 150.
    r'(cast/|baselines/(2x2/)?)[a-z_-]+_coco': {
        **_epochs(400, 256), **_images('data/coco', 'train2017'),
        'custom_hooks.0.interval': 150, 'custom_hooks.0.max_keep_ckpts': None,
        'custom_hooks.0.filename_tmpl': 'kept_epoch_{}.pth',
        'default_hooks.checkpoint.max_keep_ckpts': 3},
    rf'(?!.*_fsdp){MOCO_V3}': {'sync_bn': 'torch'},
    # The gradient scaler of FSDP does not support fused optimizers.
    r'.*_fsdp': {'strategy.sync_bn': 'torch',
                 'optim_wrapper': _moco_optim(fused=False)},
    # Architectures.
    r'cast/cast-s_(?!retrieval).*': {'.backbone.arch': 'small'},
    r'cast/cast-sd_.*': {'.backbone.arch': 'small-deep'},
    r'cast/cast-b_.*': {'.backbone.arch': 'base'},
    r'cast/cast-\w+?_(linear_|deit_)?in\w+': {
        '.backbone.num_clusters': (64, 32, 16, 8),
        '.backbone.out_type': 'cls_token'},
    r'cast/(?!.*deit).*_in\w+': {'.backbone.pos_embed': 'sincos'},
    r'\w+/(cast.*|2x2/.*_pooling)_coco': {
        '.backbone.num_clusters': (64, 32, 16, 8)},
    r'\w+/(cast|2x2/|vit-s-superpixel).*_coco': {
        '.backbone.out_type': 'avg_segments',
        '.backbone.decay_unused_pooling': True},
    # The papers' ViT: 11 blocks, a convolutional stem.
    r'.*/vit-conv-s_(in\w+|coco|linear.*|voc.*)': {
        '.backbone.type': 'mmhierseg.MoCoV3ConvViT',
        '.backbone.arch': 'small'},
    r'.*/vit-conv-s_retrieval.*': {
        '.embedder.backbone.type': 'mmhierseg.MoCoV3ConvViT',
        '.embedder.backbone.arch': 'small'},
    r'.*/vit-conv-b_.*': {
        '.backbone.type': 'mmhierseg.MoCoV3ConvViT', '.backbone.arch': 'base'},
    r'.*/vit-conv-._linear_.*': {'.backbone.frozen_stages': 11},
    r'.*/vit-s-superpixel_(coco|voc12aug.*)': {
        '.backbone.arch': _ONE_STAGE,
        '.backbone.num_clusters': ()},
    # Linear probing.
    LINEAR: {
        'optim_wrapper.type': 'OptimWrapper', '.head.num_classes': 1000,
        'train_dataloader.drop_last': None,
        'default_hooks.checkpoint.save_best': 'accuracy/top1',
        'train_dataloader.dataset.pipeline.1': dict(
            type='RandomResizedCrop', scale=224, backend='pillow'),
        'train_dataloader.dataset.pipeline.2': dict(
            type='RandomFlip', prob=0.5),
        'val_dataloader.dataset.pipeline.1': dict(
            type='ResizeEdge', scale=256, edge='short', backend='pillow'),
        'val_dataloader.dataset.pipeline.2': dict(
            type='CenterCrop', crop_size=224)},
    r'.*_linear_in1k': {
        **_epochs(90, 1024),
        'optim_wrapper.optimizer': _sgd(120, 0.),
        '.data_preprocessor.num_classes': 1000,
        'train_dataloader.dataset.data_root': 'data/imagenet',
        'train_dataloader.dataset.split': 'train',
        'val_dataloader.dataset.split': 'val',
        'test_dataloader.dataset.split': 'val'},
    r'.*_linear_in100': {
        **_epochs(90, 256),
        **_images('data/imagenet100', 'train'),
        'optim_wrapper.optimizer': _sgd(0.8, 0.),
        'val_dataloader.dataset.data_prefix': 'val',
        'test_dataloader.dataset.data_root': 'data/imagenet100',
        'test_dataloader.dataset.data_prefix': 'val'},
    # DeiT.
    DEIT: {
        **_epochs(300, 1024),
        'optim_wrapper.type': 'AmpOptimWrapper', 'val_cfg.fp16': True,
        'test_cfg.fp16': True, 'optim_wrapper.clip_grad': None,
        'sync_bn': None, 'optim_wrapper.optimizer': dict(
            type='mmhierseg.AdamW', lr=1e-3, betas=(0.9, 0.999),
            weight_decay=0.05),
        'default_hooks.checkpoint.save_best': 'accuracy/top1',
        'custom_hooks.0.type': 'mmhierseg.PassiveEMAHook',
        '.backbone.pos_embed': 'learned', '.backbone.drop_path_rate': 0.1,
        '.head.loss.label_smooth_val': 0.1,
        '.train_cfg.augments': [
            dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)],
        'train_dataloader.sampler': dict(
            type='RepeatAugSampler', num_repeats=3),
        'custom_hooks.0.momentum': pytest.approx(1 - 0.99996, rel=1e-6),
        'train_pipeline.1.interpolation': 'bicubic',
        'train_pipeline.3.policies': 'timm_increasing',
        'train_pipeline.3.num_policies': 2,
        'train_pipeline.3.magnitude_level': 9,
        'train_pipeline.3.magnitude_std': 0.5,
        'train_pipeline.4.erase_prob': 0.25, 'train_pipeline.4.mode': 'rand',
        'train_pipeline.4.fill_std': [57.375, 57.12, 58.395],
        'test_pipeline.1': dict(
            type='ResizeEdge', scale=256, edge='short', backend='pillow',
            interpolation='bicubic'),
        'test_pipeline.2': dict(type='CenterCrop', crop_size=224)},
    # Fine-tuning: iterations, batch, rate, classes, crop, scale, data.
    r'.*_ade20k-.*': _segmenter(
        161680, 8, 1e-3, 150, (512, 512), (2048, 512),
        'data/ade/ADEChallengeData2016', inverted=True),
    r'.*_pascal-context-.*': _segmenter(
        80128, 16, 1e-3, 60, (480, 480), (4160, 520),
        'data/VOCdevkit/VOC2010/', inverted=True),
    r'.*_segmenter_cityscapes-.*': _segmenter(
        2975 * 216 // 8, 8, 1e-2, 19, (768, 768), (2048, 1024),
        'data/cityscapes/'),
    r'.*_segmenter_kitti-step-.*': _segmenter(
        5027 * 216 // 8, 8, 1e-2, 19, (368, 1232), (1242, 376),
        'data/kitti_step'),
    SEGMENTER: {
        '.backbone.img_size': 224, 'sync_bn': 'torch',
        '.decode_head.loss_decode': dict(
            type='CrossEntropyLoss', avg_non_ignore=True),
        'default_hooks.checkpoint.save_best': None,
        '.backbone.pos_embed': 'learned', '.backbone.out_type': 'segments',
        '.backbone.drop_path_rate': None,
        '.decode_head.type': 'mmhierseg.SegmentMaskTransformerHead',
        '.decode_head.num_layers': 2,
        '.decode_head.dropout_ratio': 0.1},
    r'cast/cast-s_segmenter.*': {
        '.decode_head.num_heads': 6,
        '.backbone.init_cfg': _weights('cast-s_deit_in1k/epoch_300')},
    r'cast/cast-b_segmenter.*': {
        '.decode_head.num_heads': 12,
        '.backbone.init_cfg': _weights('cast-b_deit_in1k/epoch_300')},
    VOC: {
        **_iterations(30000, 16, gpus=4),
        'train_cfg.val_interval': 3000,
        'optim_wrapper.type': 'OptimWrapper', 'optim_wrapper.clip_grad': None,
        'optim_wrapper.optimizer': _hsg_sgd(3e-3),
        '.decode_head.num_classes': 21,
        '.decode_head.loss_decode': dict(
            type='CrossEntropyLoss', avg_non_ignore=True),
        '.decode_head.init_cfg': dict(type='mmhierseg.PyTorchInit'),
        '.test_cfg': dict(mode='whole', resize_pred='nearest'),
        '.backbone.img_size': 512, 'sync_bn': 'torch',
        'default_hooks.checkpoint.save_best': None,
        'train_dataloader.dataset.datasets.0.ann_file':
        'ImageSets/Segmentation/train.txt',
        'train_dataloader.dataset.datasets.1.ann_file':
        'ImageSets/Segmentation/aug.txt'},
    r'\w+/cast-s\S*_voc12aug.*': {
        '.backbone.num_clusters': (320, 160, 80, 40),
        '.backbone.pos_embed': 'sincos',
        '.backbone.out_type': 'segments'},
    r'\w+/(cast-s(-grid)?|vit-s-superpixel)_voc12aug-512x512': {
        '.decode_head.train_stride': 2},
    r'.*-mmseg-512x512': {
        'optim_wrapper.optimizer': _hsg_sgd(3e-3),
        '.decode_head.train_stride': None, '.test_cfg.resize_pred': None,
        'train_pipeline.2.scale': (2048, 512),
        'train_pipeline.2.ratio_range': (0.5, 2.0)},
    r'baselines/vit-(conv-)?s_voc12aug.*': {
        '.decode_head.type': 'FCNHead',
        '.decode_head.norm_cfg': dict(type='BN'), '.decode_head.num_convs': 1,
        '.decode_head.kernel_size': 1, '.decode_head.channels': 384,
        '.decode_head.concat_input': False,
        '.decode_head.dropout_ratio': 0},
    # Retrieval: 40 segments, of the coarsest level or by k-means.
    rf'{RETRIEVAL}|{HSG}|{RETRIEVAL_R50}': {
        '.num_neighbors': 20,
        'custom_hooks.0.type': 'mmhierseg.MemoryBankHook'},
    RETRIEVAL: {
        '.num_classes': 21, 'train_dataloader': None,
        'test_dataloader.dataset.ann_file': 'ImageSets/Segmentation/val.txt',
        '.embedder.backbone.img_size': 512,
        **{f'custom_hooks.0.dataloader.dataset.datasets.{i}.ann_file':
           f'ImageSets/Segmentation/{split}.txt'
           for i, split in enumerate(('train', 'aug'))}},
    r'\w+/cast\S*_retrieval_.*': {
        '.level': -1,
        '.embedder.backbone.num_clusters': (320, 160, 80, 40)},
    r'\w+/vit\S*_retrieval_.*': {'.kmeans.num_clusters': 40},
    # HSG and SegSort: crop; k-means of training; classes, k-means.
    HSG: {
        'optim_wrapper.optimizer': _hsg_sgd(0.1),
        'optim_wrapper.type': 'OptimWrapper', 'optim_wrapper.clip_grad': None,
        'default_hooks.checkpoint.save_best': None, 'sync_bn': 'torch',
        '.head.concentration': 16, '.head.img_sim_weight': 1,
        '.head.local_means': True, '.kmeans_iterations': 15,
        '.backbone.zero_init_residual': False,
        '.backbone.strides': (1, 2, 2, 1),
        '.backbone.dilations': (1, 1, 1, 2), '.backbone.multi_grid': (1, 4, 8),
        '.test_backbone': dict(
            strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4),
            contract_dilation=True, multi_grid=(2, 8, 16))},
    r'hsg/.*_stage1_.*': {
        **_hsg(224, (1, 1, 1), 21, (6, 6)), '.kmeans_iterations': 1},
    r'.*/segsort_r50_coco.*': _hsg(224, (4, 4, 15), 21, (6, 6)),
    r'.*/\w+_r50_(stage1_)?coco-224x224': _iterations(350000, 128),
    r'hsg/.*_stage2_.*': {
        **_hsg(448, (4, 4, 15), 21, (6, 6)),
        **_iterations(20000, 48),
        'optim_wrapper.optimizer': _hsg_sgd(8e-3),
        **{f'.{part}.init_cfg': dict(
            _weights('hsg_r50_stage1_coco-224x224/iter_350000'),
            prefix=f'{part}.') for part in ('backbone', 'neck')},
        '.head.graph_knn': 2, '.head.graph_within_view': True,
        '.head.pad_length': 256, '.head.grouping_weight': 1,
        '.head.centroid_weight': 1},
    **{rf'.*_r50_{data}-448x448': {
        **_hsg(448, (4, 4, 15), 19, (12, 24)), **_iterations(38000, 32),
        '.data_preprocessor.test_cfg': None,
        'test_dataloader.dataset.pipeline.1': dict(
            type='Resize', scale=scale, keep_ratio=True)}
       for data, scale in (('cityscapes', (2048, 1024)),
                           ('kitti-step', (1242, 376)))},
    r'hsg/hsg_r50_(cityscapes|kitti-step)-.*': {
        '.head.graph_knn': 4, '.head.graph_within_view': False,
        '.head.pad_length': None, '.head.grouping_weight': 0.2,
        '.head.centroid_weight': 0.2},
    r'hsg/hsg_r50_(?!stage1).*': {
        '.head.fine_weight': 0.1, '.head.coarse_weight': 0.1,
        '.head.fine_clusters': 8, '.head.coarse_clusters': 4,
        '.head.position_size': 28, '.head.dropout': 0.1},
    r'hsg/.*_stage1_.*|.*/segsort_.*': {
        f'.head.{key}_weight': 0
        for key in ('fine', 'coarse', 'grouping', 'centroid')},
    r'baselines/segsort_.*': {'.head.cosegment': False},
    # HSG's other benchmarks: as on COCO and VOC, with all classes.
    r'hsg/.*_stage1_coco-stuff-.*': _iterations(350000, 128),
    r'hsg/.*_stage1_potsdam-.*': _iterations(9500, 128),
    **{rf'(hsg|baselines)/.*_{data}-.*': {
        '.num_classes': classes,
        'test_dataloader.dataset.data_root': f'data/{root}',
        'custom_hooks.0.dataloader.dataset.data_root': f'data/{root}'}
       for data, root, classes in (('coco-stuff', 'coco_stuff164k', 171),
                                   ('potsdam', 'potsdam', 6))},
    **{rf'hsg/.*_stage2_{data}-.*': {
        **_iterations(number, 48),
        **{f'.{part}.init_cfg': dict(
            _weights(f'hsg_r50_stage1_{data}-224x224/iter_{last}'),
            prefix=f'{part}.') for part in ('backbone', 'neck')}}
       for data, last, number in (('coco-stuff', 350000, 20000),
                                  ('potsdam', 9500, 2500))},
    DINO: {
        '.num_neighbors': 20, '.kmeans.num_clusters': 40,
        'train_dataloader': None},
    r'baselines/dinov2-s_.*': {
        '.embedder.backbone': dict(
            type='mmpretrain.VisionTransformer', arch='dinov2-small',
            img_size=518, patch_size=14, layer_scale_init_value=1e-5,
            out_type='featmap'), '.embedder.size_divisor': 14},
    r'baselines/dinov3-s_.*': {
        '.embedder.backbone': dict(type='mmhierseg.DINOv3ViT', arch='small'),
        '.embedder.size_divisor': 16},
    r'baselines/dinov\d-b_hierarchy_.*': {
        '.num_clusters': (64, 32, 16, 8), '.num_iterations': 30,
        '.init_cfg': None, '.backbone.final_norm': None},
    # MoCo v2 and DenseCL: no image finds itself in the queue.
    MOCO_V2: {
        'optim_wrapper.optimizer': _sgd(0.03),
        'train_dataloader.drop_last': True},
    r'baselines/\w+_r50_coco': {
        **_epochs(200, 256), **_images('data/coco', 'train2017'),
        '.queue_len': 65536},
    r'baselines/\w+_r50_cityscapes': {
        **_epochs(400, 256), '.queue_len': 2048,
        **_images('data/cityscapes', 'leftImg8bit/train')},
    r'baselines/\w+_r50_kitti-step': {
        **_epochs(240, 256), '.queue_len': 4096,
        **_images('data/kitti_step', 'images/train')},
    r'.*_r50_retrieval_voc12-512': {
        '.num_classes': 21,
        '.kmeans': dict(num_clusters=(6, 6), num_iterations=15,
                             location=True)},
    r'.*_r50_retrieval_(city|kitti).*': {
        '.num_classes': 19,
        '.kmeans': dict(num_clusters=(12, 24), num_iterations=15,
                             location=True)},
    r'.*_r50_(stage._)?(coco|potsdam)-.*|.*_r50_retrieval_voc.*': {
        'test_dataloader.dataset.pipeline.0.to_float32': True,
        'test_dataloader.dataset.pipeline.1': dict(
            type='mmhierseg.ResizeOwnSize', longer_side=512),
        '.data_preprocessor.test_cfg': dict(size=(512, 512))},
    RETRIEVAL_R50: {
        '.embedder.backbone.strides': (1, 2, 1, 1),
        '.embedder.backbone.dilations': (1, 1, 2, 4),
        '.embedder.backbone.contract_dilation': True},
    r'baselines/vit-conv-b_hierarchy_.*': {
        '.num_clusters': (64, 32, 16, 8), '.num_iterations': 30,
        '.backbone.arch': 'base', '.backbone.final_norm': False},
    # Superpixels made on the device, and what they are made of.
    r'.*_torchslic': {'.data_preprocessor.superpixels': _SLIC},
    r'.*/cast-s-grid_.*': {'.data_preprocessor.superpixels': _GRID},
}


@pytest.fixture(scope='module')
def configs():
    return {name: load_config(path) for name, path in PATHS.items()}


def get(cfg, key):
    """Setting by its path; None where nothing is set."""
    for part in re.sub(r'^\.', 'model.', key).split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg.get(part)
        if cfg is None:
            break
    return cfg


def _is_scope(key, value):
    return key == '_scope_'


def names(pattern):
    return [name for name in PATHS if re.fullmatch(pattern, name)]


@pytest.mark.parametrize('name', PATHS)
def test_settings(name, configs):
    expected = {}
    for pattern, settings in RECIPES.items():
        if re.fullmatch(pattern, name):
            expected.update(settings)
    assert len(expected) >= 4
    found = {key: get(configs[name], key) for key in expected}
    # Bases of MMSegmentation name their scope.
    assert pruned(found, _is_scope) == pruned(expected, _is_scope)


def test_all_patterns_are_used():
    assert all(map(names, RECIPES))
    assert list(map(len, map(names, (MOCO_V3, LINEAR, DEIT, SEGMENTER, VOC,
                                     RETRIEVAL, HSG, MOCO_V2, RETRIEVAL_R50)))
                ) == [23, 12, 3, 6, 5, 5, 11, 6, 9]


# ---------------------------------------------------------------- superpixels

_MOCO = dict(_SEEDS, num_segments=196, histogram_bins=15, num_iterations=20)


def superpixels_of(dataset):
    """Superpixels of the pipelines of a dataset, or None.

    They are computed last, unless they are transformed with the image.
    """
    for one in dataset.get('datasets', [dataset]):
        views = [step.transforms for step in one.pipeline
                 if step.type == 'MultiView']
        for steps in views[0] if views else [one.pipeline[:-1]]:
            found = [step for step in steps
                     if step.type == 'mmhierseg.GenerateSuperpixels']
            assert all(step is steps[-1] or not step.get('attach', True)
                       for step in found)
            yield found[0].superpixels if found else None


@pytest.mark.parametrize('name', names(
    '|'.join((MOCO_V3, LINEAR, DEIT, SEGMENTER, VOC, RETRIEVAL))))
def test_superpixels(name, configs):
    """SEEDS as published, of each image as it is packed, or as it is."""
    cfg = configs[name]
    kind = dict(_SEEDS, segment_size=16)
    if re.fullmatch(DEIT, name):
        kind = dict(_SEEDS, num_segments=196)
    elif re.fullmatch(f'{MOCO_V3}|{LINEAR}', name):
        kind = _MOCO
    elif re.fullmatch(f'{VOC}|{RETRIEVAL}', name):
        kind = dict(_SEEDS, num_segments=1024)
    none = re.search('torchslic|grid|2x2|/vit-(conv-)?[sb]_|/swin', name)
    for field in ('train', 'val', 'test'):
        if cfg.get(f'{field}_dataloader') is None:
            continue
        half = field == 'train' and 'voc12aug' in name
        expected = None if none else dict(
            kind, **dict(half_resolution=True) if half else {})
        if re.search('er_(ade|city|pascal)', name) and field != 'train':
            expected = None  # of each window, by the backbone
        elif re.search('ade20k|context', name):
            expected['inverted'] = True
        for found in superpixels_of(cfg[f'{field}_dataloader'].dataset):
            assert found == expected
    assert 'superpixels' not in cfg.model.data_preprocessor or none


@pytest.mark.parametrize('name', names(SEGMENTER))
def test_clusters_are_in_proportion(name, configs):
    """The paper's 320, 160, 80, 40 are for 1024 superpixels."""
    height, width = configs[name].crop_size
    clusters = configs[name].model.backbone.num_clusters
    assert clusters[0] == pytest.approx(height * width / 256 * 320 / 1024,
                                        rel=0.15)
    assert all(a == 2 * b for a, b in zip(clusters, clusters[1:]))


# --------------------------------------- what a config shares with another one


def without_superpixels(node):
    """A config without the steps that compute superpixels."""
    return pruned(node, lambda key, step: key is None and isinstance(
        step, dict) and step.get('type') in (
            'mmhierseg.GenerateSuperpixels', 'mmhierseg.AttachSegmentMap'))


@pytest.mark.parametrize('name', names(MOCO_V3))
def test_views_and_loss_are_mmpretrains(name, configs):
    """Views but for their superpixels, projector, predictor, loss."""
    cfg = configs[name]
    own = get_config('mmpretrain::mocov3/mocov3_vit-small-p16_16xb256-'
                     'amp-coslr-300e_in1k.py')
    views = cfg.train_dataloader.dataset.pipeline[1].transforms
    assert without_superpixels(views) == [
        own.view_pipeline1, own.view_pipeline2]
    sync = dict(type='SyncBN')
    width = 768 if re.search('-b_|swin', name) else 384
    assert cfg.model.neck == dict(
        own.model.neck, norm_cfg=sync, in_channels=width,
        with_avg_pool='swin' in name)
    head = own.model.head.to_dict()
    head['predictor']['norm_cfg'] = sync
    assert cfg.model.head == head


@pytest.mark.parametrize('name', names(LINEAR))
def test_probes_start_from_the_last_epoch(name, configs):
    source = name.replace('_linear', '')
    epochs = configs[source].train_cfg.max_epochs
    assert configs[name].model.backbone.init_cfg == _weights(
        f'{source.split("/")[1]}/epoch_{epochs}')


@pytest.mark.parametrize('name', names(VOC))
def test_voc_baselines_differ_in_the_model_only(name, configs):
    cfg, cast = configs[name], configs['cast/cast-s_voc12aug-512x512']
    source = name.split('/')[1].split('_')[0] + '_coco'
    assert cfg.model.backbone.init_cfg == _weights(f'{source}/epoch_400')
    trained = configs[f'{name.split("/")[0]}/{source}'].model.backbone
    assert [cfg.model.backbone.get(key) for key in ('arch', 'patch_size')] == [
        trained.get(key) for key in ('arch', 'patch_size')]
    ours, theirs = (without_superpixels(c.to_dict()) for c in (cfg, cast))
    for key in ('train_dataloader', 'val_dataloader'):
        assert ours[key] == theirs[key]
    for key in ('val_evaluator', 'test_evaluator', 'optim_wrapper',
                'param_scheduler', 'default_hooks', 'train_cfg'):
        assert cfg[key] == cast[key], key


def test_ablations_differ_from_cast_in_one_thing(configs):
    cast, grid, flat = (configs[name].model.to_dict() for name in (
        'cast/cast-s_coco', 'baselines/cast-s-grid_coco',
        'baselines/vit-s-superpixel_coco'))
    assert grid['data_preprocessor'].pop('superpixels') == _GRID
    assert grid == cast
    for model in (flat, cast):
        del model['backbone']['arch'], model['backbone']['num_clusters']
    assert flat == cast


def test_two_by_two_differ_in_two_settings(configs):
    """Division and pooling; the rest is CAST-S's."""
    base, *_ = found = [
        configs[f'baselines/2x2/{name}_coco'].to_dict() for name in (
            'superpixel_pooling', 'superpixel', 'patch_pooling', 'patch')]
    for i, cfg in enumerate(found):
        backbone = cfg['model']['backbone']
        assert cfg['model']['data_preprocessor'].pop('superpixels') == (
            _GRID if i > 1 else _SLIC)
        assert (backbone['arch'].pop('depths'),
                backbone.pop('num_clusters')) == (
            ((11, ), ()) if i % 2 else ((3, 3, 3, 2), (64, 32, 16, 8)))
        assert cfg == base
    cast = configs['cast/cast-s_coco'].to_dict()
    for key in ('train_dataloader', 'optim_wrapper', 'param_scheduler',
                'train_cfg', 'sync_bn'):
        assert without_superpixels(base[key]) == without_superpixels(cast[key])
    assert backbone.pop('arch') == dict(embed_dims=384, num_heads=12)
    del base['model']['backbone'], cast['model']['backbone']
    assert base['model'] == cast['model']


@pytest.mark.parametrize('name', names('baselines/(segsort.*|.*r50_retr.*)'))
def test_hsg_baselines_have_its_data_and_budget(name, configs):
    data = name.split('_')[-1].split('-')[0]
    stage = {'coco': 'stage1_coco-224x224', 'voc12': 'stage2_coco-448x448',
             'cityscapes': 'cityscapes-448x448', 'kitti': 'kitti-step-448x448'}
    cfg, hsg = configs[name], configs[f'hsg/hsg_r50_{stage[data]}']
    keys = ['test_dataloader', 'custom_hooks']
    if 'segsort' in name:
        keys += ['train_dataloader', 'optim_wrapper', 'param_scheduler',
                 'train_cfg', 'test_evaluator']
    for key in keys:
        assert cfg[key] == hsg[key], key
    assert cfg.model.data_preprocessor.get(
        'test_cfg') == hsg.model.data_preprocessor.get('test_cfg')


# -------------------------------------------------------------- learning rates


@pytest.mark.parametrize('name', names('|'.join(
    (MOCO_V3, LINEAR, MOCO_V2))))
def test_learning_rate_by_epochs(name, configs):
    """Cosine; by iterations and with warm-up, or else by epochs."""
    cfg = configs[name]
    epochs, peak = cfg.train_cfg.max_epochs, cfg.optim_wrapper.optimizer.lr
    warmup = epochs // 10 if re.fullmatch(MOCO_V3, name) else 0
    # Two iterations an epoch; MMEngine's warm-up is one iteration ahead.
    steps = np.arange(2 * epochs)
    t = steps / 2 if warmup else steps // 2
    cosine = 0.5 + 0.5 * np.cos(np.pi * (t - warmup) / (epochs - warmup))
    expected = peak * np.where(t < warmup, t / max(warmup, 1), cosine)
    np.testing.assert_allclose(
        learning_rates(cfg, steps, 2), expected,
        atol=peak / (2 * warmup - 1) if warmup else 1e-9)


@pytest.mark.parametrize('name', names(DEIT))
def test_learning_rate_of_deit(name, configs):
    """Of all epochs: 1e-6 twice, to 1e-3 by fifths, cosine from epoch 0."""
    epochs = np.arange(300)
    warmup = 1e-6 + (1e-3 - 1e-6) * np.array([0, 0, 1, 2, 3, 4]) / 5
    cosine = 1e-5 + (1e-3 - 1e-5) * (
        1 + np.cos(np.pi * (epochs[6:] - 1) / 300)) / 2
    for iteration in (0, 2):  # of three of an epoch
        np.testing.assert_allclose(
            learning_rates(configs[name], 3 * epochs + iteration, 3),
            np.r_[warmup, cosine], rtol=1e-9)


@pytest.mark.parametrize('name', names(f'{SEGMENTER}|{VOC}'))
def test_learning_rate_of_fine_tuning(name, configs):
    """Polynomial; in VOC's case after 100 iterations of warm-up."""
    cfg = configs[name]
    steps, last = np.array([0, 50, 99, 5000]), cfg.train_cfg.max_iters - 1
    peak = cfg.optim_wrapper.optimizer.lr
    if 'voc' in name:
        published = peak * np.where(
            steps < 100, 0.1 + 0.9 * steps / 100, (1 - steps / 30000)**0.9)
        expected = peak * np.minimum(1, 0.1 + 0.9 * steps / 100) * (
            1 - steps / 30000)**0.9
        np.testing.assert_allclose(expected, published, rtol=3e-3)
    else:
        expected = 1e-5 + (peak - 1e-5) * (1 - steps / (last + 1))**0.9
        assert cfg.param_scheduler[-1].end == last + 2
    np.testing.assert_allclose(learning_rates(cfg, steps), expected, rtol=1e-5)
    assert (last + 1) % cfg.train_cfg.val_interval == 0
    assert cfg.default_hooks.checkpoint.interval == cfg.train_cfg.val_interval


@pytest.mark.parametrize('name', names(HSG))
def test_learning_rate_of_hsg(name, configs):
    """Warm-up of 100 iterations from a tenth; drops at 32, 56 and 75 %."""
    cfg = configs[name]
    iterations, rate = cfg.train_cfg.max_iters, cfg.optim_wrapper.optimizer.lr
    drops = [int(share * iterations / 100) for share in (32, 56, 75)]
    assert cfg.param_scheduler[1].milestones == drops
    steps, expected = [0, 50, 99, 100], [0.1, 0.55, 0.991, 1]
    if iterations < 3e4:
        steps += [drops[0] - 1, drops[0], drops[1], drops[2]]
        expected += [1, 0.1, 0.01, 0.001]
    np.testing.assert_allclose(learning_rates(cfg, steps),
                               rate * np.array(expected), rtol=1e-6)
    # What is tested is saved.
    assert iterations % cfg.default_hooks.checkpoint.interval == 0
    assert iterations % cfg.train_cfg.val_interval == 0


@pytest.mark.parametrize('name', names(rf'{HSG}|{VOC}|.*cast-s_deit_in1k'))
def test_rate_and_decay_of_each_parameter(name, configs):
    """Biases x 2, undecayed; heads x 10 in fine-tuning; DeiT: matrices.

    In fine-tuning, the class token is in no group.
    """
    cfg = configs[name]
    optimizer = cfg.optim_wrapper.optimizer
    model = build_full(cfg)
    shapes = {key: p.dim() for key, p in model.named_parameters()}
    groups = parameter_groups(model, cfg)
    fixed = {'backbone.cls_token'} if 'voc' in name else set()
    assert {key for key, *_ in groups} == fixed ^ {
        key for key, p in model.named_parameters() if p.requires_grad}
    for key, rate, decay in groups:
        bias, head = key.endswith('bias'), 'head' in key
        if 'deit' in name:
            factor = 1
            kept = shapes[key] > 1 and not key.endswith(
                ('cls_token', 'pos_embed'))
        else:
            times_ten = head and ('voc' in name or 'stage2' in name)
            factor = (10 if times_ten else 1) * (2 if bias else 1)
            kept = not bias
        assert rate == pytest.approx(optimizer.lr * factor), key
        assert decay == (optimizer.weight_decay if kept else 0), key


# ---------------------------------------------------------------------- models


@pytest.mark.parametrize('name', [
    'cast/cast-s_linear_in1k', 'baselines/vit-conv-s_linear_in1k',
    'baselines/swin-t_linear_in1k'
])
def test_only_the_linear_layer_is_trained(name, configs):
    init_default_scope('mmpretrain')
    model = MODELS.build(without_weights(configs[name].model)).train()
    layer = 'head.layers.head' if 'vit' in name else 'head.fc'
    assert {key for key, parameter in model.named_parameters()
            if parameter.requires_grad} == {f'{layer}.weight',
                                            f'{layer}.bias'}
    assert not any(m.training for m in model.backbone.modules()
                   if isinstance(m, nn.BatchNorm2d)
                   or getattr(m, 'p', 0) and isinstance(m, nn.Dropout))
    model.head.init_weights()
    weight = next(p for p in model.parameters() if p.requires_grad)
    assert weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_network_of_hsg(configs):
    """ResNet-50 and D = 128; retrieval has stride 8 instead of 16."""
    cfg = configs['hsg/hsg_r50_cityscapes-448x448'].model
    model = MODELS.build(cfg)
    stages = [getattr(model.backbone, f'layer{i}') for i in range(1, 5)]
    for training, strides, third, last, size in (
            (True, [1, 2, 2, 1], [1] * 6, [1, 4, 8], (4, 6)),
            (False, [1, 2, 1, 1], [1] + [2] * 5, [2, 8, 16], (8, 12))):
        model.train(training)
        assert [stage[0].conv2.stride[0] for stage in stages] == strides
        assert [[b.conv2.dilation[0] for b in s] for s in stages] == [
            [1] * 3, [1] * 4, third, last]
        with torch.no_grad():
            assert model(torch.zeros(2, 3, 64, 96)).shape == (2, 128, *size)
    with torch.no_grad():
        plain = MODELS.build({**cfg.backbone, **cfg.test_backbone})
        plain.load_state_dict(model.backbone.state_dict())
        plain.eval()
        image = torch.randn(1, 3, 64, 96)
        assert torch.equal(model.neck(plain(image)), model(image))
    assert 'multi_grid' in model.bank_meta()['test_backbone']
    for transformer in (model.head.fine_transformer,
                        model.head.coarse_transformer):
        for layers in (transformer.encoder, transformer.decoder):
            assert len(layers) == 2 and layers[0].dropout.p == 0.1
            assert layers[0].self_attn.num_heads == 4
            assert layers[0].self_attn.dropout == 0.1
            assert layers[0].linear1.out_features == 256
    norms = [m for m in nn.SyncBatchNorm.convert_sync_batchnorm(
        model).modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    # 53 of the ResNet, one of the neck, 14 of each transformer.
    assert len(norms) == 54 + 2 * 14
    assert {(type(m), m.eps, m.momentum) for m in norms} == {
        (nn.SyncBatchNorm, 1e-5, 0.1)}


def test_initial_weights_of_hsg(configs):
    """The authors' distributions; a large tensor's within 5 %."""
    torch.manual_seed(1)
    model = MODELS.build(without_weights(
        configs['hsg/hsg_r50_stage2_coco-448x448'].model))
    model.init_weights()
    found = dict(model.named_parameters())
    layers = model.head.fine_transformer.encoder
    assert torch.equal(layers[0].linear1.bias, layers[1].linear1.bias)
    expected = json.loads((ROOT / 'tests/data/init_statistics.json'
                           ).read_text())['hsg_r50_coco']
    assert len(expected) == len(found)
    for key, values in expected.items():
        tensor = found[rename_hsg_key(key)].detach()
        assert list(tensor.shape) == values['shape'], key
        if values['std'] == 0:
            assert (tensor == values['mean']).all(), key
            continue
        size = tensor.numel()
        normal = values['max'] > 2 * values['std']
        assert tensor.std() == pytest.approx(
            values['std'], rel=0.05 if size >= 1000 else 0.2), key
        assert tensor.mean() == pytest.approx(
            values['mean'], abs=5 * values['std'] / size**0.5), key
        if size >= 1000 or not normal:
            assert tensor.abs().max() == pytest.approx(
                values['max'], rel=0.2 if normal else 0.05), key
