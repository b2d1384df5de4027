"""Weights by name, ``mmhierseg://NAME``: those that ship with the package."""

from difflib import get_close_matches
from pathlib import Path

import torch

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint

__all__ = ['SCHEME', 'find_weights', 'load_published', 'published_names']

SCHEME = 'mmhierseg://'
_FOLDER = Path(__file__).resolve().parents[1] / 'weights'


def published_names() -> list[str]:
    """Names of all weights, sorted."""
    return sorted(path.stem for path in _FOLDER.glob('*.safetensors'))


def find_weights(name: str) -> Path:
    """File of the weights ``NAME`` or ``mmhierseg://NAME``.

    Raises:
        UserError: If there are none of this name.
    """
    name = name.removeprefix(SCHEME)
    names = published_names()
    if name not in names:
        close = get_close_matches(name, names, cutoff=0.4) or names
        raise UserError(f'there are no weights {name!r}; there are: '
                        f'{", ".join(close)}')
    return _FOLDER / f'{name}.safetensors'


def load_published(name: str,
                   map_location: str | torch.device | None = None) -> dict:
    """Checkpoint (``state_dict``, ``meta``) of :func:`find_weights`.

    Args:
        name (str): ``NAME`` or ``mmhierseg://NAME``.
        map_location (str | torch.device, optional): Where tensors are put.
            Defaults to None: the CPU.
    """
    checkpoint = load_plain_checkpoint(find_weights(name))
    checkpoint['state_dict'] = {
        key: tensor.to(map_location or 'cpu')
        for key, tensor in checkpoint['state_dict'].items()
    }
    return checkpoint
