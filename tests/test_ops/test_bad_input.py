"""Errors name the argument, what is expected and what was given."""

import pytest
import torch

from mmhierseg import ops

floats = torch.zeros


def ints(*shape, value=0):
    return torch.full(shape, value)


KNN = dict(queries=floats(2, 6), bank=floats(9, 6), k=1,
           bank_labels=ints(9), num_classes=5)
CONTRAST = dict(pixels=floats(7, 5), segments=ints(7),
                prototypes=floats(11, 5), labels=ints(11))
KMEANS = dict(features=floats(2, 30, 5), labels=ints(2, 30), num_clusters=6)
VIEWS = dict(embeddings=floats(2, 3, 4, 5), grid_size=(2, 2))
POINTS = dict(points=floats(1, 3, 2), num_samples=1)
MEAN = dict(features=floats(2, 1, 2, 2), labels=ints(2, 4, 4), num_segments=3)
COUNTS = dict(labels=ints(2, 7, 9), target=ints(2, 7, 9), num_segments=5,
              num_classes=3)
MAP = dict(tokens=floats(3, 3, 2), labels=ints(3, 4, 4), stride=2)


@pytest.mark.parametrize('name, options, change, match', [
    ('cut_clusters', dict(clusters=ints(2, 3, 4)),
     dict(regions=ints(2, 6, 8)), r'\(2, 3, 4\), got \(2, 6, 8\)'),
    ('pixel_segment_contrast', CONTRAST, dict(pixels=floats(7, 4)),
     r'`prototypes` must have shape \(11, 4\), got \(11, 5\)'),
    ('pixel_segment_contrast', CONTRAST, dict(segments=ints(7, value=11)),
     r'`segments` must lie in \[0, 10\], got 11 to 11'),
    ('pixel_segment_contrast', CONTRAST, dict(labels=ints(2, 10)), '2, 11'),
    ('farthest_point_sampling', POINTS, dict(points=floats(1, 0, 2)),
     r'\(B, N, C\) with N at least 1'),
    ('farthest_point_sampling', POINTS, dict(empty=ints(1, 2).bool()),
     r'`empty` must have shape \(1, 3\), got \(1, 2\)'),
    ('knn_adjacency', dict(features=floats(4, 11, 3)), dict(k=0), 'got 0'),
    ('modularity_loss', dict(assignment=floats(2, 6, 3)),
     dict(adjacency=floats(2, 6, 5)), r'shape \(2, 6, 6\)'),
    ('spherical_kmeans', KMEANS, dict(labels=ints(2, 30, value=6)),
     r'`labels` must lie in \[-1, 5\], got 6'),
    ('cluster_views', VIEWS, dict(embeddings=floats(2, 3, 0, 4)), '3, 0, 4'),
    ('cluster_views', VIEWS, dict(grid_size=(0, 2)), '`grid_size` .* got 0'),
    ('cluster_views', VIEWS, dict(ignored=ints(2, 5, 4).bool()), '2, 4, 5'),
    ('knn_retrieve', KNN, dict(bank=floats(9, 7)), r'\(9, 7\)'),
    ('knn_retrieve', KNN, dict(k=10), 'entries of `bank`, 9, got 10'),
    ('knn_retrieve', KNN, dict(bank_labels=ints(9, value=-1)), r'4\], got -1'),
    ('knn_retrieve', KNN, dict(queries=floats(2, 6) + torch.nan), 'NaN'),
    ('tokens_to_map', MAP, dict(tokens=floats(1, 4, 3)), '`tokens` .* shape'),
    # It would be a row of the next image.
    ('tokens_to_map', MAP, dict(labels=ints(3, 4, 4, value=3)), 'got 3'),
    ('segment_class_counts', COUNTS, dict(target=ints(2, 7, 9, value=3)),
     r'from 0 to 2 or 255, which is ignored, got \[3\]'),
    ('segment_cross_entropy', dict(logits=floats(1, 2, 3)),
     dict(counts=ints(1, 2, 4)), r'\(1, 2, 4\), got \(1, 2, 3\)'),
    ('segment_mean', MEAN, dict(features=floats(3, 1, 2, 2)), 'B = 2 or 1'),
    ('segment_mean', MEAN, dict(labels=ints(2, 4)), r'\(B, H, W\)'),
    ('segment_mean', MEAN, dict(mode='nearest'), "'bilinear' or 'bicubic'"),
    ('select_pixels', dict(embeddings=floats(2, 5, 3, 4)),
     dict(labels=ints(2, 4, 3)), r'\(2, 3, 4\), got \(2, 4, 3\)'),
    ('sincos_position_encoding', dict(grid_size=(2, 2)), dict(embed_dims=6),
     'multiple of 4, got 6'),
    ('resize_position_encoding', dict(table=floats(1, 6, 4)),
     dict(source_size=(2, 2), target_size=(3, 3)), r'\(1, 5, C\)'),
    # Types.
    ('pixel_segment_contrast', CONTRAST, dict(labels=floats(11)), None),
    ('farthest_point_sampling', POINTS, dict(empty=floats(1, 3)), None),
    ('cluster_views', VIEWS, dict(ignored=floats(2, 4, 5)), None),
    ('knn_retrieve', KNN, dict(bank_labels=floats(9)), None),
    ('compact_labels', {}, dict(labels=floats(1, 2, 2)), None),
    ('segment_class_counts', COUNTS, dict(target=floats(2, 7, 9)), None),
])
def test_bad_input(name, options, change, match):
    kind = ValueError if match else TypeError
    match = match or f'`{list(change)[0]}` must be (bool|int64), got'
    with pytest.raises(kind, match=match):
        getattr(ops, name)(**{**options, **change})
