import importlib

import pytest

import mmhierseg


def test_compiled_is_an_alias():
    with pytest.warns(DeprecationWarning, match='import from mmhierseg.ops'):
        compiled = importlib.import_module('mmhierseg.compiled')
    for name in compiled.__all__:
        assert getattr(compiled, name) is getattr(mmhierseg.ops, name)
