from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmhierseg.models.utils import SegmentKMeans, segment_kmeans

DATA = Path(__file__).parents[2] / 'data/hsg_segments.npz'


def cells(height, width, batch=2):
    """(B, H, W): every pixel is a segment."""
    return torch.arange(height * width).view(1, height, width).expand(
        batch, -1, -1)


def no_mask(labels, number):
    return torch.zeros(len(labels), number, dtype=torch.bool)


def test_segments_of_hsgs_authors():
    """Their k-means, 3 x 3 clusters and 5 iterations, cut by regions."""
    values = {k: torch.from_numpy(v) for k, v in np.load(DATA).items()}
    embedding, left_out = values['embedding'], values['ignore'].flatten(1)
    features = F.normalize(embedding.flatten(2).transpose(1, 2), dim=2)
    kmeans = SegmentKMeans((3, 3), num_iterations=5, location=True)
    clusters = kmeans(features, cells(*embedding.shape[2:]), left_out)
    assert torch.equal(clusters < 0, left_out)
    regions = values['over_segmentation'].flatten(1).long()
    view = torch.arange(2)[:, None].expand_as(regions)
    segments = torch.stack([view, clusters, regions])[:, ~left_out]
    expected = values['pixel_cluster_index'].long()
    # Two partitions are equal if there are as many pairs as segments.
    number = len(expected.unique())
    for partition in (segments, torch.cat([segments, expected[None]])):
        assert partition.unique(dim=1).size(1) == number > 2 * 9


@pytest.mark.parametrize('options', [
    dict(num_clusters=3), dict(num_clusters=(1, 3), location=True)])
def test_finds_stripes(options):
    """Three stripes of noise around three directions, in each image alone."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(4)[:3][torch.arange(12) // 4]
    features = directions.expand(2, 5, 12, 4).flatten(1, 2)
    features = F.normalize(
        features + 0.1 * torch.randn(2, 60, 4, generator=generator), dim=2)
    labels, kmeans = cells(5, 12), SegmentKMeans(**options)
    groups = kmeans(features, labels, no_mask(labels, 60))
    for i in range(2):
        names = [groups[i].view(5, 3, 4)[:, j].unique().tolist()
                 for j in range(3)]
        assert sorted(names) == [[0], [1], [2]]
    second = kmeans(features[1:], labels[1:], no_mask(labels[1:], 60))
    assert torch.equal(groups[1:], second)


def test_more_clusters_than_segments():
    """One of which is left out."""
    features, labels = torch.eye(3)[None], torch.tensor([[[0, 1, 2]]])
    got = SegmentKMeans(5)(features, labels, torch.tensor([[False, True,
                                                            False]]))
    assert got[0, 1] == -1 and got.unique().numel() == 3


def test_bad_options(monkeypatch):
    for options in ((3, 0), ), (3, 0), ((2, 2, 2), ):
        with pytest.raises(ValueError, match=r'`num_(clust|iterat)\w+` must'):
            SegmentKMeans(*options)
    monkeypatch.setattr(segment_kmeans, '_MOST', 10)
    labels, features = cells(3, 4, 1), torch.ones(1, 12, 2)
    with pytest.raises(ValueError, match=r'12 segments .*\(K_h, K_w\)'):
        SegmentKMeans(2)(features, labels, no_mask(labels, 12))
    SegmentKMeans((1, 2))(features, labels, no_mask(labels, 12))
