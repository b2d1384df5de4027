import torch
import torch.nn.functional as F
from helpers.hsg_segments import segment_rows, views_with_regions

from mmhierseg import ops


def test_batch_slow_reference():
    """NaN outside of segments affects neither values nor gradients."""
    embeddings, clusters, regions = views_with_regions()
    parts = ops.cut_clusters(clusters, regions)
    unit = F.normalize(embeddings, dim=1)
    embeddings = embeddings.masked_fill((parts.labels < 0)[:, None],
                                        torch.nan).requires_grad_()
    _, _, prototypes, _ = segment_rows(embeddings, clusters, regions)
    for segment, prototype in enumerate(prototypes):
        inside = parts.labels == segment
        total = sum(unit[v, :, i, j] for v, i, j in inside.nonzero())
        torch.testing.assert_close(prototype, total / total.norm())
    prototypes[:, 0].sum().backward()
    assert torch.isfinite(embeddings.grad).all()


def test_batch_gradcheck():
    embeddings, clusters, regions = views_with_regions()
    small = embeddings[:2, :3, :3, :4].clone().requires_grad_()
    clusters, regions = (x[:2, :3, :4].clone() for x in (clusters, regions))
    assert torch.autograd.gradcheck(
        lambda x: segment_rows(x, clusters, regions)[2], small)
    # Embeddings of no length.
    zero = torch.zeros_like(small).requires_grad_()
    prototypes = segment_rows(zero, clusters, regions)[2]
    prototypes.sum().backward()
    assert not prototypes.any() and torch.isfinite(zero.grad).all()


def test_positions():
    _, clusters, regions = views_with_regions()
    parts = ops.cut_clusters(clusters, regions)
    encoding = torch.randn(5, 7, 4, dtype=torch.float64, requires_grad=True)
    got = ops.segment_positions(encoding, parts.labels, len(parts.views) + 1)
    for segment, position in enumerate(got[:-1]):
        _, rows, columns = (parts.labels == segment).nonzero(as_tuple=True)
        torch.testing.assert_close(position, encoding[rows, columns].mean(0))
    assert (got[-1] == 0).all()
    # Each pixel of a segment has its share of the gradient.
    got.sum().backward()
    torch.testing.assert_close(encoding.grad.sum(),
                               torch.tensor(4. * len(parts.views)).double())
    # Half precision does not count to 4000.
    ones = torch.ones(40, 100, 1).half()
    mean = ops.segment_positions(ones, torch.zeros(1, 40, 100).long(), 2)
    assert mean.dtype == torch.float32 and mean.tolist() == [[1.], [0.]]


def test_coarse_slow_reference():
    """Nine fine segments of two images."""
    torch.manual_seed(0)
    embeddings = F.normalize(torch.randn(2, 9, 5), dim=2)
    labels = torch.randint(-1, 9, (2, 6, 8))
    parents = torch.randint(-1, 3, (2, 9))
    sizes = torch.stack([(labels == i).sum((1, 2)) for i in range(9)], dim=1)
    empty = torch.zeros(2, 9, dtype=torch.bool)
    empty[0, 2] = True
    got = ops.segment_prototypes(embeddings, sizes, parents, 4, empty)
    embeddings[0, 2] = 0
    for i in range(2):
        for k in range(4):
            pixels = [
                embeddings[i, label] for label in labels[i].flatten().tolist()
                if label >= 0 and parents[i, label] == k
            ]
            wanted = F.normalize(sum(pixels, torch.zeros(5)), dim=0)
            torch.testing.assert_close(got[i, k], wanted)
    assert (got[:, 3] == 0).all()
