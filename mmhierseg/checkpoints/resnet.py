"""Find a ResNet in a checkpoint, whatever it is called there.

Inside, all ResNets have torchvision's names: ``conv1``, ``bn1``, ``layer1`` to
``layer4``. They differ in the prefix: none (torchvision, DenseCL),
``backbone.``, or ``encoder_q.`` (MoCo and its successors, such as Van
Gansbeke et al., NeurIPS 2021).
"""

import re
from collections.abc import Iterable

__all__ = ['resnet_names']

#: Parts of a ResNet; a classifier or projector behind it is not taken.
_PARTS = r'(?:conv1|bn1|layer\d)\.'
#: Encoders that follow another one, which is the one that was trained.
_FOLLOWERS = re.compile(r'(?:encoder_k|momentum|teacher|target|ema)')


def resnet_names(names: Iterable[str]) -> dict[str, str]:
    """Find the tensors of the ResNet among the names of a checkpoint.

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
        if re.match(re.escape(prefix) + _PARTS, name)
    }
