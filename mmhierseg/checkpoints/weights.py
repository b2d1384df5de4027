"""Loads weights from a checkpoint, without executing what is in it."""

import os
from typing import Any, Dict, List, Union

import torch
from torch import Tensor, nn

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.cast import (
    CONVERTER,
    is_authors_state_dict,
)
from mmhierseg.checkpoints.hsg import CONVERTER as HSG_CONVERTER
from mmhierseg.checkpoints.hsg import is_authors_hsg
from mmhierseg.checkpoints.match import mmengine_globals

__all__ = ['load_backbone_weights', 'load_model_weights']

# Layers behind the hierarchy: a classifier has a norm where a segmentor has a
# fusion, and neither takes part in grouping.
_OUTPUT_LAYERS = ('norm.', 'fusion.')


def load_backbone_weights(backbone: nn.Module,
                          path: Union[str, os.PathLike]) -> None:
    """Load the weights of a CAST backbone.

    Args:
        backbone (nn.Module): The backbone, changed in place.
        path (str | os.PathLike): Checkpoint of MMEngine, of whatever model
            with this backbone; only what lies under ``backbone.`` is taken.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is one of CAST's authors, which
            has to be converted first, or does not fit the backbone.
    """
    weights = _backbone_part(_read(path), path)
    try:
        result = backbone.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # tensors of another shape
        problems = str(error).splitlines()[1:]
        raise _misfit(path, [line.strip() for line in problems]) from error
    problems = _problems('missing', result.missing_keys)
    problems += _problems('unexpected', result.unexpected_keys)
    if problems:
        raise _misfit(path, problems)


def load_model_weights(model: nn.Module, path: Union[str,
                                                     os.PathLike]) -> None:
    """Load the weights of a whole model.

    Args:
        model (nn.Module): HSG or RetrievalSegmentor, changed in place.
        path (str | os.PathLike): Checkpoint of MMEngine, of that model, or of
            one whose checkpoints it takes. What else it holds is left.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is one of the authors of CAST or
            HSG, which has to be converted first, or lacks something of the
            model.
    """
    checkpoint = _read(path)
    weights = checkpoint.get('state_dict', checkpoint.get('model', checkpoint))
    _refuse_authors(checkpoint, weights, path)
    weights = {
        str(key).removeprefix('module.'): value
        for key, value in weights.items()
    }
    try:
        result = model.load_state_dict(weights, strict=False)
    except (RuntimeError, ValueError) as error:  # tensors of another shape
        problems = str(error).splitlines()
        raise _misfit(path, [line.strip() for line in problems[1:] or problems
                             ]) from error
    # Counters, which came with PyTorch 0.4.1 and on which nothing depends.
    missing = [
        key for key in result.missing_keys
        if not key.endswith('.num_batches_tracked')
    ]
    if missing:
        raise _misfit(path, _problems('missing', missing) + _problems(
            'unexpected', result.unexpected_keys))


def _read(path: Union[str, os.PathLike]) -> Dict[str, Any]:
    with torch.serialization.safe_globals(mmengine_globals()):
        checkpoint = load_plain_checkpoint(path)
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{os.fspath(path)!r} is no checkpoint: it holds a '
                         f'{type(checkpoint).__name__} instead of a dict')
    return checkpoint


def _backbone_part(checkpoint: Dict[str, Any],
                   path: Union[str, os.PathLike]) -> Dict[str, Tensor]:
    weights = checkpoint.get('state_dict', checkpoint.get('model', checkpoint))
    found = {
        key[len('backbone.'):]: value
        for key, value in weights.items() if key.startswith('backbone.')
    }
    if found:
        return found
    _refuse_authors(checkpoint, weights, path)
    some = ', '.join(sorted(map(str, weights))[:5]) or 'nothing'
    raise ValueError(f'{os.fspath(path)!r} has no weights under `backbone.`; '
                     f'it holds {some}')


def _refuse_authors(checkpoint: Dict[str, Any], weights: Dict[str, Any],
                    path: Union[str, os.PathLike]) -> None:
    """Their names of the parts are not ours."""
    for method, converter, found in (
        ('CAST', CONVERTER, is_authors_state_dict(weights)),
        ('HSG', HSG_CONVERTER, is_authors_hsg(checkpoint))):
        if found:
            raise ValueError(
                f'{os.fspath(path)!r} is a checkpoint of the authors of '
                f'{method}; convert it first: python {converter} '
                f'{os.fspath(path)} CONVERTED.pth')


def _problems(kind: str, keys: List[str]) -> List[str]:
    keys = [key for key in keys if not key.startswith(_OUTPUT_LAYERS)]
    if not keys:
        return []
    more = f' and {len(keys) - 5} more' if len(keys) > 5 else ''
    return [f'{kind}: {", ".join(keys[:5])}{more}']


def _misfit(path: Union[str, os.PathLike],
            problems: List[str]) -> ValueError:
    text = '\n  '.join(problems[:8])
    return ValueError(
        f'{os.fspath(path)!r} does not fit the model of the config; name '
        f'the config that it was trained with\n  {text}')
