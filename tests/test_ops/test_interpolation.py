import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import interpolation_taps


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('in_size, out_size', [(8, 64), (9, 64), (7, 7),
                                               (10, 3), (1, 5), (5, 1)])
def test_agrees_with_interpolate(in_size, out_size, mode):
    index, weight = interpolation_taps(
        in_size, out_size, mode, dtype=torch.float64)
    matrix = torch.zeros(out_size, in_size, dtype=torch.float64)
    matrix.scatter_add_(1, index, weight)
    identity = torch.eye(in_size, dtype=torch.float64)[None, :, :, None]
    expected = F.interpolate(
        identity, size=(out_size, 1), mode=mode, align_corners=False)
    torch.testing.assert_close(matrix, expected[0, :, :, 0].T)


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_rows_sum_to_one(mode):
    _, weight = interpolation_taps(6, 50, mode)
    torch.testing.assert_close(weight.sum(1), torch.ones(50))


@pytest.mark.parametrize('arguments, message', [
    ((0, 4, 'bilinear'), 'must be at least 1, got 0 and 4'),
    ((4, 4, 'nearest'), "`mode` must be 'bilinear' or 'bicubic'"),
])
def test_exceptions(arguments, message):
    with pytest.raises(ValueError, match=message):
        interpolation_taps(*arguments)
