import ast
from pathlib import Path

import mmhierseg


def test_ops_import_nothing_but_torch():
    """Kernels import numba, too; nothing of ours outside of the operators."""
    root = Path(mmhierseg.__file__).parent / 'ops'
    for path in root.rglob('*.py'):
        allowed = {'torch', 'typing', 'math', 'collections'}
        if path.parent.name == '_numba':
            allowed |= set('concurrent fcntl functools hashlib importlib '
                           'numba numpy os pathlib platform stat subprocess '
                           'sys tempfile threading time types '
                           'warnings'.split())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [] if node.level else [node.module]
                assert node.level <= len(path.relative_to(root).parts)
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            assert {name.split('.')[0] for name in names} <= allowed, path
