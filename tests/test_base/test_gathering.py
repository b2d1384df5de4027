import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.gathering import gather_on_two

from mmhierseg._base.gathering import (
    all_reduce_max,
    gather_rows,
    gather_rows_with_grad,
    mean_count,
)


def test_one_process():
    rows = torch.randn(4, 3, requires_grad=True)
    assert gather_rows(rows) is rows
    assert gather_rows(torch.zeros(0, 0)).shape == (0, 0)
    gathered, first = gather_rows_with_grad(rows)
    assert gathered is rows and first == 0
    assert mean_count(3) == 3 and mean_count(0) == 1
    assert all_reduce_max(4) == 4


@pytest.mark.distributed
def test_two_processes(tmp_path):
    run_on_two_processes(gather_on_two, tmp_path)
    for rank in (0, 1):
        values = torch.load(tmp_path / str(rank))
        both, one, none = values['rows']
        assert both.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]
        assert torch.equal(one, torch.ones(3, 4).half())
        assert none.shape == (0, 5)
        assert values['gathered'].tolist() == [[0, 1], [0, 1], [2, 3], [4, 5]]
        assert values['first'] == rank
        # A row's gradient is the sum over both losses: 1 + 1 by the first
        # column, 10 + 100 by the second.
        assert values['grad'].tolist() == [[2, 110]] * (1 + 2 * rank)
        assert values['grad_of_one'].tolist() == [[3] * 4] * 3 * rank
        assert values['counts'] == [5, 1, 1]
        assert values['largest'] == 7
