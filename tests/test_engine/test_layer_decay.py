"""Learning rates by depth, of segmentors and of classifiers."""

import pytest
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmhierseg.registry import MODELS

#: Layers below the head, by the beginning of names.
EXPECTED = {
    'decode_head.weight': 0,
    'backbone.stages.3.0.': 1,
    'backbone.stages.0.1.': 4,
    'backbone.stages.0.0.': 5,
    'backbone.tokenizer.': 6,
}


def model():
    """CAST and a head, as segmentors name them."""
    backbone = MODELS.build(
        dict(
            type='mmhierseg.CAST', img_size=32, num_clusters=(8, 6, 4, 2),
            arch=dict(embed_dims=16, depths=(2, 1, 1, 1), num_heads=2),
            out_type='featmap'))
    return nn.ModuleDict(
        dict(backbone=backbone, decode_head=nn.Conv2d(16, 3, 1)))


def groups(model):
    """Groups with a parameter each."""
    wrapper = build_optim_wrapper(
        model,
        dict(
            constructor='mmhierseg.LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1., weight_decay=0.1),
            paramwise_cfg=dict(layer_decay_rate=0.5, flat_decay_mult=0.)))
    return [
        group for group in wrapper.optimizer.param_groups
        if 'param_name' in group
    ]


def test_rates_fall_from_the_head_to_the_stem():
    segmentor = model()
    found = {group['param_name']: group for group in groups(segmentor)}
    parameters = dict(segmentor.named_parameters())
    assert set(found) == {
        name for name, value in parameters.items() if value.requires_grad}
    for start, depth in EXPECTED.items():
        assert any(name.startswith(start) for name in found)
        for name, group in found.items():
            if name.startswith(start):
                assert group['lr'] == 0.5**depth, name
    for name, group in found.items():
        flat = parameters[name].dim() == 1
        assert group['weight_decay'] == (0 if flat else 0.1)


def test_a_model_that_knows_depths_is_asked_itself():
    classifier = nn.Linear(2, 2)
    classifier.get_layer_depth = lambda name: (0, 3)
    assert {group['lr'] for group in groups(classifier)} == {0.25}


def test_backbones_without_depths():
    with pytest.raises(NotImplementedError, match='`get_layer_depth`'):
        groups(nn.Linear(2, 2))
