"""Two processes give the results of one process with all images."""

import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.hsg_distributed import (
    HEADS,
    SPLITS,
    WithLoss,
    run_step,
    save_steps,
    views_of,
)


@pytest.fixture(scope='module')
def on_two(tmp_path_factory):
    out = tmp_path_factory.mktemp('steps')
    run_on_two_processes(save_steps, out)
    return [torch.load(out / f'{rank}.pth') for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize('split', SPLITS)
@pytest.mark.parametrize('name', HEADS)
def test_two_processes(on_two, split, name):
    inputs, ranks = views_of(split)
    losses, weights, embeddings = run_step(WithLoss(**HEADS[name]), inputs)
    results = [result[split, name] for result in on_two]

    def close(a, b):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)

    # The mean of the processes' losses, as their gradients are averaged.
    close((results[0][0] + results[1][0]) / 2, losses)
    for result in results:
        assert result[1].keys() == weights.keys()
        for key, gradient in weights.items():
            close(result[1][key], gradient)
    for rank, result in enumerate(results):
        close(result[2] / 2, embeddings[ranks == rank])
    assert (embeddings != 0).any()
