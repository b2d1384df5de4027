"""Imported before any test."""

import os
import signal

# Tests work on tiny tensors, for which threads cost more than they gain; the
# processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')

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
def own_checkpoint_reader():
    """Begin with torch's own reader of checkpoints.

    What the tools do before anything else, by a variable of the environment,
    stays for the whole process.
    """
    os.environ.pop('TORCH_FORCE_WEIGHTS_ONLY_LOAD', None)
    yield
    os.environ.pop('TORCH_FORCE_WEIGHTS_ONLY_LOAD', None)
