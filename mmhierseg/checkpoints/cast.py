"""From the checkpoints that CAST's authors publish to MMEngine's.

The authors' kinds, told apart by their keys: MoCo v3 pre-training (a
``state_dict`` of ``module.base_encoder.*``, ``module.momentum_encoder.*``,
``module.predictor.*``) and DeiT (``model``, ``model_ema``), each as a
classification or as a segmentation model (``block_fusion.*``).
"""

import re
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

StateDict = Dict[str, Tensor]

# Authors' name inside an encoder -> name inside ``mmhierseg.CAST``. Block
# numbers are dealt with apart.
_ENCODER_RULES = [
    (r'cls_token$', r'cls_token'),
    (r'pos_embed$', r'tokenizer.pos_embed'),
    (r'patch_embed\.proj\.12\.', r'tokenizer.stem.layers.4.'),
    (r'norm\.', r'norm.'),
    (r'block_fusion\.proj_blocks\.0\.norm\.', r'fusion.norm.'),
    (r'block_fusion\.proj_blocks\.2\.', r'fusion.proj.'),
]
_POOL_RULES = [
    (r'centroid_fc\.', r'grouping.'),
    (r'fc1\.', r'expand.'),
    (r'fc2\.', r'project.'),
]


CONVERTER = 'tools/model_converters/cast2mmhierseg.py'


def is_authors_state_dict(names: Iterable[str]) -> bool:
    """Tell the weights of an authors' checkpoint by their names.

    Args:
        names (Iterable[str]): Names of the tensors.

    Returns:
        bool: Whether there is a part that only the authors' models name so.

    Example:
        >>> is_authors_state_dict(['module.base_encoder.pool1.pool_block.fc1'])
        True
        >>> is_authors_state_dict(['backbone.pools.0.expand.0.weight'])
        False
    """
    return any('.pool_block.' in str(name) for name in names)


class ConvertedCheckpoint(NamedTuple):
    """Result of a conversion."""

    state_dict: StateDict
    """Keys of MMPretrain's ``MoCoV3`` or ``ImageClassifier`` on a CAST."""

    kind: str
    """'moco', 'moco_seg', 'deit' or 'deit_seg'."""

    unconverted: List[str]
    """Keys of the source that have no counterpart, or were not asked for."""

    backbone: dict
    """Options of ``mmhierseg.CAST`` that follow from the weights."""


def convert_cast_checkpoint(checkpoint: dict,
                            encoder: str = 'base',
                            ema: bool = False) -> ConvertedCheckpoint:
    """Rename the weights of an authors' checkpoint.

    Args:
        checkpoint (dict): What the file holds.
        encoder (str): Which encoder of a MoCo checkpoint: 'base' or
            'momentum'. Defaults to 'base'.
        ema (bool): Whether to take the moving average of a DeiT checkpoint.
            Defaults to False.

    Returns:
        ConvertedCheckpoint: Weights in float32 and what became of the rest.

    Raises:
        ValueError: If it is no checkpoint of CAST, lacks what was asked for,
            or its weights do not make a whole model.
    """
    if encoder not in ('base', 'momentum'):
        raise ValueError(
            f"`encoder` must be 'base' or 'momentum', got {encoder!r}")
    if _is_moco(checkpoint):
        if ema:
            raise ValueError('`--ema` is for DeiT checkpoints; this one is '
                             'of MoCo v3: use `--encoder momentum`')
        source = checkpoint['state_dict']
        prefix = f'module.{encoder}_encoder.'
        family, own = 'moco', 'module.predictor.'
    elif _is_deit(checkpoint):
        if encoder != 'base':
            raise ValueError('`--encoder` is for MoCo v3 checkpoints; this '
                             'one is of DeiT: use `--ema`')
        source, prefix = _deit_weights(checkpoint, ema), ''
        family, own = 'deit', None
    else:
        keys = sorted(map(str, checkpoint))[:8] if isinstance(
            checkpoint, dict) else type(checkpoint).__name__
        raise ValueError(
            'not a checkpoint of the authors of CAST: expected a `state_dict`'
            ' with `module.base_encoder.*` (MoCo v3) or a `model` with '
            f'`patch_embed.*` (DeiT), got {keys}')
    inner = {
        key[len(prefix):]: value
        for key, value in source.items() if key.startswith(prefix)
    }
    if not any(key.startswith('patch_embed.') for key in inner):
        raise ValueError(f'the checkpoint has no weights under {prefix!r}')
    predictor = {
        key[len(own):]: value
        for key, value in source.items() if own and key.startswith(own)
    }
    kind = family + ('_seg' if any(
        key.startswith('block_fusion.') for key in inner) else '')
    if 'pos_embed' not in inner:
        raise ValueError(f'the checkpoint has no {prefix}pos_embed')
    state_dict, unused = _convert_encoder(inner, kind)
    state_dict.update(_convert_heads(inner, predictor, family))
    unconverted = [prefix + key for key in unused]
    unconverted += [
        key for key in source if not key.startswith(prefix) and not (
            own and key.startswith(own))
    ]
    # Optimizer, epoch, options and, unless asked for, the moving average.
    unconverted += [
        key for key, value in checkpoint.items() if value is not source
    ]
    state_dict = {
        key: value.float() if value.is_floating_point() else value
        for key, value in state_dict.items()
    }
    backbone = _backbone_options(state_dict, kind)
    _check_complete(state_dict, backbone)
    return ConvertedCheckpoint(state_dict, kind, sorted(unconverted), backbone)


def _is_moco(checkpoint: dict) -> bool:
    return any(
        key.startswith('module.base_encoder.')
        for key in _weight_names(checkpoint, 'state_dict'))


def _is_deit(checkpoint: dict) -> bool:
    return any(
        key.startswith('patch_embed.')
        for key in _weight_names(checkpoint, 'model'))


def _weight_names(checkpoint: dict, entry: str) -> List[str]:
    """Names of the tensors in an entry; none if it holds something else."""
    weights = checkpoint.get(entry) if isinstance(checkpoint, dict) else None
    if not isinstance(weights, dict) or not all(
            isinstance(key, str) for key in weights):
        return []
    return list(weights)


def _deit_weights(checkpoint: dict, ema: bool) -> StateDict:
    if not ema:
        return checkpoint['model']
    if not isinstance(checkpoint.get('model_ema'), dict):
        raise ValueError('`--ema` was asked for, but the checkpoint has no '
                         '`model_ema`')
    return checkpoint['model_ema']


def _convert_encoder(inner: StateDict,
                     kind: str) -> Tuple[StateDict, List[str]]:
    """Backbone weights, and the keys that found no place."""
    # The class token's own encoding is a row of ours in both families.
    inner = dict(inner)
    if 'pe_token' in inner:
        inner['pos_embed'] = torch.cat(
            [inner.pop('pe_token'), inner['pos_embed']], dim=1)
    side = round((inner['pos_embed'].size(1) - 1)**0.5)
    names = rename_encoder_keys(inner)
    converted = {'backbone.tokenizer.pos_grid': torch.tensor([side, side])}
    unused = []
    for key, value in inner.items():
        if key.startswith('head.'):
            continue
        name = names[key]
        # A segmentation model's last norm takes no part in its output.
        if name is None or (kind.endswith('seg') and key.startswith('norm.')):
            if not _is_alias(key, value, inner):
                unused.append(key)
        else:
            converted['backbone.' + name] = value
    return converted, unused


def rename_encoder_keys(keys: Iterable[str]) -> Dict[str, Optional[str]]:
    """Names inside ``mmhierseg.CAST`` of all keys of an authors' encoder.

    Args:
        keys (Iterable[str]): Keys inside an encoder, all of them: some files
            count the blocks through all stages, others within each.

    Returns:
        Dict[str, str | None]: New name of each key; None = no counterpart.
    """
    keys = list(keys)
    first_blocks = _first_blocks(keys)
    return {key: _rename(key, first_blocks) for key in keys}


def _first_blocks(keys: Iterable[str]) -> Dict[int, int]:
    """Number of each stage's first block."""
    first: Dict[int, int] = {}
    for key in keys:
        match = re.match(r'blocks(\d+)\.(\d+)\.', key)
        if match:
            stage, block = int(match[1]), int(match[2])
            first[stage] = min(block, first.get(stage, block))
    return first


def _rename(key: str, first_blocks: Dict[int, int]) -> Optional[str]:
    match = re.match(r'blocks(\d+)\.(\d+)\.(.*)', key)
    if match:
        stage, block, rest = int(match[1]), int(match[2]), match[3]
        rest = rest.replace('mlp.fc1.', 'mlp.layers.0.0.')
        rest = rest.replace('mlp.fc2.', 'mlp.layers.1.')
        return f'stages.{stage - 1}.{block - first_blocks[stage]}.{rest}'
    match = re.match(r'pool(\d+)\.pool_block\.(.*)', key)
    if match:
        for pattern, name in _POOL_RULES:
            if re.match(pattern, match[2]):
                rest = re.sub('^' + pattern, name, match[2])
                return f'pools.{int(match[1]) - 1}.{rest}'
    for pattern, name in _ENCODER_RULES:
        if re.match(pattern, key):
            return re.sub('^' + pattern, name, key)
    match = re.match(r'patch_embed\.proj\.(\d+)\.(.*)', key)
    if match and int(match[1]) < 12:
        # Convolution, norm and ReLU take turns.
        layer, part = divmod(int(match[1]), 3)
        name = f'{layer}.{("conv", "bn")[part]}.{match[2]}'
        return f'tokenizer.stem.layers.{name}'
    return None


def _is_alias(key: str, value: Tensor, inner: StateDict) -> bool:
    """Whether ``blocks.i`` repeats a block of a stage."""
    match = re.match(r'blocks\.(\d+\..*)', key)
    return bool(match) and any(
        re.match(r'blocks\d+\.' + re.escape(match[1]) + '$', other)
        and torch.equal(value, inner[other]) for other in inner)


def _convert_heads(inner: StateDict, predictor: StateDict,
                   family: str) -> StateDict:
    """Projector and predictor (MoCo v3), or classifier (DeiT)."""
    if family == 'deit':
        return {
            key.replace('head.', 'head.fc.', 1): value
            for key, value in inner.items() if key.startswith('head.')
        }
    projector = {
        key[len('head.'):]: value
        for key, value in inner.items() if key.startswith('head.')
    }
    converted = {}
    for prefix, weights in (('neck.', projector), ('head.predictor.',
                                                   predictor)):
        for key, value in weights.items():
            # Linear layer, norm and ReLU take turns.
            number, rest = key.split('.', 1)
            layer, part = divmod(int(number), 3)
            converted[f'{prefix}{("fc", "bn")[part]}{layer}.{rest}'] = value
    return converted


def _backbone_options(state_dict: StateDict, kind: str) -> dict:
    """What the weights tell of the model; heads and clusters they do not."""
    depths: Dict[int, int] = {}
    for key in state_dict:
        match = re.match(r'backbone\.stages\.(\d+)\.(\d+)\.', key)
        if match:
            stage, block = int(match[1]), int(match[2])
            depths[stage] = max(block + 1, depths.get(stage, 0))
    positions = state_dict['backbone.tokenizer.pos_embed']
    out_types = dict(
        moco='cls_token', deit='cls_token', moco_seg='avg_segments',
        deit_seg='segments')
    return dict(
        arch=dict(
            embed_dims=positions.size(2),
            depths=tuple(depths[stage] for stage in sorted(depths)),
            num_heads=12),
        img_size=8 * round((positions.size(1) - 1)**0.5),
        pos_embed='learned' if kind.startswith('deit') else 'sincos',
        out_type=out_types[kind],
        mask_empty=False)


def _check_complete(state_dict: StateDict, backbone: dict) -> None:
    """Strict: the weights must be exactly those of a CAST."""
    from mmhierseg.models.backbones import CAST
    clusters = tuple(range(len(backbone['arch']['depths']), 0, -1))
    expected = {
        'backbone.' + key: value.shape
        for key, value in CAST(num_clusters=clusters, **backbone).state_dict(
        ).items()
    }
    found = {
        key: value.shape
        for key, value in state_dict.items() if key.startswith('backbone.')
    }
    missing = sorted(set(expected) - set(found))
    unexpected = sorted(set(found) - set(expected))
    wrong = [
        f'{key}: {tuple(found[key])} for {tuple(shape)}'
        for key, shape in sorted(expected.items())
        if key in found and found[key] != shape
    ]
    if missing or unexpected or wrong:
        raise ValueError(
            'the weights do not make a whole CAST\n'
            f'  missing: {missing}\n  unexpected: {unexpected}\n'
            f'  of another shape: {wrong}')
