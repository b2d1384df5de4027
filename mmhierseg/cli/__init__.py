"""The command ``mmhierseg``, training and testing from the command line."""

from typing import Any

__all__ = ['adapt_config']


def __getattr__(name: str) -> Any:
    # On demand: without MMEngine, the command has to say what is missing.
    if name == 'adapt_config':
        from mmhierseg.cli.adapt import adapt_config
        return adapt_config
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
