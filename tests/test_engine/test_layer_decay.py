"""Learning rates by depth, of segmentors and of classifiers."""

import pytest
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmhierseg.registry import MODELS

DEPTHS = (2, 1, 1, 1)


def model(name='backbone'):
    """CAST and a head, as segmentors name them."""
    parts = nn.Module()
    parts.add_module(
        name,
        MODELS.build(
            dict(
                type='mmhierseg.CAST', img_size=32, num_clusters=(8, 6, 4, 2),
                arch=dict(embed_dims=16, depths=DEPTHS, num_heads=2),
                out_type='featmap')))
    parts.decode_head = nn.Conv2d(16, 3, 1)
    return parts


def wrapper(model, rate=0.5):
    return build_optim_wrapper(
        model,
        dict(
            constructor='mmhierseg.LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1., weight_decay=0.1),
            paramwise_cfg=dict(layer_decay_rate=rate, flat_decay_mult=0.)))


def test_rates_fall_from_the_head_to_the_stem():
    segmentor = model()
    groups = {
        id(group['params'][0]): group
        for group in wrapper(segmentor).optimizer.param_groups
        if 'param_name' in group
    }
    layers = sum(DEPTHS) + 1
    expected = {
        'decode_head.weight': 0,
        'backbone.fusion': 0,
        'backbone.stages.3.0.': 1,
        'backbone.stages.0.1.': 4,
        'backbone.stages.0.0.': 5,
        'backbone.tokenizer.': layers,
    }
    seen = set()
    for name, parameter in segmentor.named_parameters():
        if not parameter.requires_grad:
            assert id(parameter) not in groups
            continue
        group = groups[id(parameter)]
        for start, depth in expected.items():
            if name.startswith(start):
                assert group['lr'] == 0.5**depth, name
                seen.add(start)
        assert group['weight_decay'] == (0 if parameter.dim() == 1 else 0.1)
    assert seen >= set(expected) - {'backbone.fusion'}


def test_rate_one_is_no_decay():
    groups = wrapper(model(), rate=1.).optimizer.param_groups
    assert {group['lr'] for group in groups} == {1.}


def test_a_model_that_knows_depths_is_asked_itself():
    classifier = nn.Linear(2, 2)
    classifier.get_layer_depth = lambda name: (0, 3)
    group, = {
        group['lr'] for group in wrapper(classifier).optimizer.param_groups
        if 'param_name' in group
    }
    assert group == 0.25


@pytest.mark.parametrize('unfit', [model('encoder'), nn.Linear(2, 2)])
def test_backbones_without_depths(unfit):
    with pytest.raises(TypeError, match='`get_layer_depth`.*got NoneType'):
        wrapper(unfit)
