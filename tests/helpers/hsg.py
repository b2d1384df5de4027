"""HSG: the authors' values, and heads with the authors' weights."""

import json
import re

import numpy as np
import torch
from mmengine.registry import MODELS

from mmhierseg.models import ClusteringTransformer
from mmhierseg.models.utils import LearnedPositions
from mmhierseg.utils.hsg_checkpoint import rename_hsg_key
from mmhierseg.utils.safe_load import load_plain_checkpoint

from .cast import DATA

RECIPES = ['coco', 'cityscapes']


def hsg_golden(recipe):
    """Values of the authors' implementation, and the settings."""
    with np.load(DATA / f'hsg_{recipe}.npz') as values:
        values = {
            key: torch.from_numpy(value) if value.dtype.kind in 'fib' else
            str(value)
            for key, value in values.items()
        }
    return values, json.loads(values.pop('meta'))


def hsg_weights(recipe, prefix=''):
    """The authors' weights by our names, those that begin with a prefix."""
    source = load_plain_checkpoint(DATA / f'hsg_{recipe}.pth')
    renamed = {
        rename_hsg_key(key): value
        for key, value in source['embedding_model'].items()
    }
    return {
        key[len(prefix):]: value
        for key, value in renamed.items() if key.startswith(prefix)
    }


def golden_transformer(recipe, level):
    """One of the two transformers, in float64 and training mode."""
    _, meta = hsg_golden(recipe)
    options = meta['transformer']
    transformer = ClusteringTransformer(
        meta['embed_dims'],
        meta[f'{level}_clusters'],
        num_heads=options['num_heads'],
        num_layers=options['encoder_layers'],
        feedforward_channels=options['ffn'],
        drop_rate=options['dropout'])
    transformer.load_state_dict(
        hsg_weights(recipe, f'head.{level}_transformer.'))
    return transformer.double().train()


def golden_positions(recipe):
    """(3, N, D) float64: mean encodings of the padded segments."""
    values, meta = hsg_golden(recipe)
    module = LearnedPositions(meta['embed_dims'])
    module.load_state_dict(hsg_weights(recipe, 'head.positions.'))
    views, _, height, width = values['embedding'].shape
    view, row, column = (~values['ignore']).nonzero(as_tuple=True)
    encoding = module.double()(height, width)[row, column]
    segment = values['pixel_cluster_index']
    padding = values['nd_padding']
    result = encoding.new_zeros(*padding.shape, meta['embed_dims'])
    for image, index in enumerate(values['image_index'].unique()):
        of_image = values['image_index'][view] == index
        for number, name in enumerate(segment[of_image].unique()):
            result[image, number] = encoding[segment == name].mean(0)
    return result


def with_resnet(checkpoint, depth, style):
    """A checkpoint of the authors with a ResNet and embedding layers.

    Args:
        checkpoint (dict): What gets the further weights.
        depth (int): Of the ResNet, which is 4 channels wide.
        style (str): How a norm is called: 'detectron2', within its
            convolution; 'torchvision', beside it; 'wrapped', torchvision's
            with the stem as a module of its own.

    Returns:
        tuple: The checkpoint; and the ResNet's weights by the names that
        MMSegmentation has for them.
    """
    generator = torch.Generator().manual_seed(depth)
    resnet = MODELS.build(
        dict(
            type='mmseg.ResNet', depth=depth, base_channels=4,
            stem_channels=4, norm_cfg=dict(type='BN')))
    weights = {
        key: torch.randn(value.shape, generator=generator)
        if value.is_floating_point() else value
        for key, value in resnet.state_dict().items()
    }
    renamed = {
        'resnet_backbone.' + _authors_name(key, style): value
        for key, value in weights.items()
    }
    width = 4 * (8 if depth < 50 else 32)
    out = torch.nn.Sequential(
        torch.nn.Conv2d(width, width, 1, bias=False),
        torch.nn.BatchNorm2d(width), torch.nn.ReLU(),
        torch.nn.Conv2d(width, 8, 1))
    renamed.update({
        f'conv_out.{key}': value for key, value in out.state_dict().items()
    })
    # The embedding of the fixture's transformers is 32 wide, not 8.
    if checkpoint['embedding_model']:
        renamed['conv_out.3.weight'] = torch.zeros(32, width, 1, 1)
        renamed['conv_out.3.bias'] = torch.zeros(32)
    renamed.update(checkpoint['embedding_model'])
    return dict(checkpoint, embedding_model=renamed), weights


def _authors_name(key, style):
    key = re.sub(r'^layer(\d)', lambda m: f'res{int(m[1]) + 1}', key)
    if style == 'detectron2':
        key = re.sub(r'\bbn(\d)\.', r'conv\1.norm.', key)
        key = key.replace('downsample.1.', 'shortcut.norm.')
        return key.replace('downsample.0.', 'shortcut.')
    if style == 'wrapped':
        key = re.sub(r'^(conv1|bn1)', r'conv1.\1', key)
    return key
