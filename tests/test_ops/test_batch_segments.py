import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_golden import RECIPES, hsg_golden
from helpers.hsg_segments import segment_rows, views_with_regions

from mmhierseg.ops import (
    batch_prototypes,
    cut_clusters,
    mean_over_segments,
    segment_positions,
    select_pixels,
)


def batch(seed=0):
    """Embeddings, regions and clusters; some pixels have none of the two."""
    embeddings, regions = views_with_regions(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    clusters = torch.randint(-1, 3, regions.shape, generator=generator)
    return embeddings, clusters, regions


def test_a_segment_is_one_cluster_in_one_region_of_one_view():
    _, clusters, regions = batch()
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
    # Different keys have different names, which are compact.
    assert sorted(named.values()) == list(range(len(parts.views)))


def test_order_and_contiguity_over_views():
    _, clusters, regions = batch()
    parts = cut_clusters(clusters, regions)
    assert (parts.views.diff() >= 0).all()
    # A view's segments do not depend on the others but for where they start.
    alone = cut_clusters(clusters[1:2], regions[1:2]).labels
    first = int((parts.views < 1).sum())
    assert torch.equal(
        parts.labels[1:2], torch.where(alone < 0, alone, alone + first))


def test_large_and_renamed_regions():
    _, clusters, regions = batch()
    wanted = cut_clusters(clusters, regions).labels
    moved = torch.where(regions < 0, -5, regions + 2**62)
    assert torch.equal(cut_clusters(clusters, moved).labels, wanted)


def test_without_regions_nothing_is_cut():
    _, clusters, _ = batch()
    parts = cut_clusters(clusters)
    assert torch.equal(parts.labels < 0, clusters < 0)
    assert torch.equal(parts.clusters[parts.labels[clusters >= 0]],
                       clusters[clusters >= 0])
    assert len(parts.views) == 3 * len(clusters)


def test_nothing_at_all():
    none = torch.full((2, 3, 4), -1)
    pixels, segments, prototypes, parts = segment_rows(
        torch.ones(2, 5, 3, 4), none, none)
    assert (parts.labels == -1).all()
    assert len(parts.views) == len(parts.regions) == len(segments) == 0
    assert pixels.shape == prototypes.shape == (0, 5)


@pytest.mark.parametrize('recipe', RECIPES)
def test_prototypes_of_authors(recipe):
    values, _ = hsg_golden(recipe)
    labels = torch.full(values['ignore'].shape, -1)
    labels[~values['ignore']] = values['pixel_cluster_index']
    pixels, segments = select_pixels(values['embedding'], labels)
    got = batch_prototypes(pixels, segments, len(values['prototypes']))
    torch.testing.assert_close(got, values['prototypes'], atol=1e-12, rtol=0)


def test_prototypes_slowly():
    embeddings, clusters, regions = batch()
    _, _, prototypes, parts = segment_rows(embeddings, clusters, regions)
    unit = F.normalize(embeddings, dim=1)
    for segment, prototype in enumerate(prototypes):
        inside = parts.labels == segment
        total = sum(unit[v, :, i, j] for v, i, j in inside.nonzero())
        torch.testing.assert_close(prototype, total / total.norm())


def test_gradients():
    embeddings, clusters, regions = batch()
    small = embeddings[:2, :3, :3, :4].clone().requires_grad_()
    clusters, regions = (x[:2, :3, :4].clone() for x in (clusters, regions))
    assert torch.autograd.gradcheck(
        lambda x: segment_rows(x, clusters, regions)[2], small)


def test_nan_without_a_segment_stays_there():
    embeddings, clusters, regions = batch()
    parts = cut_clusters(clusters, regions)
    embeddings = embeddings.masked_fill((parts.labels < 0)[:, None],
                                        torch.nan).requires_grad_()
    _, _, prototypes, _ = segment_rows(embeddings, clusters, regions)
    prototypes[:, 0].sum().backward()
    assert torch.isfinite(prototypes).all()
    assert torch.isfinite(embeddings.grad).all()


def test_zero_embeddings():
    embeddings, clusters, regions = batch()
    zero = torch.zeros_like(embeddings).requires_grad_()
    _, _, prototypes, _ = segment_rows(zero, clusters, regions)
    assert (prototypes == 0).all()
    prototypes.sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_half_precision_is_summed_in_single():
    pixels = torch.ones(4000, 1).half()
    mean = mean_over_segments(pixels, torch.zeros(4000).long(), 2)
    assert mean.dtype == torch.float32
    assert mean.tolist() == [[1.], [0.]]
    with torch.autocast('cpu', torch.bfloat16):
        got = batch_prototypes(pixels.float(), torch.zeros(4000).long(), 1)
    assert got.dtype == torch.float32


def test_positions():
    _, clusters, regions = batch()
    parts = cut_clusters(clusters, regions)
    encoding = torch.randn(5, 7, 4, dtype=torch.float64, requires_grad=True)
    got = segment_positions(encoding, parts.labels, len(parts.views) + 1)
    for segment, position in enumerate(got[:-1]):
        _, rows, columns = (parts.labels == segment).nonzero(as_tuple=True)
        torch.testing.assert_close(position, encoding[rows, columns].mean(0))
    assert (got[-1] == 0).all()
    # Each pixel of a segment has its share of the gradient.
    got.sum().backward()
    torch.testing.assert_close(encoding.grad.sum(),
                               torch.tensor(4. * len(parts.views)).double())


@pytest.mark.parametrize('clusters, regions, error, match', [
    (torch.zeros(2, 3, 4), None, TypeError, '`clusters` must be int64'),
    (torch.zeros(2, 3, 4).long(), torch.zeros(2, 3, 4), TypeError,
     '`regions` must be int64'),
    (torch.zeros(3, 4).long(), None, ValueError, r'\(V, h, w\), got \(3, 4'),
    (torch.zeros(2, 3, 4).long(), torch.zeros(2, 6, 8).long(), ValueError,
     r'size of the embeddings and clusters, \(2, 3, 4\), got \(2, 6, 8\)'),
])
def test_bad_maps(clusters, regions, error, match):
    with pytest.raises(error, match=match):
        cut_clusters(clusters, regions)


def test_bad_shapes():
    with pytest.raises(ValueError, match=r'\(2, 5, 3, 4\) and \(2, 4, 3\)'):
        select_pixels(torch.zeros(2, 5, 3, 4), torch.zeros(2, 4, 3).long())
    with pytest.raises(ValueError, match=r'\(4, 3, 5\) and \(2, 3, 4\)'):
        segment_positions(
            torch.zeros(4, 3, 5), torch.zeros(2, 3, 4).long(), 1)
