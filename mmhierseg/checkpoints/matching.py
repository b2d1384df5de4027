"""Read checkpoints safely, and check that they fit a model.

MMEngine loads the tensors that fit and only logs the rest, so that a model
could be tested with random weights. The checks here raise errors instead.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import PLAIN_OBJECTS, load_plain_checkpoint

from . import cast, dino, hsg
from .published import SCHEME, load_published

#: Unused counters of batch normalisation; new in PyTorch 0.4.1.
COUNTERS = '*.num_batches_tracked'
#: Parts of models that a checkpoint for testing may lack.
TRAINING_ONLY = ('auxiliary_head.*', 'momentum_encoder.*')
#: Parts of a ResNet, without a classifier or projector.
_RESNET_PARTS = r'(?:conv1|bn1|layer\d)\.'
#: Momentum encoders, which follow the trained one.
_FOLLOWERS = re.compile(r'(?:encoder_k|momentum|teacher|target|ema)')


def read_safely() -> None:
    """Make every later ``torch.load`` of this process read safely.

    For programs; the tools and classes of this package do not need it. Raises
    a UserError if the environment forbids it.
    """
    if os.environ.get('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
        raise UserError(
            'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set, which lets checkpoints '
            'execute programs: unset it')
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    torch.serialization.add_safe_globals([
        (value, name) for name, value in PLAIN_OBJECTS.items()
    ])


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint file on the CPU, without executing code in it.

    Raises a UserError if it is missing, is no checkpoint, is one of the
    authors' files, or needs code to be executed.
    """
    try:
        return _read(path)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error


def _read(path: str | os.PathLike) -> dict[str, Any]:
    path = os.fspath(path)
    if path.startswith(SCHEME):
        return load_published(path)
    checkpoint = load_plain_checkpoint(path)
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path!r} is no checkpoint: it holds a '
                         f'{type(checkpoint).__name__} instead of a dict')
    of_cast = cast.is_authors_state_dict(weights_of(checkpoint))
    if of_cast or hsg.is_authors_hsg(checkpoint):
        converter = cast.CONVERTER if of_cast else hsg.CONVERTER
        raise ValueError(f"{path!r} is in the authors' format. Convert it "
                         f'first: python {converter} {path} CONVERTED.pth')
    return checkpoint


def weights_of(checkpoint: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """State dict of a checkpoint, or its part under a prefix, without it."""
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


def match(weights: dict[str, Tensor],
          model: nn.Module,
          ignore: tuple[str, ...] = (),
          strict: bool = True) -> list[str]:
    """Load the weights that fit a model, and describe those that do not.

    Args:
        weights (dict[str, Tensor]): State dict, not changed. Modules may
            rename or resize tensors in loading.
        model (nn.Module): Changed in place; not wrapped.
        ignore (tuple[str, ...]): Patterns (:mod:`fnmatch`) of names that may
            be missing or unexpected.
        strict (bool): Whether unexpected names alone are a difference.

    Returns:
        list[str]: What is missing, unexpected or has another shape.

    Example:
        >>> match(dict(weight=torch.zeros(1, 2)), nn.Linear(2, 1))
        ['it has nothing for 1 of the 2 tensors of this one (bias)']
    """
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
    missing, unexpected = ([
        name for name in names
        if not any(fnmatchcase(name, pattern) for pattern in ignore)
    ] for names in keys or ([], []))
    differences = []
    if missing:
        differences.append(
            f'it has nothing for {len(missing)} of the '
            f'{len(model.state_dict())} tensors of this one ({some(missing)})')
    if unexpected and (strict or missing or shapes):
        differences.append(f'{len(unexpected)} of its {len(weights)} are '
                           f'unexpected ({some(unexpected)})')
    return differences + shapes[:5]


def some(names: Iterable[str]) -> str:
    """The first of some names, for a message."""
    names = sorted(names)
    return ', '.join(names[:3] + ['...'] * (len(names) > 3)) or 'nothing'


def load_weights(model: nn.Module,
                 path: str | os.PathLike,
                 prefix: str = '',
                 ignore: tuple[str, ...] = (COUNTERS, )) -> None:
    """Load the weights of a model, or of a part of it, from a file.

    Args:
        model (nn.Module): Changed in place.
        path (str | os.PathLike): Checkpoint of MMEngine, or
            'mmhierseg://NAME'.
        prefix (str): Name of the part with a dot; the file must have exactly
            its weights. '': the whole model, or more.
        ignore (tuple[str, ...]): See :func:`match`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint of MMEngine or does not fit.
    """
    checkpoint = _read(path)
    weights = weights_of(checkpoint, prefix)
    if prefix and not weights:
        raise ValueError(
            f'{os.fspath(path)!r} has no weights under `{prefix}`; it holds '
            f'{some(weights_of(checkpoint))}')
    differences = match(weights, model, ignore, strict=bool(prefix))
    if differences:
        differences += _advice(checkpoint, path)
        raise ValueError('\n  '.join([
            f'{os.fspath(path)!r} does not fit the model of the config; name '
            'the config that it was trained with', *differences
        ]))


def _advice(checkpoint: dict, path: str | os.PathLike) -> list[str]:
    """What to do with a file of DINO's authors, which other hosts can load."""
    path = os.fspath(path)
    return [f'convert it first: python {dino.CONVERTER} {path} CONVERTED.pth'
            ] * dino.is_dino_state_dict(checkpoint)


def check_matches(checkpoint: dict[str, Any], model: nn.Module,
                  path: str) -> None:
    """Load a checkpoint, read from ``path``, into a model that it must fill.

    Raises a UserError if a tensor is missing, other than of heads that serve
    only training and counters, or has another shape.
    """
    differences = match(
        weights_of(checkpoint), model, (*TRAINING_ONLY, COUNTERS), False)
    if differences:
        differences += _advice(checkpoint, path)
        raise UserError(
            f'{path!r} is of another model: {"; ".join(differences)}')


def check_shares(checkpoint: dict[str, Any], model: nn.Module,
                 path: str) -> None:
    """Check that a model can start from a checkpoint, read from ``path``.

    Raises a UserError if they have no name in common.
    """
    weights, expected = weights_of(checkpoint), model.state_dict()
    if expected.keys().isdisjoint(weights):
        raise UserError(
            f'{path!r} is of another kind of model: none of its tensors '
            f'({some(weights)}) has a name of this one ({some(expected)})')


def check_initial_weights(model: nn.Module) -> None:
    """Check the local files in ``init_cfg`` of a model's modules.

    Raises a UserError if a file has no name in common with its module or, if
    the module is frozen, does not fit all of it, which loads the weights.
    """
    for name, module in model.named_modules():
        init_cfg = getattr(module, 'init_cfg', None)
        if isinstance(init_cfg, dict) and init_cfg['type'] == 'Pretrained':
            path = init_cfg.get('checkpoint')
            if path and '://' not in path:
                _check_part(
                    module, path, init_cfg.get('prefix') or '',
                    f'{path!r} cannot initialise {name or "the model"}')


def _check_part(module: nn.Module, path: str, prefix: str,
                message: str) -> None:
    checkpoint = read_checkpoint(path)
    # MMEngine does not look under other keys.
    checkpoint = dict(state_dict=checkpoint.get('state_dict', checkpoint))
    if prefix:
        prefix = prefix.removesuffix('.') + '.'
    weights, expected = weights_of(checkpoint, prefix), module.state_dict()
    if not any(p.requires_grad for p in module.parameters()):
        differences = match(weights, module, strict=False)
        if differences:
            raise UserError(
                f'{message}, which is frozen: {"; ".join(differences)}')
    elif expected.keys().isdisjoint(weights):
        raise UserError(
            f'{message}: it has no tensor under {prefix!r} with a name of '
            f'this module ({some(expected)}); it has '
            f'{some(weights_of(checkpoint))}')


def check_resumable(checkpoint: dict[str, Any], path: str) -> None:
    """Check that training can resume from a checkpoint, read from ``path``.

    Raises a UserError if it holds weights only.
    """
    keys = {*checkpoint, *(checkpoint.get('meta') or {})}
    missing = {'epoch', 'iter', 'message_hub', 'optimizer'} - keys
    if missing:
        raise UserError(
            f'{path!r} has no {", ".join(sorted(missing))}, so training '
            'cannot resume from it. To start from its weights: --cfg-options '
            f'load_from={path}')


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of the parameters and buffers of a module, in hexadecimal.

    Equal for equal names, shapes, dtypes and bits, on any device.
    """
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(f'{name} {tuple(value.shape)} {value.dtype}\n'.encode())
        data = value.detach().cpu().contiguous().flatten()
        digest.update(data.view(torch.uint8).numpy())
    return digest.hexdigest()


def resnet_names(names: Iterable[str]) -> dict[str, str]:
    """Find the tensors of the ResNet among the names of a checkpoint.

    Inside, all ResNets have torchvision's names (``conv1``, ``bn1``,
    ``layer1`` ...). They differ in the prefix: none (torchvision, DenseCL),
    ``backbone.``, or ``encoder_q.`` (MoCo; Van Gansbeke et al., NeurIPS 2021).

    Returns:
        dict[str, str]: Name in the checkpoint -> name inside the ResNet; empty
        if there is none. Of an encoder and its momentum encoder, the first.

    Raises:
        ValueError: If there are several that no rule tells apart.
    """
    names = list(names)
    first, last = 'conv1.weight', 'layer1.0.conv1.weight'
    prefixes = [
        prefix for name in names if name.endswith(last)
        and (prefix := name.removesuffix(last)) + first in names
    ]
    if len(prefixes) > 1:
        prefixes = [p for p in prefixes if not _FOLLOWERS.search(p)]
        if len(prefixes) != 1:
            raise ValueError(
                'the checkpoint must hold one ResNet, or one and its momentum '
                f'encoder, got several, under {sorted(prefixes)}: leave one '
                'of them in the file')
    return {
        name: name[len(prefix):]
        for prefix in prefixes for name in names
        if re.match(re.escape(prefix) + _RESNET_PARTS, name)
    }
