"""HSG: heads with the authors' weights, and tiny heads."""

import re

import torch
from mmengine.registry import MODELS

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.hsg import rename_hsg_key
from mmhierseg.models import HSGHead

from .cast import shake_statistics
from .hsg_golden import DATA, hsg_golden

NO_GROUPS = dict.fromkeys(
    ('fine_weight', 'coarse_weight', 'grouping_weight', 'centroid_weight'),
    0.)


def with_resnet(checkpoint, depth, style):
    """A checkpoint of the authors with a ResNet and embedding layers added.

    Norms are named as in 'detectron2', within the convolution, 'torchvision',
    beside it, or 'wrapped' and 'sequential', with the stem as a module. Also
    returns the ResNet's weights by MMSegmentation's names.
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
    for key, value in weights.items():
        if key.endswith('running_var'):
            value.abs_()
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
        return re.sub(r'^(conv1|bn1)', r'conv1.\1', key)
    if style == 'sequential':
        key = re.sub(r'^conv1', 'conv1.0', key)
        return re.sub(r'^bn1', 'conv1.1', key)
    return key


def golden_head(recipe):
    """The fixture's head in float64 and training mode, weights loaded."""
    _, meta = hsg_golden(recipe)
    weights, transformer = meta['weights'], meta['transformer']
    coco = recipe == 'coco'
    names = ('kmeans_iterations', 'fine_clusters', 'coarse_clusters',
             'concentration')
    head = HSGHead(
        meta['embed_dims'],
        meta['embed_dims'],
        kmeans_clusters=tuple(meta['kmeans_num_clusters']),
        graph_knn=meta['dmon_knn'],
        graph_within_view=coco,
        pad_length=256 if coco else None,
        grouping_weight=weights['dmon'],
        dropout=transformer['dropout'],
        num_heads=transformer['num_heads'],
        num_layers=transformer['encoder_layers'],
        feedforward_channels=transformer['ffn'],
        **{name: meta[name] for name in names},
        **{f'{name}_weight': weights[name]
           for name in ('img_sim', 'fine', 'coarse', 'centroid')})
    source = load_plain_checkpoint(DATA / f'hsg_{recipe}.pth')
    head.load_state_dict({
        rename_hsg_key(key).removeprefix('head.'): value
        for key, value in source['embedding_model'].items()
    })
    return head.double().train()


def golden_inputs(recipe):
    """Embeddings, segments with -1 where ignored, image index."""
    values, _ = hsg_golden(recipe)
    segments = values['over_segmentation'].long()
    return (values['embedding'].requires_grad_(),
            segments.masked_fill(values['ignore'], -1), values['image_index'])


def tiny_head(seed=0, **options):
    """A small head in float64 with random batch statistics, no dropout."""
    torch.manual_seed(seed)
    settings = dict(
        in_channels=8, embed_dims=8, kmeans_clusters=(2, 2),
        kmeans_iterations=3, fine_clusters=3, coarse_clusters=2,
        pad_length=20, dropout=0., num_heads=2, num_layers=1)
    head = HSGHead(**{**settings, **options}).double()
    return shake_statistics(head).train()


def tiny_views(image_index=(0, 0, 1, 1), height=6, width=8, seed=0):
    """Noise, regions shared by the views of an image, and the image index.

    A corner of every second view is ignored.
    """
    generator = torch.Generator().manual_seed(seed)
    views = len(image_index)
    embeddings = torch.randn(
        views, 8, height, width, generator=generator, dtype=torch.float64)
    # Two rows of regions; each image has one column more than the last.
    rows, columns = torch.arange(height), torch.arange(width)
    segments = torch.stack([
        7 * (2 * rows // height)[:, None] + 3 *
        ((2 + index) * columns // width) for index in image_index
    ])
    segments[1::2, :2, :3] = -1
    return embeddings.requires_grad_(), segments, torch.tensor(image_index)
