import copy
import re

import pytest
import torch
from helpers.cast import DATA
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_cast_checkpoint, match

NECK = dict(
    type='NonLinearNeck', in_channels=48, hid_channels=32, out_channels=16,
    num_layers=3, with_bias=False, with_last_bn=True,
    with_last_bn_affine=False, with_last_bias=False, with_avg_pool=False,
    norm_cfg=dict(type='BN1d'))
MOCO = dict(
    type='MoCoV3', neck=NECK,
    head=dict(
        type='MoCoV3Head', predictor=dict(NECK, in_channels=16, num_layers=2),
        loss=dict(type='CrossEntropyLoss', loss_weight=0.4), temperature=0.2))
CLASSIFIER = dict(
    type='ImageClassifier',
    head=dict(type='LinearClsHead', num_classes=10, in_channels=48))


def source(name):
    return load_plain_checkpoint(DATA / name)


@pytest.mark.parametrize('name, kind, out_type', [
    ('cast_moco.pth.tar', 'moco', 'cls_token'),
    ('cast_moco_seg_pretrain.pth.tar', 'moco_seg', 'avg_segments'),
    ('cast_moco_seg.pth.tar', 'moco_seg', 'avg_segments'),
    ('cast_deit.pth', 'deit', 'cls_token'),
    ('cast_deit_seg.pth', 'deit_seg', 'segments'),
])
def test_every_kind_is_converted_or_listed(name, kind, out_type):
    checkpoint = source(name)
    weights = checkpoint.get('model') or checkpoint['state_dict']
    converted = convert_cast_checkpoint(checkpoint)
    assert converted.kind == kind
    assert converted.options['out_type'] == out_type
    assert converted.options['arch']['depths'] == (2, 1, 1, 1)
    assert converted.options['img_size'] == 64
    assert all(
        value.dtype != torch.float64
        for value in converted.state_dict.values())
    # Every tensor of the source is converted, an alias, or listed.
    aliases = [
        key for key in weights
        if '.blocks.' in f'.{key}' and 'momentum' not in key
    ]
    num = len(converted.state_dict) + len(converted.unconverted) + len(aliases)
    # The class token's encoding of MoCo becomes a row of the positions, whose
    # grid is added; every other entry of the file is listed.
    assert num + ('moco' in name) - 1 == len(weights) + len(checkpoint) - 1
    assert {'epoch', 'optimizer'} <= set(converted.unconverted)
    prefix = 'module.base_encoder.' * ('moco' in name)
    unknown = {f'{prefix}aux_head.weight', f'{prefix}blocks.0.extra'}
    weights.update(dict.fromkeys(unknown, torch.zeros(1)))
    assert unknown <= set(convert_cast_checkpoint(checkpoint).unconverted)


def test_encoders_and_averages():
    key, theirs = (f'{name}.0.attn.qkv.weight'
                   for name in ('backbone.stages.0', 'blocks1'))
    moco = source('cast_moco.pth.tar')
    base, momentum = (
        convert_cast_checkpoint(moco, encoder).state_dict
        for encoder in ('base', 'momentum'))
    assert base.keys() == momentum.keys()
    assert not torch.equal(base[key], momentum[key])
    assert torch.equal(
        momentum[key], moco['state_dict'][f'module.momentum_encoder.{theirs}'])
    deit = source('cast_deit.pth')
    deit['model_ema'] = {k: v + 1 for k, v in deit['model'].items()}
    assert torch.equal(
        convert_cast_checkpoint(deit, ema=True).state_dict[key],
        deit['model'][theirs] + 1)


def test_block_numbers_may_or_may_not_count_through():
    through = source('cast_deit.pth')
    within = copy.deepcopy(through)
    within['model'] = {
        re.sub(r'^blocks4\.4\.', 'blocks4.0.', key): value
        for key, value in within['model'].items()
    }
    assert within['model'].keys() != through['model'].keys()
    a, b = (convert_cast_checkpoint(c).state_dict for c in (through, within))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize('name, config', [('cast_moco.pth.tar', MOCO),
                                          ('cast_deit.pth', CLASSIFIER)])
def test_fits_mmpretrains_models(name, config):
    init_default_scope('mmpretrain')
    converted = convert_cast_checkpoint(source(name))
    backbone = dict(converted.options, num_clusters=(8, 6, 4, 2))
    model = MODELS.build(dict(config, backbone=backbone))
    assert match(converted.state_dict, model, ('momentum_encoder.*', )) == []
    if config is CLASSIFIER:
        return
    weights = source(name)['state_dict']
    for ours, theirs in [
        ('neck.fc2.weight', 'module.base_encoder.head.6.weight'),
        ('neck.bn1.running_var', 'module.base_encoder.head.4.running_var'),
        ('head.predictor.fc0.weight', 'module.predictor.0.weight'),
        ('head.predictor.bn1.running_mean',
         'module.predictor.4.running_mean')]:
        assert torch.equal(model.state_dict()[ours], weights[theirs].float())


@pytest.mark.parametrize('checkpoint, options, message', [
    (dict(embedding_model={}, prediction_model={}), {},
     "not a checkpoint of the authors of CAST.*'embedding_model'"),
    ([1, 2], {}, 'not a checkpoint of the authors of CAST.*got list'),
    (dict(model={'patch_embed.x': torch.zeros(1)}), {}, 'has no pos_embed'),
    (dict(model={'patch_embed.x': torch.zeros(1), 'pos_embed': 0}), {},
     'has no .*pool_block'),
    (dict(model={'patch_embed.x': torch.zeros(1)}), dict(ema=True),
     'needs `model_ema`'),
    ('cast_moco.pth.tar', dict(ema=True), '`--ema` is for DeiT.*momentum'),
    ('cast_deit.pth', dict(encoder='momentum'), '`--encoder` is for MoCo'),
    ('cast_moco.pth.tar', dict(encoder='both'), 'has no module.both_enc'),
])
def test_bad_input(checkpoint, options, message):
    if isinstance(checkpoint, str):
        checkpoint = source(checkpoint)
    with pytest.raises(ValueError, match=message):
        convert_cast_checkpoint(checkpoint, **options)
