"""Imported before any test."""

import os

# Tests work on tiny tensors, for which threads cost more than they gain; the
# processes that tests start inherit it.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import mmhierseg  # noqa: F401 - repairs the installed stack, `_compat`
