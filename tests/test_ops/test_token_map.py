import pytest
import torch

from mmhierseg.ops import tokens_to_map


def random_case(size=(10, 13), num=4):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, num, 3, generator=generator)
    labels = torch.randint(-1, num, (2, *size), generator=generator)
    return tokens, labels


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_agrees_with_means_of_naive_reference_map(stride):
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


def test_constant_tokens_give_the_labelled_share():
    _, labels = random_case()
    share = tokens_to_map(torch.ones(2, 4, 1), labels, 4)
    labelled = (labels >= 0).float()[:, None]
    expected = torch.nn.functional.avg_pool2d(
        labelled, 4, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(share, expected)


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


def test_autocast_does_not_round():
    tokens, labels = random_case()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        result = tokens_to_map(tokens, labels, 4)
    torch.testing.assert_close(result, tokens_to_map(tokens, labels, 4))


def test_non_contiguous_input():
    tokens, labels = random_case()
    torch.testing.assert_close(
        tokens_to_map(tokens.transpose(1, 2).contiguous().transpose(1, 2),
                      labels.transpose(1, 2), 4),
        tokens_to_map(tokens, labels.transpose(1, 2).contiguous(), 4))


@pytest.mark.parametrize('tokens, stride, message', [
    (torch.zeros(2, 4, 3), 0, '`stride` must be at least 1, got 0'),
    (torch.zeros(1, 4, 3), 2, r'`tokens` must have shape .* B = 2'),
    (torch.zeros(2, 0, 3), 2, r'`tokens` must have .* N at least 1'),
    # It would be a row of the next image.
    (torch.zeros(2, 3, 3), 2, r'`labels` must be below .* \(3\), got 3'),
])
def test_exceptions(tokens, stride, message):
    with pytest.raises(ValueError, match=message):
        tokens_to_map(tokens, random_case()[1], stride)
