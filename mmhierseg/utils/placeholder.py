"""What stands for a class whose base package is not installed."""

from typing import Any, Type

from mmengine.registry import Registry

from mmhierseg.registry import MODELS

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

    placeholder = type(name, (), {'__init__': __init__, '__doc__': __doc__})
    registry.register_module(name=name, module=placeholder)
    return placeholder
