import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.gathering import gather_on_two

from mmhierseg.utils.gathering import gather_rows


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
