"""Convert the checkpoints that CAST's authors publish to MMEngine's.

Their keys tell the kind: MoCo v3 pre-training (a ``state_dict`` of
``module.base_encoder.*``, ``module.momentum_encoder.*``,
``module.predictor.*``) and DeiT (``model``, ``model_ema``), each as a
classification or as a segmentation model (``block_fusion.*``); MoCo v3 also
of the vision transformer that CAST is compared with.
"""

import re
from collections import Counter
from collections.abc import Iterable

import torch

from .converted import ConvertedCheckpoint, StateDict, describe, to_float32

CONVERTER = 'tools/model_converters/cast2mmhierseg.py'

# Authors' name in an encoder -> name in ``mmhierseg.CAST``; the first match
# counts. In the stem, convolution, norm and ReLU alternate.
_RULES = [
    (r'(stages\.\d+\.\d+\.mlp)\.fc1\.', r'\1.layers.0.0.'),
    (r'(stages\.\d+\.\d+\.mlp)\.fc2\.', r'\1.layers.1.'),
    (r'(pools\.\d+)\.centroid_fc\.', r'\1.grouping.'),
    (r'(pools\.\d+)\.fc1\.', r'\1.expand.'),
    (r'(pools\.\d+)\.fc2\.', r'\1.project.'),
    (r'(stages\.|norm\.|cls_token$)', r'\1'),
    (r'pos_embed$', r'tokenizer.pos_embed'),
    (r'patch_embed\.proj\.12\.', r'tokenizer.stem.layers.4.'),
    *((rf'patch_embed\.proj\.{3 * layer + part}\.',
       rf'tokenizer.stem.layers.{layer}.{name}.') for layer in range(4)
      for part, name in enumerate(('conv', 'bn'))),
    (r'block_fusion\.proj_blocks\.0\.norm\.', r'fusion.norm.'),
    (r'block_fusion\.proj_blocks\.2\.', r'fusion.proj.'),
]
# The same for the vision transformer, ``mmhierseg.MoCoV3ConvViT``.
_VIT_RULES = [
    (r'blocks\.(\d+)\.norm(\d)\.', r'layers.\1.ln\2.'),
    (r'blocks\.(\d+)\.attn\.', r'layers.\1.attn.'),
    (r'blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (r'blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (r'norm\.', r'ln1.'),
    (r'(cls_token|pos_embed)$', r'\1'),
    *((pattern, name.replace('tokenizer.stem', 'patch_embed'))
      for pattern, name in _RULES if 'tokenizer.stem' in name),
]
# Classification models have the class token.
_OUT_TYPES = dict(moco_seg='avg_segments', deit_seg='segments')
_STEM_NORM = re.compile(
    r'^(.*tokenizer\.stem\.layers\.\d+\.)bn\.running_var$')


def is_authors_state_dict(names: Iterable[str]) -> bool:
    """Recognise the weights of an authors' checkpoint by their names."""
    return any('.pool_block.' in str(name) for name in names)


def convert_cast_checkpoint(checkpoint: dict,
                            encoder: str = 'base',
                            ema: bool = False) -> ConvertedCheckpoint:
    """Rename the weights of a checkpoint of CAST's authors.

    Args:
        checkpoint (dict): Content of the file.
        encoder (str): Encoder of a MoCo checkpoint, 'base' or 'momentum'.
        ema (bool): Whether to convert a DeiT checkpoint's moving average.

    Returns:
        ConvertedCheckpoint: Weights of MMPretrain's ``MoCoV3`` or
        ``ImageClassifier`` on a ``CAST`` or ``MoCoV3ConvViT``, perhaps
        incomplete.

    Raises:
        ValueError: If it is no checkpoint of CAST, or lacks the choice.
    """
    source, prefix, family = _choose(checkpoint, encoder, ema)
    inner = _under(prefix, source)
    if 'pos_embed' not in inner:
        raise ValueError(f'the checkpoint has no {prefix}pos_embed')
    kind = family + '_seg' * any(
        key.startswith('block_fusion.') for key in inner)
    if not is_authors_state_dict(inner):
        if family == 'deit':
            raise ValueError('the checkpoint has no `*.pool_block.*`: it is '
                             'of another model than CAST')
        kind = 'moco_vit'
    state_dict, unused = _convert_encoder(inner, kind)
    own = {'moco': 'module.predictor.', 'deit': 'head.'}[family]
    if family == 'deit':
        state_dict |= {
            f'head.fc.{key}': value
            for key, value in _under(own, inner).items()
        }
    else:
        state_dict |= _convert_mlp('neck.', _under('head.', inner))
        state_dict |= _convert_mlp('head.predictor.', _under(own, source))
    unconverted = [prefix + key for key in unused]
    unconverted += [
        key for key in source if not key.startswith((prefix, own))
    ]
    # Optimizer, epoch, options and, unless requested, the moving average.
    unconverted += [
        key for key, value in checkpoint.items() if value is not source
    ]
    return ConvertedCheckpoint(
        to_float32(state_dict), kind, sorted(unconverted),
        _backbone_options(state_dict, kind))


def _choose(checkpoint: dict, encoder: str,
            ema: bool) -> tuple[StateDict, str, str]:
    """Requested weights, their prefix, and the family."""
    if _has(checkpoint, 'state_dict', 'module.base_encoder.'):
        if ema:
            raise ValueError('`--ema` is for DeiT checkpoints; this one is '
                             'of MoCo v3: use `--encoder momentum`')
        return checkpoint['state_dict'], f'module.{encoder}_encoder.', 'moco'
    if not _has(checkpoint, 'model', 'patch_embed.'):
        raise ValueError(
            'not a checkpoint of the authors of CAST: expected a `state_dict`'
            ' with `module.base_encoder.*` (MoCo v3) or a `model` with '
            f'`patch_embed.*` (DeiT), got {describe(checkpoint)}')
    if encoder != 'base':
        raise ValueError('`--encoder` is for MoCo v3 checkpoints; this '
                         'one is of DeiT: use `--ema`')
    if ema and not isinstance(checkpoint.get('model_ema'), dict):
        raise ValueError('`--ema` needs `model_ema` in the checkpoint')
    return checkpoint['model_ema' if ema else 'model'], '', 'deit'


def _has(checkpoint: dict, entry: str, prefix: str) -> bool:
    """Whether an entry holds named tensors, some of them with the prefix."""
    weights = checkpoint.get(entry) if isinstance(checkpoint, dict) else None
    return isinstance(weights, dict) and any(
        str(name).startswith(prefix) for name in weights)


def _under(prefix: str, weights: StateDict) -> StateDict:
    return {
        key[len(prefix):]: value
        for key, value in weights.items() if key.startswith(prefix)
    }


def _convert_encoder(inner: StateDict,
                     kind: str) -> tuple[StateDict, list[str]]:
    """Backbone weights, and the keys that have no counterpart."""
    inner, converted, unused = dict(inner), {}, []
    if kind != 'moco_vit':
        # The class token's encoding is a row of ours in both families.
        if 'pe_token' in inner:
            inner['pos_embed'] = torch.cat(
                [inner.pop('pe_token'), inner['pos_embed']], dim=1)
        side = round((inner['pos_embed'].size(1) - 1)**0.5)
        converted['backbone.tokenizer.pos_grid'] = torch.tensor([side, side])
    for key, name in rename_encoder_keys(inner).items():
        # A segmentation model's last norm is unused.
        if name is None or kind.endswith('seg') and key.startswith('norm.'):
            if not key.startswith('head.') and not _is_alias(key, inner):
                unused.append(key)
        else:
            converted[f'backbone.{name}'] = inner[key]
    return converted, unused


def rename_encoder_keys(keys: Iterable[str]) -> dict[str, str | None]:
    """Names of all keys of an authors' encoder in ours, None = none.

    Ours is ``CAST`` or, for keys without pooling, ``MoCoV3ConvViT``. Some
    files number the blocks through all stages, others within each.
    """
    keys = list(keys)
    rules = _RULES if is_authors_state_dict(keys) else _VIT_RULES
    first: dict[str, int] = {}
    for stage, block in re.findall(r'^blocks(\d+)\.(\d+)\.', '\n'.join(keys),
                                   re.MULTILINE):
        first[stage] = min(int(block), first.get(stage, int(block)))

    def rename(key: str) -> str | None:
        # Stages and pools count from 1.
        key = re.sub(
            r'^blocks(\d+)\.(\d+)', lambda m:
            f'stages.{int(m[1]) - 1}.{int(m[2]) - first[m[1]]}', key)
        key = re.sub(r'^pool(\d+)\.pool_block',
                     lambda m: f'pools.{int(m[1]) - 1}', key)
        for pattern, name in rules:
            if re.match(pattern, key):
                return re.sub('^' + pattern, name, key)
        return None

    return {key: rename(key) for key in keys}


def _is_alias(key: str, inner: StateDict) -> bool:
    """Whether ``blocks.i`` repeats a block of a stage."""
    return key.startswith('blocks.') and any(
        re.sub(r'^blocks\d+', 'blocks', other) == key != other
        and torch.equal(inner[key], inner[other]) for other in inner)


def _convert_mlp(prefix: str, weights: StateDict) -> StateDict:
    """Projector or predictor: linear layer, norm and ReLU alternate."""
    converted = {}
    for key, value in weights.items():
        number, rest = key.split('.', 1)
        layer, part = divmod(int(number), 3)
        converted[f'{prefix}{("fc", "bn")[part]}{layer}.{rest}'] = value
    return converted


def _backbone_options(state_dict: StateDict, kind: str) -> dict:
    """Options that follow from the weights, without heads and clusters."""
    if kind == 'moco_vit':
        positions = state_dict['backbone.pos_embed']
        channels = positions.size(2)
        return dict(
            type='mmhierseg.MoCoV3ConvViT',
            arch=dict(
                embed_dims=channels,
                num_layers=sum(name.endswith('.ln2.bias')
                               for name in state_dict),
                num_heads=12,
                feedforward_channels=4 * channels),
            img_size=16 * round((positions.size(1) - 1)**0.5))
    blocks = set(re.findall(r'stages\.(\d+)\.(\d+)\.', '\n'.join(state_dict)))
    depths = Counter(stage for stage, _ in sorted(blocks))
    positions = state_dict['backbone.tokenizer.pos_embed']
    return dict(
        type='mmhierseg.CAST',
        arch=dict(
            embed_dims=positions.size(2),
            depths=tuple(depths.values()),
            num_heads=12),
        img_size=8 * round((positions.size(1) - 1)**0.5),
        pos_embed='learned' if kind.startswith('deit') else 'sincos',
        out_type=_OUT_TYPES.get(kind, 'cls_token'),
        mask_empty=False)


def fuse_stems(state_dict: StateDict,
               eps: float = 1e-5) -> tuple[StateDict, list[str]]:
    """Fold batch normalisation into the convolutions of CAST's stem.

    In inference it is an affine map, which the preceding convolution can
    absorb.

    Args:
        state_dict (dict[str, Tensor]): Weights of a model with one or more
            CASTs. Not changed.
        eps (float): Epsilon of the normalisation.

    Returns:
        tuple[dict[str, Tensor], list[str]]: Weights, with biases of the
        convolutions in place of the norms, and the names of the folded layers.
    """
    fused = dict(state_dict)
    layers = []
    for found in filter(None, map(_STEM_NORM.match, state_dict)):
        layer = found[1]
        scale, shift, mean, var = (
            fused.pop(f'{layer}bn.{key}').double()
            for key in ('weight', 'bias', 'running_mean', 'running_var'))
        fused.pop(f'{layer}bn.num_batches_tracked', None)
        weight = state_dict[f'{layer}conv.weight']
        factor = scale * (var + eps).rsqrt()
        fused[f'{layer}conv.weight'] = (
            weight.double() * factor[:, None, None, None]).to(weight.dtype)
        fused[f'{layer}conv.bias'] = (shift - mean * factor).to(weight.dtype)
        layers.append(layer[:-1])
    return fused, layers
