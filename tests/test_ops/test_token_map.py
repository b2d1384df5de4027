import pytest
import torch

from mmhierseg.ops import area_fractions, tokens_to_map


def random_case(size=(10, 13), num=4):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, num, 3, generator=generator)
    labels = torch.randint(-1, num, (2, *size), generator=generator)
    return tokens, labels


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_agrees_with_means_of_written_out_map(stride):
    tokens, labels = random_case()
    written = tokens_to_map(tokens, labels, 1)
    result = tokens_to_map(tokens, labels, stride)
    height, width = result.shape[2:]
    assert (height, width) == (-(-10 // stride), -(-13 // stride))
    for i in range(height):
        for j in range(width):
            cell = written[:, :, i * stride:(i + 1) * stride,
                           j * stride:(j + 1) * stride]
            torch.testing.assert_close(result[:, :, i, j], cell.mean((2, 3)))


def test_pixels_take_their_segments_token():
    tokens, labels = random_case()
    written = tokens_to_map(tokens, labels, 1)
    for b, y, x in [(0, 0, 0), (1, 9, 12), (0, 5, 7), (1, 3, 3)]:
        label = labels[b, y, x]
        expected = tokens[b, label] if label >= 0 else torch.zeros(3)
        assert torch.equal(written[b, :, y, x], expected)


def test_fractions_sum_to_the_labelled_share():
    _, labels = random_case()
    fractions = area_fractions(labels, 4, 4)
    labelled = tokens_to_map(torch.ones(2, 4, 1), labels, 4)
    torch.testing.assert_close(fractions.sum(1), labelled.flatten(1))
    assert (fractions >= 0).all()


def test_keeps_dtype_and_ignores_batch_mates():
    tokens, labels = random_case()
    assert tokens_to_map(tokens.half(), labels, 4).dtype == torch.float16
    torch.testing.assert_close(
        tokens_to_map(tokens[1:], labels[1:], 4),
        tokens_to_map(tokens, labels, 4)[1:])


@pytest.mark.parametrize('stride', [1, 4])
def test_gradcheck(stride):
    tokens, labels = random_case(size=(5, 6), num=3)
    tokens = tokens.double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: tokens_to_map(x, labels, stride), tokens)


@pytest.mark.parametrize('tokens, stride, message', [
    (torch.zeros(2, 4, 3), 0, '`stride` must be at least 1, got 0'),
    (torch.zeros(1, 4, 3), 2, r'`tokens` must have shape .* B = 2'),
])
def test_exceptions(tokens, stride, message):
    with pytest.raises(ValueError, match=message):
        tokens_to_map(tokens, random_case()[1], stride)
