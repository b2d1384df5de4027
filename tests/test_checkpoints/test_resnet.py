import pytest
import torch
from helpers.hsg_baselines import draw_resnet
from mmengine.runner.checkpoint import load_state_dict
from mmseg.registry import MODELS

from mmhierseg.checkpoints import resnet_names

RETRIEVAL = dict(
    type='mmhierseg.RetrievalSegmentor',
    embedder=dict(
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(type='mmseg.ResNet', depth=18, base_channels=4,
                      stem_channels=4)),
    num_classes=2,
    kmeans=dict(num_clusters=2))


@pytest.mark.parametrize('first, second', [
    ('encoder_q.', 'encoder_k.'),
    ('module.base_encoder.', 'module.momentum_encoder.'),
    ('student.backbone.', 'teacher.backbone.'),
    ('', 'momentum_encoder.module.0.'),
])
def test_of_two_the_one_that_was_trained(first, second):
    parts = draw_resnet()
    names = [prefix + key for prefix in (second, first) for key in parts]
    others = ['encoder_q.fc.0.weight', 'queue', 'layer1', 'epoch']
    assert resnet_names([*others, *names]) == {
        first + key: key for key in parts
    }


def test_none_or_too_many():
    assert resnet_names(['patch_embed.proj.weight', 'blocks.0.norm.bias',
                         'stem.conv1.weight']) == {}
    names = [prefix + key for prefix in ('b.', 'a.') for key in draw_resnet()]
    with pytest.raises(ValueError, match=r"under \['a.', 'b.'\]: leave one"):
        resnet_names(names)


@pytest.mark.parametrize('prefix', [
    '', 'encoder_q.', 'backbone.', 'embedder.backbone.'
])
def test_retrieval_takes_it(prefix):
    weights = draw_resnet()
    model = MODELS.build(RETRIEVAL)
    given = {prefix + key: value for key, value in weights.items()}
    before = list(given)
    # MMEngine's, which the tools end with.
    load_state_dict(model, dict(given, queue=torch.zeros(2)))
    for key, value in model.embedder.backbone.state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert list(given) == before


def test_in_a_larger_model():
    """Names that another part of it has are left alone."""
    weights = {f'encoder_q.{key}': value
               for key, value in draw_resnet().items()}
    parts = torch.nn.ModuleDict(dict(a=MODELS.build(RETRIEVAL)))
    result = parts.load_state_dict(
        {f'a.{key}': value for key, value in weights.items()}, strict=False)
    assert not result.missing_keys and not result.unexpected_keys
    result = parts.load_state_dict(weights, strict=False)
    assert len(result.unexpected_keys) == len(weights)
