import torch

from mmhierseg.ops import resize_position_encoding, sincos_position_encoding


def test_halves_run_over_rows_and_columns():
    table = sincos_position_encoding((3, 5), 16).view(3, 5, 16)
    assert (table[..., :8] == table[:, :1, :8]).all()
    assert (table[..., 8:] == table[:1, :, 8:]).all()
    # Row 2, lowest frequency index 0: sin 2, cos 2; column 4: sin 4, cos 4.
    expected = torch.tensor([2., 4.])
    torch.testing.assert_close(table[2, 4, [0, 8]], expected.sin())
    torch.testing.assert_close(table[2, 4, [4, 12]], expected.cos())
    # Four frequencies: 10000 ** -(0, 1/4, 2/4, 3/4) = 1, .1, .01, .001.
    expected = torch.tensor([1., .1, .01, .001]).sin()
    torch.testing.assert_close(table[1, 0, :4], expected)


def test_extra_tokens_survive_resizing():
    table = torch.randn(1, 2 + 6, 4)
    resized = resize_position_encoding(table, (2, 3), (5, 7), 2)
    assert resized.shape == (1, 2 + 35, 4)
    assert torch.equal(resized[:, :2], table[:, :2])
    assert resize_position_encoding(table, (2, 3), (2, 3), 2) is table
