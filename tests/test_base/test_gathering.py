import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.gathering import gather_gradients_on_two, gather_on_two

from mmhierseg._base.gathering import (
    all_reduce_max,
    gather_rows,
    gather_rows_with_grad,
    mean_count,
)


def test_alone():
    rows = torch.randn(4, 3)
    assert gather_rows(rows) is rows
    assert gather_rows(torch.zeros(0, 0)).shape == (0, 0)


@pytest.mark.distributed
def test_on_two_processes(tmp_path):
    run_on_two_processes(gather_on_two, tmp_path)
    for rank in '01':
        both, one, none = torch.load(tmp_path / rank)
        assert both.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]
        assert torch.equal(one, torch.ones(3, 4).half())
        assert none.shape == (0, 5)


def test_gradients_alone():
    rows = torch.randn(4, 3, requires_grad=True)
    gathered, first = gather_rows_with_grad(rows)
    assert gathered is rows and first == 0
    assert mean_count(3) == 3
    assert mean_count(0) == 1
    assert all_reduce_max(4) == 4


@pytest.mark.distributed
def test_gradients_on_two_processes(tmp_path):
    """A row's gradient is the sum of what both losses say."""
    run_on_two_processes(gather_gradients_on_two, tmp_path)
    for rank in (0, 1):
        gathered, first, grad, none, divisors, largest = torch.load(
            tmp_path / str(rank))
        assert gathered.tolist() == [[0, 1], [0, 1], [2, 3], [4, 5]]
        assert first == rank
        # 1 + 1 by the first column, 10 + 100 by the second.
        assert grad.tolist() == [[2, 110]] * (1 + 2 * rank)
        assert none.tolist() == [[3] * 4] * 3 * rank
        assert divisors == [5, 1, 1]
        assert largest == 7
