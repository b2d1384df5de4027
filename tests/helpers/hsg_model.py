"""A tiny HSG and views for it."""

import torch
from mmengine.registry import init_default_scope

from mmhierseg.registry import MODELS

from .hsg import NO_GROUPS, shake_statistics

#: Heads of the second stage on COCO, of other recipes and the first stage.
HEADS = {
    'within views': dict(pad_length=40),
    'across views': dict(
        pad_length=None, graph_knn=4, graph_within_view=False,
        grouping_weight=0.2, centroid_weight=0.2),
    'first stage': dict(
        NO_GROUPS, kmeans_clusters=(1, 1), kmeans_iterations=1),
}


def tiny_hsg(head=None, seed=0, **options):
    """HSG of 8 channels at stride 8, in training mode, without dropout.

    Running statistics are random.
    """
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    settings = dict(
        type='mmhierseg.HSG',
        data_preprocessor=dict(type='mmhierseg.MultiViewSegDataPreProcessor'),
        backbone=dict(
            type='mmseg.ResNet', depth=18, base_channels=4, stem_channels=4,
            strides=(1, 2, 1, 1), dilations=(1, 1, 1, 2), multi_grid=(1, 2),
            out_indices=(3, ), norm_cfg=dict(type='BN')),
        neck=dict(
            type='mmhierseg.EmbeddingNeck', in_channels=32, out_channels=8),
        head=dict(
            type='mmhierseg.HSGHead', in_channels=8, embed_dims=8,
            kmeans_clusters=(2, 2), kmeans_iterations=3, fine_clusters=3,
            coarse_clusters=2, dropout=0., num_heads=2, num_layers=1,
            position_size=8),
        num_classes=4,
        num_neighbors=3,
        kmeans_clusters=(2, 3))
    settings['head'].update(head or {})
    return shake_statistics(MODELS.build({**settings, **options})).train()


def noisy_views(images=(0, 1, 0, 1), height=48, width=64, seed=0):
    """Output of the data preprocessor: RGBS of views, and their images.

    Image i has 4 + i columns of regions; some pixels are ignored.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(len(images), 4, height, width, generator=generator)
    columns = torch.arange(width)
    for view, image in zip(inputs, images):
        view[3] = (4 + image) * columns // width
        view[3, :20, 40:] = -1
    return inputs, torch.tensor(images)
