import copy

import pytest
import torch
from helpers.cast import DATA, random_inputs
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_cast_checkpoint, match

KINDS = [
    ('cast_moco.pth.tar', 'moco', 'cls_token'),
    ('cast_moco_seg_pretrain.pth.tar', 'moco_seg', 'avg_segments'),
    ('cast_moco_seg.pth.tar', 'moco_seg', 'avg_segments'),
    ('cast_deit.pth', 'deit', 'cls_token'),
    ('cast_deit_seg.pth', 'deit_seg', 'segments'),
]


def source(name):
    return load_plain_checkpoint(DATA / name)


@pytest.mark.parametrize('name, kind, out_type', KINDS)
def test_kind_is_recognised(name, kind, out_type):
    converted = convert_cast_checkpoint(source(name))
    assert converted.kind == kind
    assert converted.backbone['out_type'] == out_type
    assert converted.backbone['arch']['depths'] == (2, 1, 1, 1)
    assert converted.backbone['img_size'] == 64
    assert all(
        value.dtype != torch.float64
        for value in converted.state_dict.values())


@pytest.mark.parametrize('name', [name for name, *_ in KINDS])
def test_nothing_is_dropped_silently(name):
    """Every tensor of the source is converted, an alias, or listed."""
    checkpoint = source(name)
    weights = checkpoint.get('model') or checkpoint['state_dict']
    aliases = [
        key for key in weights
        if '.blocks.' in f'.{key}' and 'momentum' not in key
    ]
    converted = convert_cast_checkpoint(checkpoint)
    num = len(converted.state_dict) + len(converted.unconverted) + len(aliases)
    # The class token's encoding of MoCo becomes a row of the positions, whose
    # grid is added; every other entry of the file is listed.
    assert num + ('moco' in name) - 1 == len(weights) + len(checkpoint) - 1
    assert {'epoch', 'optimizer'} <= set(converted.unconverted)


def test_encoders_and_averages():
    moco = source('cast_moco.pth.tar')
    base = convert_cast_checkpoint(moco).state_dict
    momentum = convert_cast_checkpoint(moco, encoder='momentum').state_dict
    assert base.keys() == momentum.keys()
    key = 'backbone.stages.0.0.attn.qkv.weight'
    assert not torch.equal(base[key], momentum[key])
    expected = moco['state_dict'][
        'module.momentum_encoder.blocks1.0.attn.qkv.weight']
    assert torch.equal(momentum[key], expected)
    deit = source('cast_deit.pth')
    deit['model_ema'] = {k: v + 1 for k, v in deit['model'].items()}
    assert torch.equal(
        convert_cast_checkpoint(deit, ema=True).state_dict[key],
        deit['model']['blocks1.0.attn.qkv.weight'] + 1)


def test_block_numbers_may_or_may_not_count_through():
    through = source('cast_deit.pth')
    within = copy.deepcopy(through)
    for key in list(within['model']):
        if key.startswith('blocks4.4.'):
            renamed = key.replace('blocks4.4.', 'blocks4.0.')
            within['model'][renamed] = within['model'].pop(key)
    a, b = (convert_cast_checkpoint(c).state_dict for c in (through, within))
    assert all(torch.equal(a[key], b[key]) for key in a)


def moco_model():
    init_default_scope('mmpretrain')
    neck = dict(
        type='NonLinearNeck', in_channels=48, hid_channels=32,
        out_channels=16, num_layers=3, with_bias=False, with_last_bn=True,
        with_last_bn_affine=False, with_last_bias=False, with_avg_pool=False,
        norm_cfg=dict(type='BN1d'))
    converted = convert_cast_checkpoint(source('cast_moco.pth.tar'))
    return MODELS.build(
        dict(
            type='MoCoV3',
            backbone=dict(
                type='mmhierseg.CAST', num_clusters=(8, 6, 4, 2),
                **converted.backbone),
            neck=neck,
            head=dict(
                type='MoCoV3Head',
                predictor=dict(neck, in_channels=16, num_layers=2),
                loss=dict(type='CrossEntropyLoss', loss_weight=0.4),
                temperature=0.2))), converted


def test_moco_fits_mmpretrains_algorithm():
    model, converted = moco_model()
    found = match(converted.state_dict, model, ('momentum_encoder.', ))
    assert found.differences() == []
    weights = source('cast_moco.pth.tar')['state_dict']
    for ours, theirs in [
        ('neck.fc2.weight', 'module.base_encoder.head.6.weight'),
        ('neck.bn1.running_var', 'module.base_encoder.head.4.running_var'),
        ('head.predictor.fc0.weight', 'module.predictor.0.weight'),
        ('head.predictor.bn1.running_mean',
         'module.predictor.4.running_mean')]:
        assert torch.equal(model.state_dict()[ours], weights[theirs].float())
    # Training continues from them.
    MessageHub.get_current_instance().update_info('max_iters', 10)
    views = [random_inputs(4, seed=i) for i in range(2)]
    loss = model.loss(views, None)['loss']
    loss.backward()
    assert loss.isfinite()


def test_deit_fits_a_classifier():
    init_default_scope('mmpretrain')
    converted = convert_cast_checkpoint(source('cast_deit.pth'))
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='mmhierseg.CAST', num_clusters=(8, 6, 4, 2),
                **converted.backbone),
            head=dict(
                type='LinearClsHead', num_classes=10, in_channels=48)))
    assert match(converted.state_dict, model).differences() == []


def broken(change):
    checkpoint = source('cast_deit.pth')
    change(checkpoint['model'])
    return checkpoint


@pytest.mark.parametrize('checkpoint, options, message', [
    (dict(embedding_model={}, prediction_model={}), {},
     "not a checkpoint of the authors of CAST.*'embedding_model'"),
    ([1, 2], {}, 'not a checkpoint of the authors of CAST.*got list'),
    ('cast_moco.pth.tar', dict(ema=True), '`--ema` is for DeiT.*momentum'),
    ('cast_deit.pth', dict(encoder='momentum'), '`--encoder` is for MoCo'),
    ('cast_deit.pth', dict(encoder='both'), "`encoder` must be 'base' or"),
    (dict(model={'patch_embed.x': torch.zeros(1)}), dict(ema=True),
     'has no `model_ema`'),
    (lambda m: m.pop('pos_embed'), {}, 'the checkpoint has no pos_embed'),
    (dict(model={3: torch.zeros(1)}), {}, 'not a checkpoint of the authors'),
])
def test_exceptions(checkpoint, options, message):
    if isinstance(checkpoint, str):
        checkpoint = source(checkpoint)
    elif callable(checkpoint):
        checkpoint = broken(checkpoint)
    with pytest.raises(ValueError, match=message):
        convert_cast_checkpoint(checkpoint, **options)


def test_unknown_keys_are_listed():
    checkpoint = source('cast_deit.pth')
    checkpoint['model']['blocks.0.extra'] = torch.zeros(1)
    checkpoint['model']['aux_head.weight'] = torch.zeros(1)
    unconverted = convert_cast_checkpoint(checkpoint).unconverted
    assert {'aux_head.weight', 'blocks.0.extra'} <= set(unconverted)
    assert 'model_ema' in unconverted and 'model' not in unconverted
