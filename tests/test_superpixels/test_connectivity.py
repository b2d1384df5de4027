import pytest
import torch
from skimage.measure import label

from mmhierseg.superpixels.connectivity import enforce_connectivity

pytestmark = pytest.mark.usefixtures('both_paths')


def random_labels(seed, num_labels=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, num_labels, (3, 13, 22), generator=generator)


@pytest.mark.parametrize('num_labels', [1, 2, 5])
@pytest.mark.parametrize('seed', range(3))
def test_largest_parts_are_kept(seed, num_labels):
    labels = random_labels(seed, num_labels)
    result = enforce_connectivity(labels, num_labels)
    assert result.equal(enforce_connectivity(result, num_labels))
    for image, before in zip(result, labels):
        assert image.unique().equal(before.unique())
        for number in before.unique():
            mine = image == number
            assert label(mine.numpy(), connectivity=1).max() == 1
            parts = torch.from_numpy(
                label((before == number).numpy(), connectivity=1)).long()
            sizes = parts.flatten().bincount()[1:]
            assert mine[parts == sizes.argmax() + 1].all()


def test_long_paths_are_connected():
    """They need many joins; once it took one pass per pixel."""
    snake = torch.zeros(1, 33, 20, dtype=torch.int64)
    snake[0, ::2] = 1
    snake[0, 1::4, -1] = snake[0, 3::4, 0] = 1
    assert enforce_connectivity(snake, 2)[snake == 1].all()


def test_batch_numbering_and_memory_layout_do_not_matter():
    labels = random_labels(7)
    alone = torch.cat([enforce_connectivity(x[None], 4) for x in labels])
    assert enforce_connectivity(labels, 4).equal(alone)
    order = torch.tensor([30, 2, 11, 5])
    assert enforce_connectivity(order[labels], 31).equal(order[alone])
    turned = labels.transpose(1, 2).contiguous().transpose(1, 2)
    assert enforce_connectivity(turned, 4).equal(alone)


def test_by_hand():
    labels = torch.tensor([[[1, 0, 1, 1], [0, 0, 0, 0]]])
    expected = torch.tensor([[[0, 0, 1, 1], [0, 0, 0, 0]]])
    assert enforce_connectivity(labels, 2).equal(expected)
