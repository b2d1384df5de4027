"""Run a config made for GPUs where there is none.

The ecosystem's configs ask for things that only a GPU has: mixed precision by
a gradient scaler, batch statistics synchronised between GPUs, processes that
talk through NCCL. Without a GPU the functions here exchange them for what the
CPU can do; with a GPU they change nothing.
"""

import gc
import os
import subprocess
from contextlib import contextmanager
from copy import deepcopy
from logging import WARNING
from typing import Iterator, Set

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.engine.cpu_autocast import CPUAutocastOptimWrapper

__all__ = [
    'CPUDistributedDataParallel', 'cpu_process_group', 'for_cpu_processes',
    'has_accelerator', 'without_amp'
]

_AUTOCAST = CPUAutocastOptimWrapper.__name__
_PRECISION = {'OptimWrapper': 'full precision', _AUTOCAST: 'bfloat16'}


def has_accelerator() -> bool:
    """Tell whether MMEngine will train on something better than the CPU.

    Apple's MPS counts as none: it has neither a gradient scaler in MMEngine
    nor collective communication.
    """
    return get_device() not in ('cpu', 'mps')


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """Data-parallel training in several processes on the CPU.

    MMEngine's runner passes the number of a GPU to the wrapper of the model,
    and leaves SyncBN, which runs on GPUs only, in the model. This wrapper
    needs no device and turns SyncBN into BN; every process then normalises
    by its own share of the batch.

    Args:
        module (nn.Module): The model.
        device_ids (None): Not used; a default that the runner fills in.
        broadcast_buffers (bool): Whether buffers are copied from process 0
            in each step. Defaults to False, as in MMEngine.
        find_unused_parameters (bool): Whether to look for parameters that
            got no gradient in each step. Defaults to False.
        static_graph (bool): Whether the graph is the same in each step.
            Defaults to False.
        detect_anomalous_params (bool): Whether to log parameters that are no
            part of the graph. Defaults to False.
    """

    def __init__(self,
                 module: nn.Module,
                 device_ids: None = None,
                 broadcast_buffers: bool = False,
                 find_unused_parameters: bool = False,
                 static_graph: bool = False,
                 detect_anomalous_params: bool = False) -> None:
        super().__init__(
            module=revert_sync_batchnorm(module),
            detect_anomalous_params=detect_anomalous_params,
            device_ids=None,
            broadcast_buffers=broadcast_buffers,
            find_unused_parameters=find_unused_parameters,
            static_graph=static_graph)


def without_amp(cfg: Config) -> Config:
    """Train without a gradient scaler where there is no GPU.

    MMEngine's AmpOptimWrapper, which scales gradients, needs a GPU. With
    ``dtype='bfloat16'``, which needs no scaler, precision stays mixed on the
    CPU; else it becomes full.

    Args:
        cfg (Config): Config of a runner.

    Returns:
        Config: ``cfg`` itself if there is a GPU or no AMP in it, else a
            changed copy, of which a warning is logged.
    """
    if has_accelerator() or cfg.get('optim_wrapper') is None:
        return cfg
    changed = deepcopy(cfg)
    taken = _exchange_amp(changed.optim_wrapper)
    for name in sorted(taken):
        print_log(
            'AmpOptimWrapper needs a GPU and there is none: training in '
            f'{_PRECISION[name]} with {name}.',
            logger='current',
            level=WARNING)
    return changed if taken else cfg


def for_cpu_processes(cfg: Config) -> Config:
    """Wrap the model so that several processes can share it on the CPU.

    Args:
        cfg (Config): Config of a runner, with ``launcher`` set.

    Returns:
        Config: ``cfg`` itself if there is a GPU or one process, else a
            changed copy.
    """
    if has_accelerator() or cfg.get('launcher', 'none') == 'none':
        return cfg
    cfg = deepcopy(cfg)
    # The wrapper turns SyncBN into BN; this setting would turn BN into SyncBN
    # right before.
    cfg.sync_bn = None
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        find_unused_parameters=cfg.get('find_unused_parameters', False))
    if wrapper.get('type', 'MMDistributedDataParallel') in (
            'DistributedDataParallel', 'MMDistributedDataParallel'):
        wrapper['type'] = 'CPUDistributedDataParallel'
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
    return cfg


def _exchange_amp(optim_wrapper: dict) -> Set[str]:
    """Replace AmpOptimWrapper in place, also in a set of wrappers.

    Returns:
        Set[str]: What was taken instead; empty if there was none.
    """
    taken = set()
    # As a string, with or without a scope, or as the class.
    name = optim_wrapper.get('type')
    name = getattr(name, '__name__', name)
    if isinstance(name, str) and name.split('.')[-1] == 'AmpOptimWrapper':
        low = optim_wrapper.get('dtype') in ('bfloat16', torch.bfloat16)
        # MPS is no CPU, and trains in full precision.
        low = low and get_device() == 'cpu'
        optim_wrapper['type'] = _AUTOCAST if low else 'OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            optim_wrapper.pop(key, None)
        taken.add(optim_wrapper['type'])
    for value in optim_wrapper.values():
        if isinstance(value, dict):
            taken |= _exchange_amp(value)
    return taken


@contextmanager
def cpu_process_group(launcher: str) -> Iterator[None]:
    """Connect the processes by Gloo while there is no GPU.

    MMEngine's own set-up selects a GPU first. It leaves a process group that
    is there already alone.

    Args:
        launcher (str): How the processes were started: 'none', 'pytorch',
            'slurm' or 'mpi'.

    Yields:
        None: With a GPU, or with 'none', nothing is done.
    """
    if launcher == 'none' or has_accelerator() or is_distributed():
        yield
        return
    if launcher == 'slurm':
        _rank_from_slurm()
    elif launcher == 'mpi':
        _rank_from_open_mpi()
    torch.distributed.init_process_group('gloo')
    try:
        yield
    finally:
        # A data-parallel model that outlives the group aborts the process or
        # waits for ever. Runners are in cycles, which only this frees.
        gc.collect()
        torch.distributed.destroy_process_group()


def _rank_from_slurm() -> None:
    """Set what PyTorch reads from what Slurm tells."""
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(
            ['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']],
            capture_output=True,
            text=True,
            check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]
    os.environ.setdefault('MASTER_PORT', '29500')
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']


def _rank_from_open_mpi() -> None:
    """Set what PyTorch reads from what Open MPI tells."""
    if 'MASTER_ADDR' not in os.environ:
        raise UserError('the environment variable MASTER_ADDR is not set. '
                           'With --launcher mpi it names the host of process '
                           '0, e.g. mpirun -x MASTER_ADDR=127.0.0.1 ...')
    os.environ.setdefault('MASTER_PORT', '29500')
    os.environ['RANK'] = os.environ['OMPI_COMM_WORLD_RANK']
    os.environ['LOCAL_RANK'] = os.environ['OMPI_COMM_WORLD_LOCAL_RANK']
    os.environ['WORLD_SIZE'] = os.environ['OMPI_COMM_WORLD_SIZE']
