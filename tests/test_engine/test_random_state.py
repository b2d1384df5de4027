import random

import numpy as np
import pytest
import torch

from mmhierseg.engine.random_state import (
    get_random_state,
    seed_worker,
    set_random_state,
)


def draw():
    """A number from each generator; odd in number, so some are cached."""
    return [random.random(), random.gauss(0, 1), np.random.randn(),
            torch.randn(1).item()]


@pytest.fixture(autouse=True)
def leave_no_trace():
    state = get_random_state()
    yield
    set_random_state(state)


def test_survives_a_file_without_pickled_code(tmp_path):
    # Both keep the second number of a pair for the next call.
    random.gauss(0, 1), np.random.randn()
    torch.save(get_random_state(), tmp_path / 'state.pth')
    expected = [draw() for _ in range(3)]
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    assert draw() != expected[0]
    set_random_state(torch.load(tmp_path / 'state.pth', weights_only=True))
    assert [draw() for _ in range(3)] == expected


def test_reading_changes_nothing():
    state = get_random_state()
    before = draw()
    set_random_state(state)
    get_random_state()
    assert draw() == before


def test_workers_of_all_ranks_draw_different_numbers():
    draws = []
    for rank in range(2):
        for worker in range(3):
            # What PyTorch's loader does in a worker.
            torch.manual_seed(100 + worker)
            seed_worker(worker, num_workers=3, rank=rank)
            draws.append(draw())
    for numbers in zip(*draws):
        assert len(set(numbers)) == 6
