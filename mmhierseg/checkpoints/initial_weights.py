"""Check the weights that ``init_cfg`` names before training starts."""

from torch import nn

from mmhierseg._base.errors import UserError

from .matching import match, read_checkpoint, some, weights_of

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
    checkpoint = read_checkpoint(path)
    # MMEngine does not look under other keys.
    checkpoint = dict(state_dict=checkpoint.get('state_dict', checkpoint))
    prefix = prefix if not prefix or prefix.endswith('.') else f'{prefix}.'
    frozen = not any(p.requires_grad for p in module.parameters())
    found = match(weights_of(checkpoint, prefix), module, load=frozen)
    if not found.shares:
        raise UserError(
            f'{path!r} cannot initialise {name}: it has no tensor under '
            f'{prefix!r} with a name of that module ({some(found.expected)}); '
            f'it has {some(weights_of(checkpoint))}')
    differences = found.differences(strict=False)
    if differences and frozen:
        raise UserError(f'{path!r} cannot initialise {name}, which is frozen: '
                        f'{"; ".join(differences)}')
