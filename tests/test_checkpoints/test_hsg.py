import re

import pytest
import torch
from helpers.cast import DATA
from helpers.hsg import with_resnet
from helpers.hsg_golden import RECIPES
from mmengine.registry import MODELS, init_default_scope

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_hsg_checkpoint
from mmhierseg.models import ClusteringTransformer


def source(recipe='coco'):
    return load_plain_checkpoint(DATA / f'hsg_{recipe}.pth')


@pytest.mark.parametrize('recipe', RECIPES)
def test_transformers_and_positions(recipe):
    checkpoint = source(recipe)
    converted = convert_hsg_checkpoint(checkpoint)
    assert converted.kind == 'hsg' and converted.unconverted == []
    assert len(converted.state_dict) == len(checkpoint['embedding_model'])
    assert converted.options == dict(
        in_channels=32, embed_dims=32, fine_clusters=4, coarse_clusters=2,
        feedforward_channels=64)
    theirs = 'coarse_hrchy_transformer._transformer.decoder.norm.norm.bias'
    assert torch.equal(
        converted.state_dict['head.coarse_transformer.decoder_norm.norm.bias'],
        checkpoint['embedding_model'][theirs])


@pytest.mark.parametrize('style, depth', [('detectron2', 50),
                                          ('detectron2', 18),
                                          ('torchvision', 50),
                                          ('wrapped', 18),
                                          ('sequential', 18)])
def test_resnet_fits_the_ecosystems(style, depth):
    checkpoint, expected = with_resnet(source(), depth, style)
    converted = convert_hsg_checkpoint(checkpoint)
    assert converted.unconverted == []
    init_default_scope('mmseg')
    resnet = MODELS.build(
        dict(
            type='mmseg.ResNet', depth=depth, base_channels=4,
            stem_channels=4, norm_cfg=dict(type='BN')))
    weights = {
        key[len('backbone.'):]: value
        for key, value in converted.state_dict.items()
        if key.startswith('backbone.')
    }
    resnet.load_state_dict(weights)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_without_transformers():
    """As after the first stage, where nothing above segments is learned."""
    checkpoint, _ = with_resnet(dict(embedding_model={}), 18, 'detectron2')
    converted = convert_hsg_checkpoint(checkpoint)
    assert converted.kind == 'hsg_embedding'
    assert converted.options == dict(in_channels=8, embed_dims=8)
    assert not any(key.startswith('head.') for key in converted.state_dict)


def test_the_rest_is_listed():
    checkpoint = source()
    checkpoint['prediction_model'] = {'semantic_classifier.weight': 1}
    checkpoint['iteration'] = 7
    checkpoint['embedding_model']['prototype'] = torch.zeros(3)
    name = 'fine_hrchy_transformer._transformer.encoder.scale'
    checkpoint['embedding_model'][name] = torch.zeros(3)
    assert convert_hsg_checkpoint(checkpoint).unconverted == [
        f'embedding_model.{name}', 'embedding_model.prototype', 'iteration',
        'prediction_model'
    ]


def test_names_of_a_data_parallel_model():
    weights = {**source()['embedding_model'], 'prototype': torch.zeros(3)}
    wrapped = {f'module.{key}': value for key, value in weights.items()}
    converted = convert_hsg_checkpoint(dict(embedding_model=wrapped))
    assert converted.unconverted == ['embedding_model.module.prototype']
    # A prefix of only some names is no wrapper.
    mixed = convert_hsg_checkpoint(dict(embedding_model=wrapped | weights))
    assert mixed.unconverted == sorted(
        f'embedding_model.{key}' for key in [*wrapped, 'prototype'])


def test_deeper_transformers_in_half_precision():
    checkpoint = source()
    weights = checkpoint['embedding_model']
    for key, value in list(weights.items()):
        if value.is_floating_point():
            weights[key] = value.half()
        if '.layers.1.' in key:
            weights[key.replace('.layers.1.', '.layers.2.')] = weights[key]
    converted = convert_hsg_checkpoint(checkpoint).state_dict
    assert {value.dtype for value in converted.values()
            } == {torch.float32, torch.int64}
    expected = ClusteringTransformer(32, 4, num_layers=3).state_dict()
    assert {f'head.fine_transformer.{key}' for key in expected} == {
        key for key in converted if key.startswith('head.fine_transformer.')}


def test_an_incomplete_part():
    checkpoint, _ = with_resnet(source(), 18, 'detectron2')
    weights = checkpoint['embedding_model']
    for key in list(weights)[::5]:
        rest = {name: weights[name] for name in weights if name != key}
        if key.endswith('num_batches_tracked'):
            convert_hsg_checkpoint(dict(embedding_model=rest))
            continue
        with pytest.raises(ValueError, match='do not make a whole model'):
            convert_hsg_checkpoint(dict(embedding_model=rest))


@pytest.mark.parametrize('checkpoint, message', [
    (dict(state_dict={}), r"got ['state_dict']"),
    (dict(embedding_model={'backbone.conv1.weight': torch.zeros(1)}),
     'expected an `embedding_model` with `resnet_backbone.*`'),
    ([1, 2], 'got list'),
    (dict(embedding_model={'resnet_backbone.a': torch.zeros(1),
                           7: torch.zeros(1)}), 'something else at [7]'),
])
def test_other_kinds(checkpoint, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        convert_hsg_checkpoint(checkpoint)
