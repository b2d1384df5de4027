"""Properties of superpixels and neighbours on random input."""

import os
from unittest.mock import patch

import numpy as np
import torch
from skimage.measure import label as connected_parts

from mmhierseg import ops
from mmhierseg.superpixels import Grid, TorchSLIC


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
    with patch.dict(os.environ, MMHIERSEG_COMPILED='0'):
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


PROPERTIES = [
    superpixels_are_connected_and_independent_of_the_batch,
    neighbours_ignore_the_order_of_the_bank,
]
