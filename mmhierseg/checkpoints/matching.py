"""Read checkpoints safely, and check that they fit a model.

MMEngine loads the tensors that fit and logs the rest, so that a model could
be tested or fine-tuned with its random initialisation. Every check here asks
:func:`match`, and differs in what it lets pass.
"""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import (
    allow_plain_objects,
    load_plain_checkpoint,
)

from . import cast, hsg

__all__ = [
    'Match', 'check_matches', 'check_resumable', 'check_shares',
    'load_weights', 'match', 'read_checkpoint', 'read_safely'
]

#: Counters of batch normalisation: files from before PyTorch 0.4.1 have none,
#: and nothing depends on them.
COUNTERS = '.num_batches_tracked'
#: Parts of models that a checkpoint made for testing may leave out.
TRAINING_ONLY = ('auxiliary_head.', 'momentum_encoder.')


class Match(NamedTuple):
    """Comparison of the weights of a file with those of a model."""

    found: list[str]
    """Names of all tensors of the file."""

    expected: list[str]
    """Names of all tensors of the model."""

    missing: list[str]
    """Names of the model's that the file lacks, without the ignored ones."""

    unexpected: list[str]
    """Names of the file's that the model lacks, without the ignored ones."""

    shapes: list[str]
    """Why tensors of both could not be loaded: mostly, their shapes differ."""

    @property
    def shares(self) -> bool:
        """Whether any tensor of the file is one of the model's."""
        return not set(self.unexpected) >= set(self.found)

    def differences(self, strict: bool = True) -> list[str]:
        """Describe all differences; empty if there is none.

        Args:
            strict (bool): Whether ``unexpected`` counts by itself. If not, it
                is described only beside another difference.
        """
        if not (self.missing or self.shapes or strict and self.unexpected):
            return []
        lines = []
        if self.missing:
            lines.append(f'it has nothing for {len(self.missing)} of the '
                         f'{len(self.expected)} tensors of this one '
                         f'({some(self.missing)})')
        if self.unexpected:
            lines.append(f'{len(self.unexpected)} of its {len(self.found)} '
                         f'are unexpected ({some(self.unexpected)})')
        return lines + self.shapes[:5]


def match(weights: dict[str, Tensor],
          model: nn.Module,
          ignore: tuple[str, ...] = (),
          load: bool = True) -> Match:
    """Compare the names and shapes of weights with those of a model.

    Args:
        weights (dict[str, Tensor]): State dict; not changed.
        model (nn.Module): The model, not wrapped.
        ignore (tuple[str, ...]): Names to leave out of the differences, given
            by what they begin with, or with a leading '.', end with. Defaults
            to none.
        load (bool): Whether to load what fits. If so, modules may rename and
            resize weights, and only what they cannot load is a difference.
            If not, the model is not changed. Defaults to True.

    Returns:
        Match: Both inventories, and all differences.

    Example:
        >>> from torch import zeros
        >>> weights = dict(weight=zeros(1, 3), extra=zeros(1))
        >>> found = match(weights, nn.Linear(2, 1), ignore=('ext', ))
        >>> found.missing, found.unexpected
        (['bias'], [])
        >>> 'size mismatch for weight' in found.shapes[0]
        True
    """
    begins = tuple(name for name in ignore if not name.startswith('.'))
    ends = tuple(name for name in ignore if name.startswith('.'))
    state = model.state_dict()
    missing, unexpected, shapes = (
        _load(weights, model) if load else _compare(weights, state))
    missing, unexpected = ([
        name for name in names
        if not name.startswith(begins) and not name.endswith(ends)
    ] for names in (missing, unexpected))
    return Match(list(weights), list(state), missing, unexpected, shapes)


def _compare(weights: dict[str, Tensor],
             state: dict[str, Tensor]) -> tuple[list[str], ...]:
    shapes = [
        f'size mismatch for {name}: {tuple(weights[name].shape)} in the '
        f'file, {tuple(value.shape)} in the model'
        for name, value in state.items()
        if isinstance(weights.get(name), Tensor)
        and weights[name].shape != value.shape
    ]
    return ([name for name in state if name not in weights],
            [name for name in weights if name not in state], shapes)


def _load(weights: dict[str, Tensor],
          model: nn.Module) -> tuple[list[str], ...]:
    keys: list[list[str]] = []
    # Called with the names before an error about shapes is raised.
    hook = model.register_load_state_dict_post_hook(
        lambda _, result: keys.extend(result))
    shapes: list[str] = []
    try:
        model.load_state_dict(weights, strict=False)
    except (RuntimeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        shapes = lines[1:] or lines
    finally:
        hook.remove()
    return (*(keys or ([], [])), shapes)


def some(names: Iterable[str]) -> str:
    """The first of some names, for a message."""
    names = sorted(names)
    return ', '.join(names[:3] + ['...'] * (len(names) > 3)) or 'nothing'


# --------------------------------------------------------------------- reading


def read_safely() -> None:
    """Make every later ``torch.load`` of this process read safely.

    That includes MMEngine's own loading, which would otherwise fall back to
    the unsafe reader (OneDL's build), or fail to resume (the original).

    Raises:
        UserError: If the environment demands the opposite.
    """
    if os.environ.get('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
        raise UserError(
            'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set, by which checkpoints '
            'could execute programs: unset it')
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    allow_plain_objects()


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint file on the CPU, without executing what is in it.

    Args:
        path (str): Path of a file.

    Returns:
        dict: Its content.

    Raises:
        UserError: If it is missing, is no checkpoint, is one of the
            authors' files, or holds what would have to be executed.
    """
    try:
        return _read(path)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error


def _read(path: str | os.PathLike) -> dict[str, Any]:
    path = os.fspath(path)
    checkpoint = load_plain_checkpoint(path)
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path!r} is no checkpoint: it holds a '
                         f'{type(checkpoint).__name__} instead of a dict')
    for method, converter, found in (
        ('CAST', cast.CONVERTER,
         cast.is_authors_state_dict(weights_of(checkpoint))),
        ('HSG', hsg.CONVERTER, hsg.is_authors_hsg(checkpoint))):
        if found:
            raise ValueError(
                f'{path!r} is a checkpoint in the format of the authors of '
                f'{method}. Convert it first: python {converter} {path} '
                'CONVERTED.pth')
    return checkpoint


def weights_of(checkpoint: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """State dict of a checkpoint, or its part under a prefix, cut off."""
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
            break
    names = ((str(key).removeprefix('module.'), value)
             for key, value in checkpoint.items())
    return {
        name[len(prefix):]: value
        for name, value in names if name.startswith(prefix)
    }


# -------------------------------------------------------------------- checking


def load_weights(model: nn.Module,
                 path: str | os.PathLike,
                 prefix: str = '',
                 ignore: tuple[str, ...] = (COUNTERS, )) -> None:
    """Load the weights of a model, or of a part of it, from a file.

    Args:
        model (nn.Module): Changed in place.
        path (str | os.PathLike): Checkpoint of MMEngine.
        prefix (str): Name of the part with a dot. The file must then have
            exactly the part's weights under it; without, it may have more.
            Defaults to '', the whole model.
        ignore (tuple[str, ...]): See :func:`match`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is one of the authors' files, or
            does not fit the model.
    """
    checkpoint = _read(path)
    weights = weights_of(checkpoint, prefix)
    if prefix and not weights:
        raise ValueError(
            f'{os.fspath(path)!r} has no weights under `{prefix}`; it holds '
            f'{some(weights_of(checkpoint))}')
    differences = match(weights, model, ignore).differences(bool(prefix))
    if differences:
        raise ValueError('\n  '.join([
            f'{os.fspath(path)!r} does not fit the model of the config; name '
            'the config that it was trained with', *differences
        ]))


def check_matches(checkpoint: dict[str, Any], model: nn.Module,
                  path: str) -> None:
    """Load a checkpoint into a model that it must fill.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`.
        model (nn.Module): The model, not wrapped; it is changed.
        path (str): Path of the checkpoint, for the message.

    Raises:
        UserError: If a tensor of the model is missing or of another shape.
            Heads that serve only training, and counters, may be.
    """
    found = match(weights_of(checkpoint), model, (*TRAINING_ONLY, COUNTERS))
    differences = found.differences(strict=False)
    if differences:
        raise UserError(
            f'{path!r} is of another model: {"; ".join(differences)}')


def check_shares(checkpoint: dict[str, Any], model: nn.Module,
                 path: str) -> None:
    """Check that a model can start from a checkpoint.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`.
        model (nn.Module): The model, not wrapped; it is not changed.
        path (str): Path of the checkpoint, for the message.

    Raises:
        UserError: If no tensor has the name of one of the model's.
    """
    found = match(weights_of(checkpoint), model, load=False)
    if not found.shares:
        raise UserError(
            f'{path!r} is of another kind of model: none of its tensors '
            f'({some(found.found)}) has a name of this one '
            f'({some(found.expected)})')


def check_resumable(checkpoint: dict[str, Any], path: str) -> None:
    """Check that training can resume from a checkpoint.

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
            f'{path!r} has no {", ".join(missing)}, so training cannot resume '
            'from it. To start from its weights: --cfg-options '
            f'load_from={path}')
