"""From the checkpoints that HSG's authors publish to MMEngine's.

They hold ``embedding_model`` and ``prediction_model``. In the first are a
ResNet, the layers that make embeddings of its features, and, where levels
above the segments are learned, the clustering transformers.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Set

from torch import Tensor

StateDict = Dict[str, Tensor]

CONVERTER = 'tools/model_converters/hsg2mmhierseg.py'

#: What names begin with in files saved of a data-parallel model.
_WRAPPER = 'module.'

#: Parts that only the authors' models name so.
_OWN_PARTS = ('resnet_backbone.', 'fine_hrchy_transformer.',
              'coarse_hrchy_transformer.')

# Authors' name -> ours, in this order, all that fit; inside a transformer
# before the parts.
_NECK_RULES = [
    (r'^conv_out\.0\.', r'neck.hidden.conv.'),
    (r'^conv_out\.1\.', r'neck.hidden.bn.'),
    (r'^conv_out\.3\.', r'neck.out.'),
]
_HEAD_RULES = [
    (r'^pos_embed\.(row|col)_embed\.', r'head.positions.\1_embed.'),
    (r'^(fine|coarse)_query_embed\._query_embedding\.',
     r'head.\1_transformer.query_embed.'),
    (r'^(fine|coarse)_hrchy_transformer\._transformer\.',
     r'head.\1_transformer.'),
    (r'^(fine|coarse)_hrchy_transformer\.', r'head.\1_transformer.'),
    (r'\.(encoder|decoder)\.layers\.', r'.\1.'),
    (r'\.decoder\.norm\.', r'.decoder_norm.'),
    (r'\.tgt_fc\.1\.', r'.target.1.norm.'),
    (r'\.tgt_fc\.', r'.target.'),
    (r'\.(centroid_fc|centroid_feat_fc)\.2\.', r'.\1.2.norm.'),
    (r'\.centroid_fc\.', r'.centroid.'),
    (r'\.centroid_feat_fc\.', r'.centroid_feature.'),
]
# Detectron2 puts a norm into its convolution and calls the projection of the
# residual a shortcut; torchvision, and so the ecosystem, does neither.
_BACKBONE_RULES = [
    (r'^resnet_backbone\.', r'backbone.'),
    (r'^backbone\.conv1\.(?:conv1?\.|0\.)', r'backbone.conv1.'),
    (r'^backbone\.conv1\.(?:norm|bn1?|1)\.', r'backbone.bn1.'),
    (r'^backbone\.res(\d+)\.',
     lambda match: f'backbone.layer{int(match[1]) - 1}.'),
    (r'\.conv(\d)\.norm\.', r'.bn\1.'),
    (r'\.shortcut\.norm\.', r'.downsample.1.'),
    (r'\.shortcut\.', r'.downsample.0.'),
]


class ConvertedHSG(NamedTuple):
    """Result of a conversion."""

    state_dict: StateDict
    """Keys of the HSG model: ``backbone.*``, ``neck.*``, ``head.*``."""

    kind: str
    """'hsg' with clustering transformers, 'hsg_embedding' without."""

    unconverted: List[str]
    """Keys of the source that have no counterpart."""

    head: dict
    """Options of ``mmhierseg.HSGHead`` that follow from the weights."""


def is_authors_hsg(checkpoint: object) -> bool:
    """Tell a checkpoint of the authors by the names in it.

    Args:
        checkpoint (object): What the file holds.

    Returns:
        bool: Whether there is a part that only the authors' models name so.

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
        checkpoint (dict): What the file holds.

    Returns:
        ConvertedHSG: Weights in float32 and what became of the rest.

    Raises:
        ValueError: If it is no checkpoint of HSG, or one of the parts that
            it has (ResNet, embedding, transformers) is not whole.
    """
    source = _embedding_model(checkpoint)
    wrapped = all(key.startswith(_WRAPPER) for key in source)
    prefix = 'embedding_model.' + _WRAPPER * wrapped
    if wrapped:
        source = {key[len(_WRAPPER):]: v for key, v in source.items()}
    names = {key: rename_hsg_key(key) for key in source}
    expected = _expected(names, source)
    found = {name for name in names.values() if name in expected}
    missing = sorted(
        name for name in expected - found
        # It came with PyTorch 0.4.1, and nothing depends on it.
        if not name.endswith('.num_batches_tracked'))
    unconverted = [
        prefix + key for key, name in names.items() if name not in expected
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


def rename_hsg_key(key: str) -> Optional[str]:
    """Name in the project's HSG model.

    Args:
        key (str): Key inside the authors' ``embedding_model``.

    Returns:
        str | None: The new name; None = the part has no counterpart.

    Example:
        >>> rename_hsg_key('resnet_backbone.res5.0.shortcut.norm.weight')
        'backbone.layer4.0.downsample.1.weight'
        >>> rename_hsg_key('fine_query_embed._query_embedding.weight')
        'head.fine_transformer.query_embed.weight'
    """
    for prefix, rules in (('backbone.', _BACKBONE_RULES),
                          ('neck.', _NECK_RULES), ('head.', _HEAD_RULES)):
        name = key
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        if name.startswith(prefix) and name != key:
            return name
    return None


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


def _expected(names: Dict[str, Optional[str]],
              source: StateDict) -> Set[str]:
    """Names of all tensors of the parts of which there is anything."""
    found = {name for name in names.values() if name is not None}
    expected = set()
    if any(name.startswith('backbone.') for name in found):
        expected |= _resnet_names(found)
    if any(name.startswith('neck.') for name in found):
        expected |= _conv_norm('neck.hidden.conv', 'neck.hidden.bn')
        expected |= {'neck.out.weight', 'neck.out.bias'}
    if any(name.startswith('head.') for name in found):
        expected |= _head_names(source)
    return expected


def _resnet_names(found: Set[str]) -> Set[str]:
    """A ResNet with the blocks that there are, each of them whole."""
    convolutions = 3 if 'backbone.layer1.0.conv3.weight' in found else 2
    blocks = {
        match[1]: match[2] for match in (
            re.match(r'(backbone\.layer[1-4]\.\d+)\.(.*)', name)
            for name in sorted(found)) if match
    }
    expected = _conv_norm('backbone.conv1', 'backbone.bn1')
    for stage in range(1, 5):
        prefix = f'backbone.layer{stage}.'
        numbers = [
            int(block[len(prefix):]) for block in blocks
            if block.startswith(prefix)
        ]
        for number in range(max(numbers, default=0) + 1):
            block = f'{prefix}{number}'
            for index in range(1, convolutions + 1):
                expected |= _conv_norm(f'{block}.conv{index}',
                                       f'{block}.bn{index}')
        # The first of basic blocks of the first stage needs no projection.
        if stage > 1 or convolutions == 3:
            expected |= _conv_norm(f'{prefix}0.downsample.0',
                                   f'{prefix}0.downsample.1')
    return expected


def _conv_norm(conv: str, norm: str) -> Set[str]:
    """A convolution without bias, and the batch normalisation behind it."""
    parts = ('weight', 'bias', 'running_mean', 'running_var',
             'num_batches_tracked')
    return {f'{conv}.weight'} | {f'{norm}.{part}' for part in parts}


def _head_names(source: StateDict) -> Set[str]:
    """Two transformers of as many layers as there are, and positions."""
    from mmhierseg.models import ClusteringTransformer
    layers = len({
        key.split('.')[4]
        for key in source
        if key.startswith('fine_hrchy_transformer._transformer.encoder.layers')
    })
    transformer = ClusteringTransformer(
        embed_dims=4, num_clusters=1, num_layers=max(layers, 1))
    names = {
        f'head.{level}_transformer.{name}'
        for level in ('fine', 'coarse') for name in transformer.state_dict()
    }
    return names | {
        f'head.positions.{side}_embed.weight' for side in ('row', 'col')
    }


def _head_options(state_dict: StateDict) -> dict:
    """What the weights tell of the head; attention's heads they do not."""
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
