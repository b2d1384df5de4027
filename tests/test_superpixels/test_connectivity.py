import numpy as np
import pytest
import torch
from skimage.measure import label

from mmhierseg.superpixels.connectivity import (
    connected_components,
    enforce_connectivity,
)

pytestmark = pytest.mark.usefixtures('both_paths')


def random_labels(seed, batch=3, height=13, width=22, num_labels=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, num_labels, (batch, height, width), generator=generator)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('num_labels', [1, 2, 5])
def test_components_are_those_of_scikit_image(seed, num_labels):
    labels = random_labels(seed, num_labels=num_labels)
    parts = connected_components(labels)
    for image, found in zip(labels, parts):
        expected = label(image.numpy(), connectivity=1, background=-1)
        pairs = np.unique(
            np.stack([found.numpy().ravel(), expected.ravel()]), axis=1)
        # One to one.
        assert pairs.shape[1] == expected.max() == len(np.unique(found))
    # Named after the first pixel, and never across images.
    first = parts.flatten()[parts.flatten()]
    assert first.equal(parts.flatten())
    assert (parts <= torch.arange(labels.numel()).view_as(labels)).all()
    assert (parts.flatten(1).amin(1) == torch.arange(3) * 13 * 22).all()


def test_component_of_a_spiral():
    """A long path needs many joins; it once took one pass per pixel."""
    spiral = torch.zeros(1, 9, 9, dtype=torch.int64)
    row, column, step, seen = 0, 0, (0, 1), set()
    while True:
        spiral[0, row, column] = 1
        seen.add((row, column))
        for _ in range(2):
            after = (row + step[0], column + step[1])
            beyond = (after[0] + step[0], after[1] + step[1])
            if (0 <= after[0] < 9 and 0 <= after[1] < 9
                    and after not in seen and beyond not in seen):
                break
            step = (step[1], -step[0])
        else:
            break
        row, column = after
    parts = connected_components(spiral)
    assert parts[spiral == 1].unique().tolist() == [0]


@pytest.mark.parametrize('seed', range(5))
def test_enforce_connectivity(seed):
    labels = random_labels(seed)
    result = enforce_connectivity(labels)
    assert result.equal(enforce_connectivity(result))
    parts = connected_components(labels)
    for image, before, part in zip(result, labels, parts):
        for number in before.unique():
            mine = image == number
            # One part, which contains the largest of the parts before.
            assert label(mine.numpy(), connectivity=1).max() == 1
            sizes = part[before == number].bincount()
            assert mine[part == sizes.argmax()].all()
        assert image.unique().equal(before.unique())


def test_batch_mates_and_numbering_do_not_matter():
    labels = random_labels(7)
    alone = torch.cat([enforce_connectivity(image[None]) for image in labels])
    assert enforce_connectivity(labels).equal(alone)
    order = torch.tensor([30, 2, 11, 5])
    assert enforce_connectivity(order[labels]).equal(order[alone])
    # Seen through a transposed memory layout.
    turned = labels.transpose(1, 2).contiguous().transpose(1, 2)
    assert enforce_connectivity(turned).equal(alone)


def test_larger_part_stays():
    labels = torch.tensor([[[1, 0, 1, 1], [0, 0, 0, 0]]])
    expected = torch.tensor([[[0, 0, 1, 1], [0, 0, 0, 0]]])
    assert enforce_connectivity(labels).equal(expected)


def test_no_image():
    labels = torch.zeros(0, 4, 5, dtype=torch.int64)
    assert enforce_connectivity(labels).shape == (0, 4, 5)
