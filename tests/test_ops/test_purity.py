import ast
from pathlib import Path

import pytest

import mmhierseg

OPS = Path(mmhierseg.__file__).parent / 'ops'
# The functional core stands on torch alone, beside twins of its functions that
# are compiled where numba is installed.
ALLOWED = {'torch', 'typing', 'math'}
COMPILED = 'mmhierseg.ops._numba'


@pytest.mark.parametrize(
    'path', sorted(OPS.glob('*.py')), ids=lambda p: p.name)
def test_ops_import_nothing_but_torch(path):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if not f'{node.module}.'.startswith(f'{COMPILED}.'):
                modules.add(node.module.split('.')[0])
    assert modules <= ALLOWED
