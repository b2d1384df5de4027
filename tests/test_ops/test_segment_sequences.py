import pytest
import torch
from helpers.hsg_golden import RECIPES, hsg_golden

from mmhierseg.ops import segment_sequences

VIEWS = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
# Views of an image are no neighbours, and ids have gaps.
IMAGES = torch.tensor([70, -3, 70, 12])


@pytest.mark.parametrize('recipe', RECIPES)
def test_sequences_of_authors(recipe):
    values, _ = hsg_golden(recipe)
    index = values['pixel_cluster_index']
    views = torch.empty(len(values['prototypes'])).long()
    views[index] = values['pixel_batch_index']
    length = 256 if recipe == 'coco' else None
    sequences = segment_sequences(views, values['image_index'], length)
    assert torch.equal(sequences.padding, values['nd_padding'])
    assert torch.equal(
        sequences.pad(values['prototypes']).transpose(1, 2),
        values['nd_prototype'])


def test_order():
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


def test_segments_in_any_order():
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    sequences = segment_sequences(VIEWS[order], IMAGES)
    assert torch.equal(sequences.views, segment_sequences(VIEWS, IMAGES).views)
    rows = torch.randn(10, 3)
    padded = sequences.pad(rows)
    assert torch.equal(sequences.unpad(padded), rows)
    assert torch.equal(sequences.unpad(sequences.views), VIEWS[order])


def test_length():
    assert segment_sequences(VIEWS, IMAGES, 8).padding.shape == (3, 8)
    # A longer sequence is kept whole.
    assert segment_sequences(VIEWS, IMAGES, 4).padding.shape == (3, 5)
    for length in (None, 4, 8):
        assert segment_sequences(VIEWS, IMAGES, length).longest == 5


def test_images_without_segments():
    sequences = segment_sequences(torch.tensor([1, 1]), torch.tensor([5, 9]))
    assert sequences.padding.tolist() == [[True, True], [False, False]]
    nothing = segment_sequences(torch.tensor([]).long(), torch.tensor([5, 9]))
    assert nothing.padding.tolist() == [[True], [True]]
    assert nothing.longest == 1
    assert nothing.pad(torch.zeros(0, 3)).shape == (2, 1, 3)


def test_gradients_flow_back():
    rows = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    sequences = segment_sequences(VIEWS, IMAGES, 6)
    assert torch.autograd.gradcheck(sequences.pad, rows)


@pytest.mark.parametrize('views, images, length, match', [
    (VIEWS[None], IMAGES, None, r'got \(1, 10\) and \(4,\)'),
    (VIEWS, IMAGES[:0], None, r'V at least 1'),
    (VIEWS, IMAGES, 0, '`pad_length` must be at least 1, got 0'),
])
def test_bad_input(views, images, length, match):
    with pytest.raises(ValueError, match=match):
        segment_sequences(views, images, length)
