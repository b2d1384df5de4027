"""Imported before any test."""

import os
import signal

# Tests work on tiny tensors, for which threads cost more than they gain; the
# processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# Kernels compile where they are called, not in the background.
os.environ.setdefault('MMHIERSEG_COMPILED', '1')

import pytest
from mmengine.registry import DefaultScope

import mmhierseg  # noqa: F401 - repairs the installed stack, `_compat`

# A shell has what it runs in the background ignore interrupts, programs that
# tests start included: some are about what an interrupt does.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_default_scope():
    """Begin without the default scope that another test has set.

    A runner or an inferencer leaves it behind, and it decides where names
    without a scope are looked up.
    """
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """Undo what the tools set in the environment of their process."""
    for name in ('LOCAL_RANK', 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'RANK',
                 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        # Setting it remembers the present state; a test may change it.
        monkeypatch.setenv(name, os.environ.get(name, ''))
        monkeypatch.delenv(name)
