"""Look whether the weights that a model starts from fit before it trains.

MMEngine loads what fits and logs the rest, so that a frozen backbone could be
probed with the weights it was drawn with.
"""

from typing import Iterable

from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.match import read_checkpoint

__all__ = ['check_initial_weights']


def check_initial_weights(model: nn.Module) -> None:
    """Check the files that ``init_cfg`` of the modules of a model name.

    Files that are not local are left to MMEngine.

    Args:
        model (nn.Module): The model, not wrapped. Modules of which nothing is
            trained are loaded, as their initialisation will do again.

    Raises:
        UserError: If no tensor of a file has the name of one of its
            module's, or if nothing of the module is trained and a tensor is
            missing or has another shape.
    """
    for name, module in model.named_modules():
        init_cfg = getattr(module, 'init_cfg', None)
        if isinstance(init_cfg, dict) and init_cfg['type'] == 'Pretrained':
            path = init_cfg.get('checkpoint')
            if path and '://' not in path:
                _check_part(module, name or 'the model', path,
                            init_cfg.get('prefix') or '')


def _check_part(module: nn.Module, name: str, path: str, prefix: str) -> None:
    """Check one module against the part of a file under a prefix."""
    checkpoint = read_checkpoint(path)
    # Where MMEngine looks, too.
    weights = {
        key.removeprefix('module.'): value
        for key, value in checkpoint.get('state_dict', checkpoint).items()
    }
    prefix = prefix if not prefix or prefix.endswith('.') else f'{prefix}.'
    part = {
        key.removeprefix(prefix): value
        for key, value in weights.items() if key.startswith(prefix)
    }
    expected = module.state_dict().keys()
    if not part.keys() & expected:
        raise UserError(
            f'{path!r} cannot initialise {name}: it has no tensor under '
            f'{prefix!r} with a name of that module ({_some(expected)}); it '
            f'has {_some(weights)}')
    if any(p.requires_grad for p in module.parameters()):
        return
    try:
        missing = module.load_state_dict(part, strict=False).missing_keys
    except RuntimeError as error:
        raise UserError(f'{path!r} cannot initialise {name}, which is '
                           f'frozen: {error}') from error
    if missing:
        raise UserError(
            f'{path!r} cannot initialise {name}, which is frozen: it lacks '
            f'{_some(missing)}')


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ', '.join(names[:3] + ['...'] * (len(names) > 3))
