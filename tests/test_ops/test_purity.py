import ast
from pathlib import Path

import pytest

import mmhierseg

OPS = Path(mmhierseg.__file__).parent / 'ops'


@pytest.mark.parametrize(
    'path', sorted(OPS.rglob('*.py')), ids=lambda p: p.name)
def test_ops_import_nothing_but_torch(path):
    """Kernels import numba, too; nothing of ours outside of the operators."""
    allowed = {'torch', 'typing', 'math', 'collections'}
    if path.parent.name == '_numba':
        allowed |= {
            'concurrent', 'functools', 'importlib', 'numba', 'numpy', 'os',
            'threading', 'time', 'types'
        }
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= len(path.relative_to(OPS).parts)
        assert {name.split('.')[0] for name in names} <= allowed
