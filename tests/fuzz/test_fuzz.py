"""Properties on random input: seeded, and bounded by time.

A few seconds of each are in the fast tier. For longer, or other input::

    FUZZ_SECONDS=600 FUZZ_SEED=1 python -m pytest tests/fuzz -n 2 -rP
"""

import os
import time

import numpy as np
import pytest
from fuzz import files, numerics

SECONDS = float(os.environ.get('FUZZ_SECONDS', 4))
SEED = int(os.environ.get('FUZZ_SEED', 0))


@pytest.mark.parametrize(
    'holds', [*numerics.PROPERTIES, *files.PROPERTIES],
    ids=lambda holds: holds.__name__)
def test_property(holds, tmp_path):
    end = time.monotonic() + SECONDS
    # At least one, however slow.
    case = int(os.environ.get('FUZZ_CASE', 0))
    while True:
        try:
            holds(np.random.default_rng([SEED, case]), tmp_path)
        except Exception as error:
            raise AssertionError(
                f'repeat it by FUZZ_SEED={SEED} FUZZ_CASE={case}') from error
        case += 1
        if time.monotonic() > end:
            break
    print(f'{case} cases')
