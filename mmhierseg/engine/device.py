"""Training without a GPU: in bfloat16, and in several processes."""

import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS
from torch import nn

from mmhierseg._base.errors import UserError

#: Environment variables of rank, local rank and number of processes.
RANK_VARIABLES = dict(
    pytorch=('RANK', 'LOCAL_RANK', 'WORLD_SIZE'),
    slurm=('SLURM_PROCID', 'SLURM_LOCALID', 'SLURM_NTASKS'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK',
         'OMPI_COMM_WORLD_SIZE'))


def has_accelerator() -> bool:
    """Whether there is a GPU, or similar, with AMP and communication."""
    # MMEngine has neither on Apple's MPS.
    return get_device() not in ('cpu', 'mps')


@OPTIM_WRAPPERS.register_module()
class CPUAutocastOptimWrapper(OptimWrapper):
    """Mixed precision on the CPU by autocast to bfloat16.

    It needs no gradient scaler. Weights, gradients and the optimizer's states
    stay in full precision.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run data preprocessor, forward pass and loss under autocast."""
        with super().optim_context(model), torch.autocast(
                'cpu', torch.bfloat16):
            yield


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """Data-parallel training in several processes on the CPU.

    MMEngine's MMDistributedDataParallel without a device, where SyncBN, which
    runs on GPUs only, becomes BN of each process's part of the batch.
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        kwargs.setdefault('broadcast_buffers', False)  # as the runner does
        kwargs['device_ids'] = None
        super().__init__(revert_sync_batchnorm(module), **kwargs)


@contextmanager
def cpu_process_group(launcher: str) -> Iterator[None]:
    """Connect the processes of a launcher through Gloo without a GPU."""
    # MMEngine's setup selects a GPU first, but keeps an existing group.
    if launcher == 'none' or has_accelerator() or is_distributed():
        yield
        return
    if launcher != 'pytorch':
        _set_environment(launcher)
    torch.distributed.init_process_group('gloo')
    try:
        yield
    finally:
        # A data-parallel model that outlives the group aborts the process or
        # blocks forever. Runners are in reference cycles.
        gc.collect()
        torch.distributed.destroy_process_group()


def _set_environment(launcher: str) -> None:
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(
            ['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']],
            capture_output=True, text=True, check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]
    if 'MASTER_ADDR' not in os.environ:
        raise UserError('the environment variable MASTER_ADDR is not set. '
                        'With --launcher mpi it names the host of process 0, '
                        'e.g. mpirun -x MASTER_ADDR=127.0.0.1 ...')
    os.environ.setdefault('MASTER_PORT', '29500')
    for name, source in zip(RANK_VARIABLES['pytorch'],
                            RANK_VARIABLES[launcher]):
        os.environ[name] = os.environ[source]
