"""Training in bfloat16 on the CPU."""

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mmhierseg.engine.cpu_autocast import CPUAutocastOptimWrapper


class Regression(BaseModel):
    """A linear layer, which keeps the precision of its outputs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 1)
        self.seen = []

    def forward(self, inputs, mode):
        out = self.layer(inputs)
        self.seen.append(out.dtype)
        return dict(loss=(out.float() - 1).square().mean())


def train(wrapper_type, steps=4, **options):
    model = Regression()
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type=wrapper_type,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            **options))
    wrapper.initialize_count_status(model, 0, 4)
    torch.manual_seed(1)
    for _ in range(steps):
        model.train_step(dict(inputs=torch.randn(6, 8)), wrapper)
    return model, wrapper


def test_computes_in_bfloat16_and_keeps_weights_in_float32():
    low, wrapper = train('CPUAutocastOptimWrapper')
    full, _ = train('OptimWrapper')
    assert set(low.seen) == {torch.bfloat16}
    assert set(full.seen) == {torch.float32}
    assert low.layer.weight.dtype == torch.float32
    assert not torch.equal(low.layer.weight, full.layer.weight)
    torch.testing.assert_close(
        low.layer.weight, full.layer.weight, atol=0.01, rtol=0.02)
    # Autocast ends with the step.
    assert not torch.is_autocast_enabled('cpu')
    assert isinstance(wrapper, CPUAutocastOptimWrapper)


def test_accumulates():
    """The weights rest until the gradients of four steps are there."""
    start = Regression().layer.weight
    for steps, moved in ((3, False), (4, True)):
        model, _ = train('CPUAutocastOptimWrapper', steps,
                         accumulative_counts=4)
        assert torch.equal(model.layer.weight, start) != moved


def test_goes_on_from_training_on_a_gpu():
    """And the other way round: the states are those of an optimizer."""
    _, wrapper = train('CPUAutocastOptimWrapper')
    state = wrapper.state_dict()
    _, plain = train('OptimWrapper')
    plain.load_state_dict(dict(state))
    wrapper.load_state_dict(dict(state, loss_scaler=dict(scale=1024.)))
    assert wrapper.state_dict().keys() == OptimWrapper.state_dict(
        wrapper).keys()
