import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import majority_class, segment_prototypes


def data(seed=0):
    """Embeddings of 9 fine segments of two images, their pixels, parents."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = F.normalize(torch.randn(2, 9, 5, generator=generator), dim=2)
    labels = torch.randint(-1, 9, (2, 6, 8), generator=generator)
    parents = torch.randint(-1, 3, (2, 9), generator=generator)
    sizes = torch.stack([(labels == i).sum((1, 2)) for i in range(9)], dim=1)
    return embeddings, labels, sizes, parents


def test_is_the_mean_over_pixels():
    embeddings, labels, sizes, parents = data()
    got = segment_prototypes(embeddings, sizes, parents, 4)
    assert got.shape == (2, 4, 5)
    for i in range(2):
        for k in range(4):
            pixels = [
                embeddings[i, label] for label in labels[i].flatten().tolist()
                if label >= 0 and parents[i, label] == k
            ]
            wanted = F.normalize(sum(pixels, torch.zeros(5)), dim=0)
            torch.testing.assert_close(got[i, k], wanted)
    assert (got[:, 3] == 0).all()


def test_segments_without_an_embedding():
    embeddings, _, sizes, parents = data()
    empty = torch.zeros(2, 9, dtype=torch.bool)
    empty[0, 2] = True
    got = segment_prototypes(embeddings, sizes, parents, 3, empty)
    embeddings[0, 2] = 0
    wanted = segment_prototypes(embeddings, sizes, parents, 3)
    torch.testing.assert_close(got, wanted)


def test_half_precision():
    embeddings, _, sizes, parents = data()
    half = embeddings.half()
    got = segment_prototypes(half, sizes * 10000, parents, 3)
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got, segment_prototypes(half.float(), sizes, parents, 3))


def test_shapes():
    embeddings, _, sizes, parents = data()
    with pytest.raises(ValueError, match=r'`sizes` .*\(2, 9\), got \(2, 8\)'):
        segment_prototypes(embeddings, sizes[:, :8], parents, 3)
    with pytest.raises(ValueError, match='`parents`'):
        segment_prototypes(embeddings, sizes, parents[:1], 3)


def test_majority():
    counts = torch.tensor([[[0, 0, 0], [1, 5, 5]], [[9, 0, 8], [0, 0, 1]]])
    assert majority_class(counts).tolist() == [[-1, 1], [0, 2]]
