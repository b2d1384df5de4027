"""HSG: the authors' values, and heads with the authors' weights."""

import json

import numpy as np
import torch

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
    rows, columns = module.double()(height, width)
    encoding = torch.cat([columns[column], rows[row]], dim=1)
    segment = values['pixel_cluster_index']
    padding = values['nd_padding']
    result = encoding.new_zeros(*padding.shape, meta['embed_dims'])
    for image, index in enumerate(values['image_index'].unique()):
        of_image = values['image_index'][view] == index
        for number, name in enumerate(segment[of_image].unique()):
            result[image, number] = encoding[segment == name].mean(0)
    return result
