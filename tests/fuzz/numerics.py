"""Properties of superpixels, operators and models on random input."""

import os
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from helpers.cast import tiny_cast
from skimage.measure import label as connected_parts

from mmhierseg import ops
from mmhierseg.superpixels import Grid, TorchSLIC


@contextmanager
def without_numba():
    """Compute by the reference implementation in torch."""
    before = os.environ.get('MMHIERSEG_COMPILED')
    os.environ['MMHIERSEG_COMPILED'] = '0'
    try:
        yield
    finally:
        del os.environ['MMHIERSEG_COMPILED']
        if before is not None:
            os.environ['MMHIERSEG_COMPILED'] = before


def tensor(rng, *shape, dtype=torch.float64):
    """Normal numbers, or few different ones, so that there are ties."""
    values = rng.normal(size=shape)
    if rng.random() < 0.5:
        values = values.round() * 10.**rng.integers(-3, 4)
    return torch.from_numpy(values).to(dtype)


def pictures(rng):
    """(B, 3, H, W) in 0..255: noise, few colours, ramps, or one colour."""
    batch, height, width = rng.integers(1, (4, 48, 48))
    values = rng.integers(0, 256, (batch, 3, height, width))
    kind = rng.integers(4)
    if kind == 1:
        values = values // 128 * 128
    elif kind == 2:
        values = np.linspace(0, 255, values.size).reshape(values.shape)
    elif kind == 3:
        values = np.full_like(values, values.flat[0])
    return torch.from_numpy(values).float()


def superpixels_are_connected_and_independent_of_the_batch(rng, _):
    images = pictures(rng)
    method = rng.choice([TorchSLIC, Grid])(segment_size=int(
        rng.integers(2, 24)))
    labels = method(images)
    for image, one in zip(images, labels):
        assert torch.equal(one.unique(), torch.arange(int(one.max()) + 1))
        parts = connected_parts(one.numpy() + 1, connectivity=1)
        assert parts.max() == one.max() + 1
        assert torch.equal(method(image[None])[0], one)
    with without_numba():
        assert torch.equal(method(images), labels)


def neighbours_ignore_the_order_of_the_bank(rng, _):
    dtype = rng.choice([torch.float32, torch.float64])
    entries, channels = int(rng.integers(1, 60)), int(rng.integers(1, 20))
    bank = tensor(rng, entries, channels, dtype=dtype)
    # Copies of entries, with classes of their own, also at other lengths.
    bank = bank[torch.from_numpy(rng.integers(0, entries, 2 * entries))]
    bank *= 2.**torch.from_numpy(rng.integers(-2, 3, len(bank)))[:, None]
    bank = bank.to(dtype)
    classes = torch.from_numpy(rng.integers(0, 4, len(bank)))
    queries = tensor(rng, 5, channels, dtype=dtype)
    k = int(rng.integers(1, len(bank) + 1))
    found = ops.knn_retrieve(queries, bank, classes, k, 4)
    order = torch.from_numpy(rng.permutation(len(bank)))
    assert torch.equal(
        ops.knn_retrieve(queries, bank[order], classes[order], k, 4), found)
    for query, one in zip(queries, found):
        assert ops.knn_retrieve(query[None], bank, classes, k, 4) == one
    assert ops.knn_search(queries, bank, k)[0].max() <= 1
    expected = neighbours_by_hand(queries, bank, classes, k)
    for one, by_hand in zip(found, expected):
        assert by_hand is None or one == by_hand


def neighbours_by_hand(queries, bank, classes, k):
    """Majority classes, None where rounding decides between directions."""
    queries, bank = (
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
        for x in (queries.numpy().astype('longdouble'),
                  bank.numpy().astype('longdouble')))
    directions, index = np.unique(bank, axis=0, return_inverse=True)
    result = []
    for similarity in queries @ directions.T:
        if np.diff(np.sort(similarity)).min(initial=1) < 1e-5:
            result.append(None)
            continue
        order = np.lexsort((classes, -similarity[index]))
        counts = np.bincount(classes[order[:k]], minlength=4)
        result.append(counts.argmax())
    return result


def segment_means_have_the_precision_of_their_input(rng, _):
    height, width, factor = rng.integers(1, (7, 7, 5))
    features = tensor(rng, 2, 3, height, width)
    labels = torch.from_numpy(
        rng.integers(-1, 5, (2, height * factor, width * factor)))
    mode = rng.choice(['bilinear', 'bicubic'])
    means, empty = ops.segment_mean(features, labels, 5, mode)
    dense = F.interpolate(features, labels.shape[1:], mode=mode)
    scale = float(features.abs().max()) + 1
    for image in range(2):
        for segment in range(5):
            chosen = dense[image][:, labels[image] == segment]
            assert empty[image, segment] == (chosen.numel() == 0)
            expected = chosen.mean(1) if chosen.numel() else torch.zeros(3)
            error = (means[image, segment] - expected).abs().max()
            assert error <= 1e-12 * scale


def farthest_points_are_those_of_a_loop(rng, _):
    points = torch.from_numpy(rng.integers(-3, 4, (2, 12, 3))).float()
    empty = torch.from_numpy(rng.random((2, 12)) < 0.3)
    # The mean of points is exact where there are 1, 2, 4 or 8 of them.
    for mask in empty:
        mask[:] = torch.arange(12) >= rng.choice([1, 2, 4, 8])
    found = ops.farthest_point_sampling(points, 6, empty)
    for image, mask, picks in zip(points.double(), empty, found):
        valid = image[~mask]
        nearest = (valid - valid.mean(0)).square().sum(1)
        for pick in picks[:min(6, len(valid))]:
            # The first of equally far points, none twice.
            assert pick == int(nearest.argmax())
            distance = (valid - valid[pick]).square().sum(1)
            nearest = torch.minimum(nearest, distance)
            nearest[pick] = -1
        assert (picks[len(valid):] == -1).all()


MODELS = [
    tiny_cast(out_type='segments', per_image=True),
    tiny_cast(
        1, out_type='cls_token', segment_at='pixel', per_image=True),
]


def hierarchies_do_not_depend_on_the_batch(rng, _):
    height, width = 8 * rng.integers(3, 12, 2)
    images = torch.from_numpy(rng.normal(size=(3, 3, height, width))).float()
    cells = rng.integers(0, 40, (3, 1, height // 8, width // 8))
    labels = torch.from_numpy(cells).float()
    # Images with ever fewer segments, and gaps between the labels.
    labels = (labels % torch.tensor(rng.integers(1, 41, (3, 1, 1, 1))))
    labels = F.interpolate(labels, (int(height), int(width)))
    inputs = torch.cat([images, labels], dim=1)
    model = MODELS[rng.integers(len(MODELS))]
    with torch.inference_mode():
        together = model.forward_hierarchy(inputs).hierarchy
        for index, one in enumerate(inputs):
            alone = model.forward_hierarchy(one[None]).hierarchy
            for level in range(together.num_levels):
                assert torch.equal(
                    together.label_map(level)[index],
                    alone.label_map(level)[0])


PROPERTIES = [
    superpixels_are_connected_and_independent_of_the_batch,
    neighbours_ignore_the_order_of_the_bank,
    segment_means_have_the_precision_of_their_input,
    farthest_points_are_those_of_a_loop,
    hierarchies_do_not_depend_on_the_batch,
]
