"""Convert the checkpoints that HSG's authors publish to MMEngine's.

They hold ``embedding_model`` and ``prediction_model``. The former has a
ResNet, the embedding layers and, if levels above the segments are learned,
the clustering transformers.
"""

import itertools
import re

import torch
from torch import Tensor
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from .converted import ConvertedCheckpoint, StateDict, describe, to_float32

CONVERTER = 'tools/model_converters/hsg2mmhierseg.py'

#: Prefix of names in files of a data-parallel model.
_WRAPPER = 'module.'
#: Parts with names that only the authors' models have.
_OWN_PARTS = ('resnet_backbone.', 'fine_hrchy_transformer.',
              'coarse_hrchy_transformer.')
_OURS = ('backbone.', 'neck.', 'head.')
# Authors' name -> ours; all that match are applied, in this order.
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
# All tensors of the parts; braces list alternatives, N is the layer.
_LINEAR = '{weight,bias}'
_NORM = '{weight,bias,running_mean,running_var,num_batches_tracked}'
_ATTENTION = '{in_proj_weight,in_proj_bias,out_proj.weight,out_proj.bias}'
_NECK = ('hidden.conv.weight', f'hidden.bn.{_NORM}', f'out.{_LINEAR}')
_TRANSFORMER = (
    'query_embed.weight',
    '{target.0,centroid.1,centroid_feature.1}.weight',
    f'target.3.{_LINEAR}',
    f'{{decoder_norm,target.1,centroid.2,centroid_feature.2}}.norm.{_NORM}',
    f'{{encoder,decoder}}.N.self_attn.{_ATTENTION}',
    f'decoder.N.multihead_attn.{_ATTENTION}',
    f'{{encoder,decoder}}.N.{{linear1,linear2}}.{_LINEAR}',
    f'{{encoder,decoder}}.N.{{norm1,norm2}}.norm.{_NORM}',
    f'decoder.N.norm3.norm.{_NORM}',
)
# Tensor, its axis, and the options that are its length.
_OPTIONS = [
    ('neck.out.weight', 0, ('in_channels', 'embed_dims')),
    ('head.fine_transformer.query_embed.weight', 0, ('fine_clusters', )),
    ('head.fine_transformer.query_embed.weight', 1,
     ('in_channels', 'embed_dims')),
    ('head.coarse_transformer.query_embed.weight', 0, ('coarse_clusters', )),
    ('head.fine_transformer.encoder.0.linear1.weight', 0,
     ('feedforward_channels', )),
]


def is_authors_hsg(checkpoint: object) -> bool:
    """Recognise a checkpoint of the authors by its names."""
    weights = checkpoint.get('embedding_model') if isinstance(
        checkpoint, dict) else None
    return isinstance(weights, dict) and any(
        str(name).removeprefix(_WRAPPER).startswith(_OWN_PARTS)
        for name in weights)


def convert_hsg_checkpoint(checkpoint: dict) -> ConvertedCheckpoint:
    """Rename the weights of a checkpoint of HSG's authors to those of ``HSG``.

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
        # New in PyTorch 0.4.1, and unused.
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
    state_dict = to_float32({
        name: source[key]
        for key, name in names.items() if name in expected
    })
    options = _head_options(state_dict)
    kind = 'hsg' if 'fine_clusters' in options else 'hsg_embedding'
    return ConvertedCheckpoint(state_dict, kind, sorted(unconverted), options)


def rename_hsg_key(key: str) -> str | None:
    """Name in ``HSG`` of a key of the authors' ``embedding_model``, if any."""
    name = key
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name if name != key and name.startswith(_OURS) else None


def _embedding_model(checkpoint: dict) -> StateDict:
    if not is_authors_hsg(checkpoint):
        raise ValueError(
            'not a checkpoint of the authors of HSG: expected an '
            '`embedding_model` with `resnet_backbone.*` or '
            f'`fine_hrchy_transformer.*`, got {describe(checkpoint)}')
    weights = checkpoint['embedding_model']
    strange = [
        key for key, value in weights.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if strange:
        raise ValueError('`embedding_model` must hold named tensors only, got '
                         f'something else at {strange[:4]}')
    return weights


def _expected(found: set[str]) -> set[str]:
    """Names of all tensors of the parts that occur in ``found``."""
    text = ' '.join(found)
    patterns = []
    if ' neck.' in f' {text}':
        patterns += [f'neck.{name}' for name in _NECK]
    if ' head.' in f' {text}':
        layers = set(re.findall(r'fine_transformer\.encoder\.(\d+)\.', text))
        patterns.append('head.positions.{row_embed,col_embed}.weight')
        patterns += [
            f'head.{{fine,coarse}}_transformer.{name.replace("N", str(layer))}'
            for name in _TRANSFORMER for layer in range(len(layers) or 1)
        ]
    names = {name for pattern in patterns for name in _expand(pattern)}
    return names | _resnet(text) if ' backbone.' in f' {text}' else names


def _resnet(found: str) -> set[str]:
    """Names of all tensors of a ResNet with the blocks that occur."""
    numbers = (re.findall(rf'backbone\.layer{stage}\.(\d+)\.', found)
               for stage in range(1, 5))
    counts = [1 + max(map(int, stage), default=0) for stage in numbers]
    block = Bottleneck if '.layer1.0.conv3.weight' in found else BasicBlock
    with torch.device('meta'):
        names = ResNet(block, counts).state_dict()
    return {f'backbone.{name}' for name in names if not name.startswith('fc.')}


def _expand(pattern: str) -> list[str]:
    """Expand the braces of a pattern, as a shell does."""
    parts = [part.split(',') for part in re.split(r'{([^{}]*)}', pattern)]
    return [''.join(choice) for choice in itertools.product(*parts)]


def _head_options(state_dict: StateDict) -> dict:
    """Options that follow from the weights; attention's heads do not."""
    options = {}
    for name, axis, keys in _OPTIONS:
        if name in state_dict:
            options |= dict.fromkeys(keys, state_dict[name].size(axis))
    return options
