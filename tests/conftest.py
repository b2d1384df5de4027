"""Imported before any test."""

import os

# Tests work on tiny tensors, for which threads cost more than they gain; the
# processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest

import mmhierseg  # noqa: F401 - repairs the installed stack, `_compat`


@pytest.fixture(autouse=True)
def own_default_scope():
    """Forget the default scope that a test has set.

    A runner or an inferencer leaves it behind, and it decides where names
    without a scope are looked up.
    """
    from mmengine.registry import DefaultScope
    before = DefaultScope._instance_dict.copy()
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)
