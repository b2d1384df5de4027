import pytest
import torch
import torch.nn.functional as F

from mmhierseg import ops
from mmhierseg.models import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)


@pytest.mark.parametrize('sets', [(), (2, )])
def test_contrasts(sets):
    """Of one set of labels, as in SegSort, or several; and of centroids."""
    generator = torch.Generator().manual_seed(0)
    pixels, prototypes = (
        F.normalize(torch.randn(n, 4, generator=generator), dim=1)
        for n in (20, 6))
    segments = torch.randint(0, 6, (20, ), generator=generator)
    labels = torch.randint(0, 3, (*sets, 6), generator=generator)
    rows = pixels, segments, prototypes, labels
    torch.testing.assert_close(
        PixelSegmentContrastLoss(4., loss_weight=.5)(*rows),
        .5 * ops.pixel_segment_contrast(*rows, 4.))
    torch.testing.assert_close(
        CentroidContrastLoss(2., loss_weight=3.)(pixels.view(4, 5, 4)),
        3 * ops.centroid_contrast(pixels, concentration=2.).mean())


def test_dmon_loss():
    assignment = torch.rand(2, 5, 3).softmax(2)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    # The last segments have no edges where the graph has no rows for them.
    part = torch.ones(2, 4, 4)
    whole = F.pad(part, (0, 1, 0, 1))
    for mask in (padding, None):
        expected = .2 * (
            ops.modularity_loss(assignment, whole, mask)
            + ops.collapse_loss(assignment, mask)).mean()
        for graph in (part, whole):
            torch.testing.assert_close(
                DMoNLoss(.2)(assignment, graph, mask), expected)
