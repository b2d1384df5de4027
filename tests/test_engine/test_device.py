"""Training without a GPU: in bfloat16, and in several processes."""

import os

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mmhierseg._base import UserError
from mmhierseg.engine import device
from mmhierseg.engine.device import cpu_process_group


class Regression(BaseModel):
    """A linear layer, which notes the precision of its outputs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 1)
        self.seen = []

    def forward(self, inputs, mode):
        out = self.layer(inputs)
        self.seen.append(out.dtype)
        return dict(loss=(out.float() - 1).square().mean())


def train(wrapper_type):
    model = Regression()
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type=wrapper_type,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1)))
    torch.manual_seed(1)
    for _ in range(4):
        model.train_step(dict(inputs=torch.randn(6, 8)), wrapper)
    return model, wrapper


def test_bfloat16_with_weights_in_float32():
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
    # States are compatible with training on a GPU.
    state = wrapper.state_dict()
    wrapper.load_state_dict(dict(state, loss_scaler=dict(scale=1024.)))
    assert wrapper.state_dict().keys() == OptimWrapper.state_dict(
        wrapper).keys()


SLURM = dict(SLURM_PROCID='0', SLURM_LOCALID='0', SLURM_NTASKS='1',
             SLURM_NODELIST='node[7-8]')
MPI = dict(OMPI_COMM_WORLD_RANK='0', OMPI_COMM_WORLD_LOCAL_RANK='0',
           OMPI_COMM_WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')


@pytest.mark.parametrize('launcher, numbers', [('slurm', SLURM),
                                               ('mpi', MPI)])
def test_process_group(launcher, numbers, monkeypatch, tmp_path):
    # Slurm names the first host.
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\nprintf "127.0.0.1\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    for name, value in dict(numbers, MASTER_PORT='0').items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('PATH', str(tmp_path))
    with cpu_process_group(launcher):
        assert torch.distributed.get_backend() == 'gloo'
        assert torch.distributed.get_world_size() == 1
        assert os.environ['LOCAL_RANK'] == '0'
        assert os.environ['MASTER_ADDR'] == '127.0.0.1'
    assert not torch.distributed.is_initialized()
    monkeypatch.setattr(device, 'get_device', lambda: 'cuda')
    with cpu_process_group(launcher):
        assert not torch.distributed.is_initialized()


def test_mpi_needs_an_address():
    with pytest.raises(UserError, match='MASTER_ADDR is not set'):
        with cpu_process_group('mpi'):
            pass
