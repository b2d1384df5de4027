import torch
from helpers.hsg_segments import segment_rows, views_with_regions

from mmhierseg.ops import cut_clusters, segment_sequences

VIEWS = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
# Views of an image are no neighbours, and ids have gaps.
IMAGES = torch.tensor([70, -3, 70, 12])


def test_a_segment_is_one_cluster_in_one_region_of_one_view():
    _, clusters, regions = views_with_regions()
    parts = cut_clusters(clusters, regions)
    named = {}
    for place in torch.cartesian_prod(*map(torch.arange, clusters.shape)):
        place = tuple(place.tolist())
        label = int(parts.labels[place])
        key = (place[0], int(regions[place]), int(clusters[place]))
        if min(key) < 0:
            assert label == -1
            continue
        assert named.setdefault(key, label) == label
        assert key == (int(parts.views[label]), int(parts.regions[label]),
                       int(parts.clusters[label]))
    # Compact, in the order view, region, cluster.
    assert [named[key] for key in sorted(named)] == list(range(len(named)))
    assert len(parts.views) == len(named)
    # Names have no effect; without regions nothing is cut.
    moved = torch.where(regions < 0, -5, regions + 2**62)
    assert torch.equal(cut_clusters(clusters, moved).labels, parts.labels)
    for one, other in zip(
            cut_clusters(clusters),
            cut_clusters(clusters, torch.zeros_like(clusters))):
        assert torch.equal(one, other)


def test_nothing_at_all():
    none = torch.full((2, 3, 4), -1)
    pixels, segments, prototypes, parts = segment_rows(
        torch.ones(2, 5, 3, 4), none, none)
    assert (parts.labels == -1).all()
    assert len(parts.views) == len(parts.regions) == len(segments) == 0
    assert pixels.shape == prototypes.shape == (0, 5)
    sequences = segment_sequences(parts.views, torch.tensor([5, 9]))
    assert sequences.padding.tolist() == [[True], [True]]
    assert sequences.longest == 1
    assert sequences.pad(prototypes).shape == (2, 1, 5)


def test_order_of_sequences():
    sequences = segment_sequences(VIEWS, IMAGES)
    rows = torch.arange(1., 11)[:, None]
    assert sequences.pad(rows)[..., 0].tolist() == [
        [4, 0, 0, 0, 0],
        [7, 8, 9, 10, 0],
        [1, 2, 3, 5, 6],
    ]
    assert sequences.views.tolist() == [
        [1, -1, -1, -1, -1],
        [3, 3, 3, 3, -1],
        [0, 0, 0, 2, 2],
    ]
    assert torch.equal(sequences.padding, sequences.views < 0)
    assert sequences.images.tolist() == [2, 2, 2, 0, 2, 2, 1, 1, 1, 1]
    # A longer sequence than the padding is kept whole.
    for pad_length, length in ((None, 5), (4, 5), (8, 8)):
        padded = segment_sequences(VIEWS, IMAGES, pad_length)
        assert padded.padding.shape == (3, length) and padded.longest == 5


def test_pad_and_unpad():
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    sequences = segment_sequences(VIEWS[order], IMAGES)
    assert torch.equal(sequences.views, segment_sequences(VIEWS, IMAGES).views)
    rows = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(sequences.unpad(sequences.pad(rows)), rows)
    assert torch.equal(sequences.unpad(sequences.views), VIEWS[order])
    assert torch.autograd.gradcheck(sequences.pad, rows)
