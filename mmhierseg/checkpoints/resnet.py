"""Find a ResNet in a checkpoint, whatever it is called there.

Inside, all ResNets have torchvision's names, which are those of MMPretrain
and MMSegmentation, too: ``conv1``, ``bn1``, ``layer1`` to ``layer4``. They
differ in the prefix: none (torchvision, DenseCL), ``backbone.``, or
``encoder_q.`` (MoCo and its successors, as Van Gansbeke et al., NeurIPS 2021).
"""

import re
from collections.abc import Iterable

__all__ = ['resnet_names']

#: Parts of a ResNet; a classifier or projector behind it is not taken.
_PARTS = r'(?:conv1|bn1|layer\d)\.'
#: Encoders that follow another one, which is the one that was trained.
_FOLLOWERS = re.compile(r'(?:encoder_k|momentum|teacher|target|ema)')


def resnet_names(names: Iterable[str]) -> dict[str, str]:
    """Find the tensors of the ResNet of a checkpoint.

    Args:
        names (Iterable[str]): Names of all tensors.

    Returns:
        dict[str, str]: Name in the checkpoint -> name inside the ResNet; empty
        if there is none. Of an encoder and its momentum encoder the first is
        taken.

    Raises:
        ValueError: If there are several that no rule tells apart.

    Example:
        >>> resnet_names(['encoder_q.conv1.weight', 'encoder_q.fc.0.weight',
        ...               'encoder_q.layer1.0.conv1.weight', 'queue'])
        ... # doctest: +NORMALIZE_WHITESPACE
        {'encoder_q.conv1.weight': 'conv1.weight',
         'encoder_q.layer1.0.conv1.weight': 'layer1.0.conv1.weight'}
    """
    names = list(names)
    last = 'layer1.0.conv1.weight'
    prefixes = [name[:-len(last)] for name in names if name.endswith(last)]
    prefixes = [p for p in prefixes if f'{p}conv1.weight' in names]
    if len(prefixes) > 1:
        prefixes = [p for p in prefixes if not _FOLLOWERS.search(p)]
        if len(prefixes) != 1:
            raise ValueError(
                'the checkpoint must hold one ResNet, or one and its momentum '
                f'encoder, got several, under {sorted(prefixes)}: leave one '
                'of them in the file')
    if not prefixes:
        return {}
    prefix, = prefixes
    return {
        name: name[len(prefix):]
        for name in names if re.match(re.escape(prefix) + _PARTS, name)
    }
