"""Registries of MMHierSeg.

Each is a child of MMEngine's root registry of the same kind, and imports its
``locations`` when something is first looked up.
``SUPERPIXELS`` is a kind of its own and has no parent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine import registry as roots
from mmengine.registry import Registry

__all__ = [
    'DATASETS', 'HOOKS', 'METRICS', 'MODELS', 'OPTIMIZERS',
    'OPTIM_WRAPPER_CONSTRUCTORS', 'PARAM_SCHEDULERS', 'STRATEGIES',
    'SUPERPIXELS', 'TRANSFORMS', 'VISUALIZERS', 'WEIGHT_INITIALIZERS',
    'register_placeholder'
]


def _child(parent: Registry, package: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='mmhierseg',
                    locations=[f'mmhierseg.{package}'])


MODELS = _child(roots.MODELS, 'models')
WEIGHT_INITIALIZERS = _child(roots.WEIGHT_INITIALIZERS, 'models')
DATASETS = _child(roots.DATASETS, 'datasets')
TRANSFORMS = _child(roots.TRANSFORMS, 'datasets.transforms')
METRICS = _child(roots.METRICS, 'evaluation')
HOOKS = _child(roots.HOOKS, 'engine')
OPTIMIZERS = _child(roots.OPTIMIZERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(roots.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(roots.PARAM_SCHEDULERS, 'engine')
STRATEGIES = _child(roots.STRATEGIES, 'engine')
VISUALIZERS = _child(roots.VISUALIZERS, 'visualization')


class _OwnScopeRegistry(Registry):
    """Builds from itself; MMEngine would warn about other default scopes."""

    @contextmanager
    def switch_scope_and_registry(self,
                                  scope: str | None) -> Iterator[Registry]:
        """Yield this registry."""
        yield self


SUPERPIXELS = _OwnScopeRegistry(
    'superpixels', scope='mmhierseg', locations=['mmhierseg.superpixels'])

#: Distributions that provide a package, the maintained one first.
_DISTRIBUTIONS = {
    'mmpretrain': 'onedl-mmpretrain (or mmpretrain)',
    'mmseg': 'onedl-mmsegmentation (or mmsegmentation)',
}


def register_placeholder(name: str,
                         package: str,
                         registry: Registry = MODELS) -> type:
    """Register a class whose construction reports a missing package.

    Without it, the registry would only report that it does not know the name.

    Args:
        name (str): Name of the class.
        package (str): Package that it needs, 'mmpretrain' or 'mmseg'.
        registry (Registry): Where to register it. Defaults to MODELS.

    Returns:
        type: The class; constructing it raises an ImportError.
    """

    def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        raise ImportError(f'{name} needs the package `{package}`: '
                          f'pip install {_DISTRIBUTIONS[package]}')

    doc = f'Placeholder: needs the package {package}.'
    placeholder = type(name, (), dict(__init__=__init__, __doc__=doc))
    registry.register_module(name=name, module=placeholder)
    return placeholder
