"""Fixtures that tests of the operators share."""

import pytest

from mmhierseg.ops import has_numba


@pytest.fixture(params=[
    'torch',
    pytest.param(
        'numba',
        marks=pytest.mark.skipif(not has_numba(), reason='needs numba'))
])
def implementation(request, monkeypatch):
    """The reference implementation, and the numba kernel."""
    monkeypatch.setenv('MMHIERSEG_COMPILED',
                       '1' if request.param == 'numba' else '0')
    return request.param
