import pytest
import torch

from mmhierseg.ops._numba import products
from mmhierseg.ops._numba.products import add_product_, multiply

SWITCHES = ['0', '1']


@pytest.mark.parametrize('switch', SWITCHES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('shape', [(1, 1, 1), (37, 130, 5), (0, 3, 4),
                                   (3, 4, 0), (2, 0, 3)])
def test_products(monkeypatch, switch, dtype, shape):
    monkeypatch.setenv('MMHIERSEG_COMPILED', switch)
    generator = torch.Generator().manual_seed(0)
    rows, inner, columns = shape
    first = torch.randn(rows, inner, generator=generator, dtype=dtype)
    second = torch.randn(columns, inner, generator=generator, dtype=dtype)
    wanted = first @ second.t()
    close = torch.testing.assert_close
    close(multiply(first, second), wanted)
    total = torch.ones_like(wanted)
    add_product_(total, first, second)
    close(total, 1 + wanted)
    # Not contiguous, either of them.
    turned = first.t().contiguous().t(), second.t().contiguous().t()
    close(multiply(turned[0], second), wanted)
    close(multiply(first, turned[1]), wanted)
    close(multiply(*(x[:, :inner // 2] for x in turned)),
          first[:, :inner // 2] @ second[:, :inner // 2].t())


def test_what_is_not_a_number_stays():
    first, second = torch.ones(3, 4), torch.ones(5, 4)
    second[2, 1] = torch.nan
    first[1, 0] = torch.inf
    got = multiply(first, second)
    assert got[:, 2].isnan().all() and got.isnan().sum() == 3
    assert got[1, 0] == torch.inf


def test_builds_without_onednn(monkeypatch):
    def missing(*matrices):
        raise AttributeError('_linear_pointwise')

    first, second = torch.rand(3, 4), torch.rand(5, 4)
    monkeypatch.setattr(products, '_linear', missing)
    products.has_onednn.cache_clear()
    try:
        torch.testing.assert_close(multiply(first, second),
                                   first @ second.t())
        monkeypatch.setattr(torch.backends.mkldnn, 'is_available',
                            lambda: False)
        products.has_onednn.cache_clear()
        assert not products.has_onednn()
    finally:
        products.has_onednn.cache_clear()


def test_same_numbers_as_other_products(monkeypatch):
    """Rounded at most otherwise: nothing is done in half precision."""
    generator = torch.Generator().manual_seed(1)
    first, second = (
        torch.nn.functional.normalize(
            torch.randn(200, 128, generator=generator), dim=1)
        for _ in range(2))
    got = multiply(first, second)
    wanted = first.double() @ second.double().t()
    assert (got - wanted).abs().max() < 1e-6
