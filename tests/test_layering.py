"""Imports between the folders of the package point one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import mmhierseg

PACKAGE = Path(mmhierseg.__file__).parent
#: From the bottom up. A folder imports from the layers below its own, or from
#: its own layer, without circles.
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
#: The package itself.
FREE = {''}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {
    module_name(path): path
    for path in sorted(PACKAGE.rglob('*.py')) if '.mim' not in path.parts
}


def imported(path):
    """Modules of the package that a file imports, also inside functions."""
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


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def test_imports_point_down():
    wrong = {
        f'{name} imports {other}'
        for name, others in IMPORTS.items() for other in others
        if not {folder(name), folder(other)} & FREE
        and LAYER[folder(other)] > LAYER[folder(name)]
    }
    assert not wrong


def test_folders_do_not_import_in_circles():
    graph = {}
    for name, others in IMPORTS.items():
        own = folder(name)
        graph.setdefault(own, set()).update(
            {folder(other) for other in others} - FREE - {own})
    # Raises a CycleError.
    TopologicalSorter(
        {own: graph[own] for own in graph if own not in FREE}).prepare()


def test_modules_do_not_import_in_circles():
    # A package that lists its modules is no circle.
    modules = {name for name, path in MODULES.items()
               if path.name != '__init__.py'}
    TopologicalSorter(
        {name: IMPORTS[name] & modules for name in modules}).prepare()
