"""Imports between the folders of the package point one way."""

import ast
from pathlib import Path

import pytest

import mmhierseg

PACKAGE = Path(mmhierseg.__file__).parent
#: From the bottom up. A folder imports from the layers below its own, or from
#: a neighbour in its layer that does not import it back.
LAYERS = [
    {'_base', 'ops', 'registry', '_compat', 'version'},
    {'structures'},
    {
        'superpixels', 'oversegmentation', 'checkpoints', 'evaluation',
        'datasets'
    },
    {'models'},
    {'engine', 'visualization'},
    {'apis', 'cli'},
]
LAYER = {name: i for i, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob('*.py')
               if '.mim' not in path.parts)


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_name(path): path for path in FILES}


def imported(path):
    """Modules of the package that a file imports, those in functions too."""
    package = list(path.relative_to(PACKAGE.parent).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] * bool(node.level)
            name = '.'.join([*base, *filter(None, [node.module])])
            found.add(name)
            # `from . import x` imports a module, too.
            found |= {f'{name}.{alias.name}' for alias in node.names}
    return {name for name in found if name in MODULES}


def folder(name):
    return name.split('.')[1] if '.' in name else ''


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(
    p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = folder(module_name(path))
    if own in ('', 'compiled'):  # the package itself, the deprecated alias
        return
    for other in {folder(name) for name in imported(path)} - {own, ''}:
        assert LAYER[other] <= LAYER[own], f'{own} imports {other}'


@pytest.mark.parametrize('path', sorted((PACKAGE / 'ops').rglob('*.py')),
                         ids=lambda p: p.name)
def test_ops_import_nothing_of_ours(path):
    assert {folder(name) for name in imported(path)} <= {'ops', ''}


def test_folders_do_not_import_each_other():
    edges = {}
    for name, path in MODULES.items():
        if folder(name) != 'compiled':
            edges.setdefault(folder(name), set()).update(
                map(folder, imported(path)))
    for one, others in edges.items():
        for other in others - {one, ''}:
            assert one not in edges[other], f'{one} and {other}'


def test_modules_do_not_import_in_circles():
    graph = {
        # A package that lists its modules is no circle.
        name: {
            other for other in imported(path)
            if MODULES[other].name != '__init__.py'
        }
        for name, path in MODULES.items() if path.name != '__init__.py'
    }
    done = set()

    def visit(name, way):
        assert name not in way, ' -> '.join([*way, name])
        if name not in done:
            for other in graph[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())
