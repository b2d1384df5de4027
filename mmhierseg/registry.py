"""Registry nodes of MMHierSeg.

Each node is a child of MMEngine's root registry of the same kind, in scope
``mmhierseg``, and lists in ``locations`` what to import when something is
first looked up. ``SUPERPIXELS`` is new, so it has no parent.
"""

from contextlib import contextmanager
from typing import Any, Iterator, Optional, Type

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import STRATEGIES as MMENGINE_STRATEGIES
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

__all__ = [
    'DATASETS', 'HOOKS', 'METRICS', 'MODELS', 'OPTIM_WRAPPER_CONSTRUCTORS',
    'STRATEGIES', 'SUPERPIXELS', 'TRANSFORMS', 'VISUALIZERS',
    'register_placeholder'
]


class _OwnScopeRegistry(Registry):
    """A registry that builds from itself whatever the default scope is.

    MMEngine looks a registry of the default scope up among the relatives of
    the one that builds. A root of its own kind has none, so a runner with
    ``default_scope='mmseg'`` would log a warning at each build.
    """

    @contextmanager
    def switch_scope_and_registry(self,
                                  scope: Optional[str]) -> Iterator[Registry]:
        """Yield this registry."""
        yield self


MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmhierseg',
    locations=['mmhierseg.models'])
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmhierseg',
    locations=['mmhierseg.datasets'])
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmhierseg',
    locations=['mmhierseg.datasets.transforms'])
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmhierseg',
    locations=['mmhierseg.evaluation'])
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmhierseg',
    locations=['mmhierseg.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmhierseg',
    locations=['mmhierseg.engine'])
STRATEGIES = Registry(
    'strategy',
    parent=MMENGINE_STRATEGIES,
    scope='mmhierseg',
    locations=['mmhierseg.engine'])
VISUALIZERS = Registry(
    'visualizer',
    parent=MMENGINE_VISUALIZERS,
    scope='mmhierseg',
    locations=['mmhierseg.visualization'])
# Makes a map of small segments from images: SEEDS, SLIC, Grid, TorchSLIC.
SUPERPIXELS = _OwnScopeRegistry(
    'superpixels', scope='mmhierseg', locations=['mmhierseg.superpixels'])

#: Distributions that provide the package, the maintained one first.
_DISTRIBUTIONS = {
    'mmpretrain': 'onedl-mmpretrain (or mmpretrain)',
    'mmseg': 'onedl-mmsegmentation (or mmsegmentation)',
}


def register_placeholder(name: str,
                         package: str,
                         registry: Registry = MODELS) -> Type:
    """Register a class that says what is missing when built.

    Without it, a config that names the class would fail with the message that
    the registry does not know it.

    Args:
        name (str): Name of the class.
        package (str): Import name of the package that it builds on,
            'mmpretrain' or 'mmseg'.
        registry (Registry): Where to register it. Defaults to MODELS.

    Returns:
        Type: The class; constructing it is an ImportError.
    """

    def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        raise ImportError(f'{name} needs the package `{package}`: '
                          f'pip install {_DISTRIBUTIONS[package]}')

    placeholder = type(
        name, (), {
            '__init__': __init__,
            '__doc__': f'Placeholder: needs the package {package}.'
        })
    registry.register_module(name=name, module=placeholder)
    return placeholder
