"""Convert the checkpoints that HSG's authors publish to MMEngine's.

They hold ``embedding_model`` and ``prediction_model``. The first has a
ResNet, the layers that make embeddings of its features, and, where levels
above the segments are learned, the clustering transformers.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

StateDict = dict[str, Tensor]

CONVERTER = 'tools/model_converters/hsg2mmhierseg.py'

#: Prefix of names in files saved of a data-parallel model.
_WRAPPER = 'module.'
#: Parts that only the authors' models name so.
_OWN_PARTS = ('resnet_backbone.', 'fine_hrchy_transformer.',
              'coarse_hrchy_transformer.')
_OURS = ('backbone.', 'neck.', 'head.')
# Authors' name -> ours; all that fit are applied, in this order.
_RULES = [
    (r'^conv_out\.0\.', r'neck.hidden.conv.'),
    (r'^conv_out\.1\.', r'neck.hidden.bn.'),
    (r'^conv_out\.3\.', r'neck.out.'),
    (r'^pos_embed\.(row|col)_embed\.', r'head.positions.\1_embed.'),
    (r'^(fine|coarse)_query_embed\._query_embedding\.',
     r'head.\1_transformer.query_embed.'),
    (r'^(fine|coarse)_hrchy_transformer\.(?:_transformer\.)?',
     r'head.\1_transformer.'),
    (r'\.(encoder|decoder)\.layers\.', r'.\1.'),
    (r'\.decoder\.norm\.', r'.decoder_norm.'),
    (r'\.tgt_fc\.1\.', r'.target.1.norm.'),
    (r'\.tgt_fc\.', r'.target.'),
    (r'\.(centroid_fc|centroid_feat_fc)\.2\.', r'.\1.2.norm.'),
    (r'\.centroid_fc\.', r'.centroid.'),
    (r'\.centroid_feat_fc\.', r'.centroid_feature.'),
    # Detectron2 puts a norm into its convolution and calls the projection of
    # the residual a shortcut; torchvision, and so the ecosystem, does not.
    (r'^resnet_backbone\.', r'backbone.'),
    (r'^backbone\.conv1\.(?:conv1?\.|0\.)', r'backbone.conv1.'),
    (r'^backbone\.conv1\.(?:norm|bn1?|1)\.', r'backbone.bn1.'),
    (r'^backbone\.res(\d+)\.',
     lambda found: f'backbone.layer{int(found[1]) - 1}.'),
    (r'\.conv(\d)\.norm\.', r'.bn\1.'),
    (r'\.shortcut\.norm\.', r'.downsample.1.'),
    (r'\.shortcut\.', r'.downsample.0.'),
]
# Layers of a clustering transformer outside of its encoder and decoder.
_WEIGHTS = ('query_embed', 'target.0', 'centroid.1', 'centroid_feature.1')
_NORMS = ('decoder_norm.norm', 'target.1.norm', 'centroid.2.norm',
          'centroid_feature.2.norm')
_NORM = ('weight', 'bias', 'running_mean', 'running_var',
         'num_batches_tracked')


class ConvertedHSG(NamedTuple):
    """Result of a conversion."""

    state_dict: StateDict
    """Keys of the HSG model: ``backbone.*``, ``neck.*``, ``head.*``."""

    kind: str
    """'hsg' with clustering transformers, 'hsg_embedding' without."""

    unconverted: list[str]
    """Keys of the source that have no counterpart."""

    head: dict
    """Options of ``mmhierseg.HSGHead`` that follow from the weights."""


def is_authors_hsg(checkpoint: object) -> bool:
    """Recognise a checkpoint of the authors by the names in it.

    Example:
        >>> name = 'resnet_backbone.res2.0.conv1.weight'
        >>> is_authors_hsg(dict(embedding_model={name: None}))
        True
        >>> is_authors_hsg(dict(state_dict={name: None}))
        False
    """
    weights = checkpoint.get('embedding_model') if isinstance(
        checkpoint, dict) else None
    return isinstance(weights, dict) and any(
        str(name).removeprefix(_WRAPPER).startswith(_OWN_PARTS)
        for name in weights)


def convert_hsg_checkpoint(checkpoint: dict) -> ConvertedHSG:
    """Rename the weights of an authors' checkpoint.

    Args:
        checkpoint (dict): Content of the file.

    Returns:
        ConvertedHSG: Weights in float32, and what was left.

    Raises:
        ValueError: If it is no checkpoint of HSG, or one of its parts
            (ResNet, embedding, transformers) is incomplete.
    """
    source = _embedding_model(checkpoint)
    wrapper = _WRAPPER * all(key.startswith(_WRAPPER) for key in source)
    names = {key: rename_hsg_key(key[len(wrapper):]) for key in source}
    expected = _expected({name for name in names.values() if name})
    missing = sorted(
        name for name in expected.difference(names.values())
        # It came with PyTorch 0.4.1, and nothing depends on it.
        if not name.endswith('.num_batches_tracked'))
    unconverted = [
        f'embedding_model.{key}' for key, name in names.items()
        if name not in expected
    ]
    if missing:
        raise ValueError(
            'the weights do not make a whole model of HSG\n'
            f'  missing: {missing}\n  left over: {sorted(unconverted)}')
    unconverted += [
        str(key) for key, value in checkpoint.items()
        if key != 'embedding_model' and value != {}
    ]
    state_dict = {
        name: source[key].float()
        if source[key].is_floating_point() else source[key]
        for key, name in names.items() if name in expected
    }
    head = _head_options(state_dict)
    kind = 'hsg' if 'fine_clusters' in head else 'hsg_embedding'
    return ConvertedHSG(state_dict, kind, sorted(unconverted), head)


def rename_hsg_key(key: str) -> str | None:
    """Name in our HSG model of a key of the authors' ``embedding_model``.

    None if the part has no counterpart.

    Example:
        >>> rename_hsg_key('resnet_backbone.res5.0.shortcut.norm.weight')
        'backbone.layer4.0.downsample.1.weight'
        >>> rename_hsg_key('fine_query_embed._query_embedding.weight')
        'head.fine_transformer.query_embed.weight'
    """
    name = key
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name if name != key and name.startswith(_OURS) else None


def _embedding_model(checkpoint: dict) -> StateDict:
    if not is_authors_hsg(checkpoint):
        found = sorted(map(str, checkpoint))[:8] if isinstance(
            checkpoint, dict) else type(checkpoint).__name__
        raise ValueError(
            'not a checkpoint of the authors of HSG: expected an '
            '`embedding_model` with `resnet_backbone.*` or '
            f'`fine_hrchy_transformer.*`, got {found}')
    weights = checkpoint['embedding_model']
    strange = [key for key, value in weights.items()
               if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange:
        raise ValueError('`embedding_model` must hold named tensors only, got '
                         f'something else at {strange[:4]}')
    return weights


def _expected(found: set[str]) -> set[str]:
    """Names of all tensors of the parts of which there is anything."""
    expected: set[str] = set()
    if any(name.startswith('backbone.') for name in found):
        expected |= _resnet(found)
    if any(name.startswith('neck.') for name in found):
        expected |= _conv_norm('neck.hidden.conv', 'neck.hidden.bn')
        expected |= _named(['neck.out'], ('weight', 'bias'))
    if any(name.startswith('head.') for name in found):
        layers = set(
            re.findall(r'head\.fine_transformer\.encoder\.(\d+)\.',
                       ' '.join(found)))
        for level in ('fine', 'coarse'):
            expected |= {
                f'head.{level}_transformer.{name}'
                for name in _transformer(max(len(layers), 1))
            }
        expected |= _named(
            f'head.positions.{side}_embed' for side in ('row', 'col'))
    return expected


def _resnet(found: set[str]) -> set[str]:
    """A ResNet with the blocks that there are, each of them whole."""
    convolutions = 3 if 'backbone.layer1.0.conv3.weight' in found else 2
    blocks = {
        (int(match[1]), int(match[2])) for match in (
            re.match(r'backbone\.layer([1-4])\.(\d+)\.', name)
            for name in found) if match
    }
    expected = _conv_norm('backbone.conv1', 'backbone.bn1')
    for stage in range(1, 5):
        last = max((block for s, block in blocks if s == stage), default=0)
        stem = f'backbone.layer{stage}'
        for block in range(last + 1):
            for i in range(1, convolutions + 1):
                expected |= _conv_norm(f'{stem}.{block}.conv{i}',
                                       f'{stem}.{block}.bn{i}')
        # The first of basic blocks of the first stage needs no projection.
        if stage > 1 or convolutions == 3:
            expected |= _conv_norm(f'{stem}.0.downsample.0',
                                   f'{stem}.0.downsample.1')
    return expected


def _transformer(num_layers: int) -> set[str]:
    """A clustering transformer of as many layers."""
    attentions, linear, norms = [], ['target.3'], list(_NORMS)
    for i in range(num_layers):
        for part, parts, number in (
            (f'encoder.{i}.', ['self_attn'], 2),
            (f'decoder.{i}.', ['self_attn', 'multihead_attn'], 3)):
            attentions += [part + name for name in parts]
            linear += [f'{part}linear1', f'{part}linear2']
            norms += [f'{part}norm{n + 1}.norm' for n in range(number)]
    linear += [f'{name}.out_proj' for name in attentions]
    return (_named(_WEIGHTS) | _named(linear, ('weight', 'bias'))
            | _named(attentions, ('in_proj_weight', 'in_proj_bias'))
            | _named(norms, _NORM))


def _conv_norm(conv: str, norm: str) -> set[str]:
    """A convolution without bias, and batch normalisation."""
    return _named([conv]) | _named([norm], _NORM)


def _named(layers: Iterable[str],
           parts: tuple[str, ...] = ('weight', )) -> set[str]:
    return {f'{layer}.{part}' for layer in layers for part in parts}


def _head_options(state_dict: StateDict) -> dict:
    """Options that follow from the weights; attention's heads do not."""
    options = {}
    out = state_dict.get('neck.out.weight')
    if out is not None:
        options['in_channels'] = options['embed_dims'] = out.size(0)
    for level in ('fine', 'coarse'):
        queries = state_dict.get(
            f'head.{level}_transformer.query_embed.weight')
        if queries is not None:
            options[f'{level}_clusters'] = queries.size(0)
            options['in_channels'] = options['embed_dims'] = queries.size(1)
    hidden = state_dict.get('head.fine_transformer.encoder.0.linear1.weight')
    if hidden is not None:
        options['feedforward_channels'] = hidden.size(0)
    return options
