import pytest
import torch

from mmhierseg.models import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)
from mmhierseg.ops import (
    centroid_contrast,
    collapse_loss,
    modularity_loss,
    pixel_segment_contrast,
)
from mmhierseg.registry import MODELS


def rows():
    generator = torch.Generator().manual_seed(0)
    pixels, prototypes = (
        torch.nn.functional.normalize(
            torch.randn(number, 4, generator=generator), dim=1)
        for number in (20, 6))
    segments = torch.randint(0, 6, (20, ), generator=generator)
    labels = torch.randint(0, 3, (2, 6), generator=generator)
    return pixels, segments, prototypes, labels


def graphs():
    generator = torch.Generator().manual_seed(0)
    assignment = torch.rand(2, 5, 3, generator=generator).softmax(2)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    return assignment, torch.ones(2, 5, 5), padding


def test_pixel_segment_contrast_loss():
    loss = PixelSegmentContrastLoss(
        concentration=4., loss_weight=.5, block_size=7)
    pixels, segments, prototypes, labels = rows()
    expected = .5 * pixel_segment_contrast(pixels, segments, prototypes,
                                           labels, 4.)
    torch.testing.assert_close(
        loss(pixels, segments, prototypes, labels), expected)
    # SegSort has one set of labels.
    single = loss(pixels, segments, prototypes, labels[0])
    assert single.shape == ()
    torch.testing.assert_close(single, expected[0])


def test_dmon_loss():
    assignment, adjacency, padding = graphs()
    loss = DMoNLoss(loss_weight=.2, collapse_weight=3.)
    expected = modularity_loss(assignment, adjacency, padding) + (
        3 * collapse_loss(assignment, padding))
    torch.testing.assert_close(
        loss(assignment, adjacency, padding), .2 * expected.mean())
    # The last segments have no edges where the graph has no rows for them.
    part = adjacency[:, :4, :4].contiguous()
    whole = torch.zeros_like(adjacency)
    whole[:, :4, :4] = part
    for mask in (padding, None):
        torch.testing.assert_close(
            loss(assignment, part, mask), loss(assignment, whole, mask))


def test_centroid_contrast_loss():
    centroids = rows()[0][:12].view(2, 6, 4)[:, :3]
    got = CentroidContrastLoss(concentration=2., loss_weight=3.)(centroids)
    expected = centroid_contrast(centroids.flatten(0, 1), concentration=2.)
    torch.testing.assert_close(got, 3 * expected.mean())


@pytest.mark.parametrize('name', [
    'CentroidContrastLoss', 'DMoNLoss', 'PixelSegmentContrastLoss'
])
def test_built_by_name(name):
    loss = MODELS.build(dict(type=f'mmhierseg.{name}', loss_weight=.3))
    assert not loss.state_dict() and 'loss_weight=0.3' in repr(loss)


@pytest.mark.parametrize('loss, match', [
    (lambda: PixelSegmentContrastLoss(concentration=0),
     '`concentration` must be above 0, got 0'),
    (lambda: PixelSegmentContrastLoss(block_size=0),
     '`block_size` must be at least 1, got 0'),
    (lambda: CentroidContrastLoss(concentration=-1),
     '`concentration` must be above 0, got -1'),
    (lambda: CentroidContrastLoss()(torch.zeros(3, 4)),
     r'\(B, K, D\), got \(3, 4\)'),
])
def test_bad_input(loss, match):
    with pytest.raises(ValueError, match=match):
        loss()
