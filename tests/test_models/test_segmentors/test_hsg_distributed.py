"""HSG on two processes does what it does on one that has all images."""

import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.hsg_model import (
    HEADS,
    save_hsg_steps,
    step,
    tiny_hsg,
    views_of_two,
)


@pytest.fixture(scope='module')
def on_two(tmp_path_factory):
    out = tmp_path_factory.mktemp('steps')
    run_on_two_processes(save_hsg_steps, out)
    return [torch.load(out / f'{rank}.pth') for rank in range(2)]


@pytest.mark.distributed
@pytest.mark.parametrize('name', HEADS)
def test_two_processes(on_two, name):
    """Losses and gradients of all weights, BN by running statistics."""
    inputs, images, _ = views_of_two()
    losses, gradients = step(tiny_hsg(HEADS[name]).double(), inputs, images)
    results = [result[name] for result in on_two]
    mean = (results[0][0] + results[1][0]) / 2
    torch.testing.assert_close(mean, losses, atol=1e-9, rtol=1e-7)
    for _, found in results:
        assert found.keys() == gradients.keys()
        for key, gradient in gradients.items():
            torch.testing.assert_close(
                found[key], gradient, atol=1e-9, rtol=1e-7, msg=key)
    # Of different images, which matter to each other.
    assert not torch.allclose(results[0][0], results[1][0])
