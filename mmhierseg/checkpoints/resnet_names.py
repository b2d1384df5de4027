"""Finds a ResNet in a checkpoint, whatever its authors call it.

Inside, all ResNets have torchvision's names, which are those of MMPretrain
and MMSegmentation, too: ``conv1``, ``bn1``, ``layer1`` to ``layer4``. They
differ in what stands before: nothing (torchvision, DenseCL), ``backbone.``,
or ``encoder_q.`` (MoCo, and what is built on it, as by Van Gansbeke et al.,
NeurIPS 2021).
"""

import re
from typing import Dict, Iterable

__all__ = ['resnet_names']

#: What a ResNet consists of; a classifier or projector behind it has a name
#: of its own, ``fc``.
_PARTS = r'(?:conv1|bn1|layer\d)\.'
#: Encoders that follow another one, which is the one that was trained.
_FOLLOWERS = re.compile(r'(?:encoder_k|momentum|teacher|target|ema)')


def resnet_names(names: Iterable[str]) -> Dict[str, str]:
    """Find the tensors of the ResNet of a checkpoint.

    Args:
        names (Iterable[str]): Names of all tensors.

    Returns:
        Dict[str, str]: Name in the checkpoint -> name inside the ResNet; empty
        if there is none. Of an encoder and another one that follows it, by
        momentum, the first is taken.

    Raises:
        ValueError: If there are several that no rule tells apart.

    Example:
        >>> parts = ['conv1.weight', 'bn1.bias', 'layer1.0.conv1.weight']
        >>> names = ['encoder_q.' + part for part in parts]
        >>> names += ['encoder_k.' + part for part in parts]
        >>> resnet_names([*names, 'encoder_q.fc.0.weight', 'queue'])
        ... # doctest: +NORMALIZE_WHITESPACE
        {'encoder_q.conv1.weight': 'conv1.weight',
         'encoder_q.bn1.bias': 'bn1.bias',
         'encoder_q.layer1.0.conv1.weight': 'layer1.0.conv1.weight'}
    """
    names = list(names)
    known = set(names)
    last = 'layer1.0.conv1.weight'
    prefixes = [
        name[:-len(last)] for name in names
        if name.endswith(last) and f'{name[:-len(last)]}conv1.weight' in known
    ]
    if len(prefixes) > 1:
        prefixes = [p for p in prefixes if not _FOLLOWERS.search(p)]
        if len(prefixes) != 1:
            raise ValueError(
                'the checkpoint must hold one ResNet, or one and those that '
                f'follow it, got several, under {sorted(prefixes)}: leave one '
                'of them in the file')
    if not prefixes:
        return {}
    prefix, = prefixes
    return {
        name: name[len(prefix):]
        for name in names
        if name.startswith(prefix) and re.match(_PARTS, name[len(prefix):])
    }
