"""Models by name: what the metafiles say of them, and their weights."""

import functools
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint

from . import hub

__all__ = ['SCHEME', 'find_weights', 'load_published', 'published_names']

#: What a checkpoint by name starts with, wherever MMEngine takes one.
SCHEME = 'mmhierseg://'
_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / 'weights'


class ModelEntry(NamedTuple):
    """Entry of a model in a metafile."""

    name: str
    config: Path | None  # None = a row of a paper's table
    published: dict[str, Any]  # where its weights are; {} = there are none

    @property
    def shipped(self) -> Path:
        """File in the package, if it ships."""
        return _SHIPPED / f'{self.name}.safetensors'

    @property
    def has_weights(self) -> bool:
        """Whether :func:`find_weights` finds them."""
        return 'Repository' in self.published or self.shipped.is_file()


@functools.lru_cache
def read_entries() -> dict[str, ModelEntry]:
    """All models of the metafiles, by name in lower case."""
    # Of an installed package, or of the repository.
    root = next((folder for folder in (_PACKAGE / '.mim', _PACKAGE.parent)
                 if (folder / 'model-index.yml').is_file()), None)
    if root is None:
        raise FileNotFoundError(
            f'there is no model-index.yml beside {_PACKAGE} or in its folder '
            '.mim: install the package again')
    models = [
        model for path in _load(root / 'model-index.yml')['Import']
        for model in _load(root / path)['Models']
    ]
    return {
        model['Name'].lower(): ModelEntry(
            model['Name'],
            root / model['Config'] if 'Config' in model else None,
            model.get('Published', {}))
        for model in models
    }


def _load(path: Path) -> Any:
    return yaml.load(
        path.read_text(encoding='utf-8'),
        getattr(yaml, 'CSafeLoader', yaml.SafeLoader))


def nearest_names(name: str, names: list[str]) -> str:
    """Names that are similar to one, else all, for a message."""
    near = get_close_matches(name.lower(), names, 5, cutoff=0.5)
    return ', '.join(near or names)


def find_entry(name: str) -> ModelEntry:
    """Entry of ``NAME`` or ``mmhierseg://NAME``; case does not matter.

    Raises:
        UserError: If there is none of this name.
    """
    name = name.removeprefix(SCHEME)
    if name.lower() not in read_entries():
        raise UserError(f'there are no weights of a model {name!r}; there are '
                        f'those of {nearest_names(name, published_names())}')
    return read_entries()[name.lower()]


def published_names() -> list[str]:
    """Names of all models that have weights, sorted."""
    return sorted(
        entry.name for entry in read_entries().values() if entry.has_weights)


def find_weights(name: str) -> Path:
    """File of the weights ``NAME`` or ``mmhierseg://NAME``.

    Those that do not ship with the package are downloaded and converted when
    they are first asked for, see ``docs/models.md``.

    Raises:
        UserError: If there are none of this name, or they cannot be fetched.
    """
    entry = find_entry(name)
    if entry.shipped.is_file():
        return entry.shipped
    if entry.has_weights:
        return hub.fetch(entry.name, entry.published)
    advice = 'there are those of ' + nearest_names(entry.name,
                                                   published_names())
    if 'Source' in entry.published:
        advice = (f'get its file from {entry.published["Source"]}, convert it '
                  'by `mmhierseg convert`, and give its path')
    raise UserError(f'there are no weights of {entry.name!r} to download; '
                    f'{advice}. get_model(..., pretrained=False) builds the '
                    'model without')


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


def apply_options(model: dict, weights: str | None) -> None:
    """Set in a model's config what published weights need to be exact.

    Args:
        model (dict): ``model`` of a config, changed in place.
        weights (str, optional): Checkpoint; of other ones than
            ``mmhierseg://NAME`` nothing is known.
    """
    if weights is None or not str(weights).startswith(SCHEME):
        return
    backbone = model.get('embedder', model).get('backbone') or {}
    # The options are CAST's, and any model may start from its weights.
    if str(backbone.get('type')).split('.')[-1] == 'CAST':
        options = find_entry(weights).published.get('Options', {})
        backbone.update(options.get('backbone', {}))
