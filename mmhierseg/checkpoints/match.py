"""Read checkpoints without executing what is in them.

A checkpoint is a pickle, and a pickle can run any program when it is read.
PyTorch's ``weights_only`` reader builds tensors and plain containers only. A
checkpoint that MMEngine wrote holds a little more: log histories and NumPy
arrays. These are allowed by name, and nothing else is.

PyTorch before 2.6 is not supported: its ``weights_only`` reader could be
tricked, and it cannot be told what to allow under a name.
"""

import os
from argparse import Namespace
from pickle import UnpicklingError
from typing import Any, Callable, Dict, Iterable, List, Tuple

import numpy as np
from mmengine.logging.history_buffer import HistoryBuffer
from torch import nn
from torch.serialization import add_safe_globals

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.cast import CONVERTER, is_authors_state_dict
from mmhierseg.checkpoints.hsg import CONVERTER as HSG_CONVERTER
from mmhierseg.checkpoints.hsg import is_authors_hsg

__all__ = [
    'check_matches', 'check_resumable', 'check_shares', 'mmengine_globals',
    'read_checkpoint', 'read_safely'
]

# Parts of models that a checkpoint made for testing may leave out.
_TRAINING_ONLY = ('auxiliary_head.', 'momentum_encoder.')


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, by which methods are pickled."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise UnpicklingError(f'{owner!r}.{name} may not be looked up')
    return getattr(owner, name)


def mmengine_globals() -> list:
    """What MMEngine's checkpoints hold beside tensors and containers.

    Returns:
        list: For ``torch.serialization.safe_globals``: log histories and
        arrays of numbers.
    """
    multiarray = np._core.multiarray if hasattr(
        np, '_core') else np.core.multiarray
    return [
        HistoryBuffer,
        (_history_buffer_method, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        multiarray._reconstruct,
        multiarray.scalar,
        *{type(np.dtype(kind))
          for kind in '?bBhHiIlLqQefd'},
    ]


def read_safely() -> None:
    """Have every later ``torch.load`` of this process read safely.

    It holds for MMEngine's own loading too, which would otherwise fall back
    to the unsafe reader (OneDL's build), or fail to resume (the original).

    Raises:
        UserError: If the environment demands the opposite.
    """
    if os.environ.get('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
        raise UserError(
            'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set, by which checkpoints '
            'could execute programs: unset it')
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    # A plain container, too, in which training programs keep their options.
    add_safe_globals([Namespace, *mmengine_globals()])


def read_checkpoint(path: str) -> Dict[str, Any]:
    """Read a checkpoint file on the CPU.

    Call :func:`read_safely` before.

    Args:
        path (str): Path of a file.

    Returns:
        dict: Its content.

    Raises:
        UserError: If it is missing, is no checkpoint, is one of the
            authors' files, or holds what would have to be executed.
    """
    try:
        checkpoint = load_plain_checkpoint(path)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    if not isinstance(checkpoint, dict):
        raise UserError(f'{path!r} is no checkpoint: it holds a '
                           f'{type(checkpoint).__name__}')
    for method, converter, found in (
        ('CAST', CONVERTER, is_authors_state_dict(_weights(checkpoint))),
        ('HSG', HSG_CONVERTER, is_authors_hsg(checkpoint))):
        if found:
            raise UserError(
                f'{path!r} is a checkpoint in the format of the authors of '
                f'{method}. Convert it first: python {converter} {path} '
                'DST.pth')
    return checkpoint


def check_matches(checkpoint: Dict[str, Any], model: nn.Module,
                  path: str) -> None:
    """Load a checkpoint into a model that it must fill.

    MMEngine loads what fits and logs the rest, so that a model could be
    tested with the weights it was initialised with.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`.
        model (nn.Module): The model, not wrapped; it is changed.
        path (str): Path of the checkpoint, for the message.

    Raises:
        UserError: If a tensor of the model is missing or of another shape.
            Heads that serve only training, and counters, may be.
    """
    missing, unexpected = _load(checkpoint, model, path)
    missing = [
        name for name in missing
        if not name.startswith(_TRAINING_ONLY)
        and not name.endswith('.num_batches_tracked')
    ]
    if missing:
        raise UserError(
            f'{path!r} is of another model: it has nothing for {len(missing)} '
            f'of the {len(model.state_dict())} tensors of this one '
            f'({_some(missing)})' + (f', but {_some(unexpected)}'
                                     if unexpected else ''))


def check_shares(checkpoint: Dict[str, Any], model: nn.Module,
                 path: str) -> None:
    """Check that there is something to start training from in a checkpoint.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`.
        model (nn.Module): The model, not wrapped.
        path (str): Path of the checkpoint, for the message.

    Raises:
        UserError: If no tensor has the name of one of the model's.
    """
    names = {name.removeprefix('module.') for name in _weights(checkpoint)}
    expected = model.state_dict().keys()
    if not names & expected:
        raise UserError(
            f'{path!r} is of another kind of model: none of its tensors '
            f'({_some(names)}) has a name of this one ({_some(expected)})')


def _load(checkpoint: Dict[str, Any], model: nn.Module,
          path: str) -> Tuple[List[str], List[str]]:
    """Load what fits; names that the file lacks, and that the model does."""
    weights = {
        name.removeprefix('module.'): value
        for name, value in _weights(checkpoint).items()
    }
    try:
        result = model.load_state_dict(weights, strict=False)
    except (RuntimeError, ValueError) as error:  # of another shape
        lines = [line.strip() for line in str(error).splitlines()]
        raise UserError(f'{path!r} is of another model: '
                           f'{" ".join(lines[1:3] or lines)}') from error
    return result.missing_keys, result.unexpected_keys


def check_resumable(checkpoint: Dict[str, Any], path: str) -> None:
    """Check that training can go on from a checkpoint.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`.
        path (str): Path of the checkpoint, for the message.

    Raises:
        UserError: If it holds weights only.
    """
    meta = checkpoint.get('meta') or {}
    missing = [key for key in ('epoch', 'iter') if key not in meta]
    missing += [
        key for key in ('message_hub', 'optimizer') if key not in checkpoint
    ]
    if missing:
        raise UserError(
            f'{path!r} has no {", ".join(missing)}, so training cannot go on '
            'from it. To start from its weights: --cfg-options '
            f'load_from={path}')


def _weights(checkpoint: Dict[str, Any]) -> Dict[str, Any]:
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            return checkpoint[key]
    return checkpoint


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ', '.join(names[:3] + ['...'] * (len(names) > 3))
