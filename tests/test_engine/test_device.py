import os

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper

from mmhierseg._base.errors import UserError
from mmhierseg.engine import device
from mmhierseg.engine.device import (
    cpu_process_group,
    for_cpu_processes,
    without_amp,
)

CONFIG = dict(
    launcher='pytorch',
    sync_bn='torch',
    optim_wrapper=dict(
        type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16',
        accumulative_counts=2))


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(device, 'get_device', lambda: 'cuda')


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(device, 'get_device', lambda: 'cpu')


def test_nothing_changes_with_a_gpu(gpu):
    cfg = Config(CONFIG)
    assert without_amp(cfg) is cfg
    assert for_cpu_processes(cfg) is cfg
    with cpu_process_group('pytorch'):
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    'name', ['AmpOptimWrapper', 'mmengine.AmpOptimWrapper', AmpOptimWrapper])
def test_amp_is_exchanged(name):
    cfg = Config(CONFIG)
    cfg.optim_wrapper.type = name
    assert without_amp(cfg).optim_wrapper == dict(
        type='OptimWrapper', accumulative_counts=2)
    assert cfg.optim_wrapper.type == name


@pytest.mark.parametrize('dtype', ['bfloat16', torch.bfloat16])
def test_bfloat16_stays(dtype):
    """It needs no scaler."""
    cfg = Config(dict(optim_wrapper=dict(
        type='AmpOptimWrapper', loss_scale='dynamic', dtype=dtype,
        accumulative_counts=2)))
    assert without_amp(cfg).optim_wrapper == dict(
        type='CPUAutocastOptimWrapper', accumulative_counts=2)


def test_bfloat16_becomes_full_precision_elsewhere(monkeypatch):
    monkeypatch.setattr(device, 'get_device', lambda: 'mps')
    cfg = Config(dict(optim_wrapper=dict(
        type='AmpOptimWrapper', dtype='bfloat16')))
    assert without_amp(cfg).optim_wrapper == dict(type='OptimWrapper')


def test_amp_is_exchanged_in_a_set_of_wrappers():
    cfg = Config(dict(optim_wrapper=dict(
        constructor='MultiOptimWrapperConstructor',
        generator=dict(type='AmpOptimWrapper', loss_scale=1.),
        critic=dict(type='OptimWrapper'))))
    assert without_amp(cfg).optim_wrapper.generator == dict(
        type='OptimWrapper')


def test_full_precision_is_left_alone():
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    assert without_amp(cfg) is cfg
    cfg = Config({})
    assert without_amp(cfg) is cfg


def test_wrapper_for_processes():
    cfg = for_cpu_processes(Config(CONFIG))
    assert cfg.sync_bn is None
    assert cfg.model_wrapper_cfg == dict(
        type='CPUDistributedDataParallel',
        device_ids=None,
        find_unused_parameters=False)
    one_process = Config(dict(CONFIG, launcher='none'))
    assert for_cpu_processes(one_process) is one_process


def test_settings_of_the_wrapper_are_kept():
    cfg = for_cpu_processes(Config(dict(
        CONFIG, model_wrapper_cfg=dict(static_graph=True))))
    assert cfg.model_wrapper_cfg == dict(
        type='CPUDistributedDataParallel', device_ids=None, static_graph=True)
    cfg = for_cpu_processes(Config(dict(
        CONFIG, model_wrapper_cfg=dict(type='mine.Wrapper'))))
    assert cfg.model_wrapper_cfg == dict(type='mine.Wrapper', device_ids=None)


def test_slurm_is_understood(monkeypatch):
    for name, value in dict(
            SLURM_PROCID='0', SLURM_LOCALID='0', SLURM_NTASKS='1',
            MASTER_ADDR='127.0.0.1', MASTER_PORT='0').items():
        monkeypatch.setenv(name, value)
    with cpu_process_group('slurm'):
        assert torch.distributed.get_backend() == 'gloo'
        assert torch.distributed.get_world_size() == 1
        assert os.environ['LOCAL_RANK'] == '0'
    assert not torch.distributed.is_initialized()


def test_slurm_names_the_first_host(monkeypatch, tmp_path):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\nprintf "node7\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    for name, value in dict(
            PATH=str(tmp_path), SLURM_PROCID='3', SLURM_LOCALID='1',
            SLURM_NTASKS='4', SLURM_NODELIST='node[7-8]').items():
        monkeypatch.setenv(name, value)
    device._rank_from_slurm()
    assert os.environ['MASTER_ADDR'] == 'node7'
    assert [os.environ[name] for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE')
            ] == ['3', '1', '4']


def test_mpi_is_understood(monkeypatch):
    for name, value in dict(
            MASTER_ADDR='127.0.0.1', MASTER_PORT='0',
            OMPI_COMM_WORLD_RANK='0', OMPI_COMM_WORLD_LOCAL_RANK='0',
            OMPI_COMM_WORLD_SIZE='1').items():
        monkeypatch.setenv(name, value)
    with cpu_process_group('mpi'):
        assert torch.distributed.get_backend() == 'gloo'
    assert not torch.distributed.is_initialized()


def test_mpi_needs_an_address():
    with pytest.raises(UserError, match='MASTER_ADDR is not set'):
        with cpu_process_group('mpi'):
            pass
