"""The mean IoU of a single image.

Legend: H x W pixels, C classes.
"""

import numpy as np

from .label_maps import LabelMap, as_label_maps, check_classes
from .regions import mean_iou


def per_image_miou(pred: LabelMap,
                   target: LabelMap,
                   num_classes: int,
                   ignore_index: int = 255) -> float:
    """Mean IoU over the classes that an image has in prediction or truth.

    No class is special: the background is one of them. The mean over the
    images of a dataset weighs each image alike, unlike :func:`mean_iou` of
    their summed matrices.

    Args:
        pred (np.ndarray | Tensor): Predicted classes, (H, W) integer in
            [0, C - 1]; anything where the truth is ignored.
        target (np.ndarray | Tensor): True classes, (H, W) integer in
            [0, C - 1] or ``ignore_index``.
        num_classes (int): C.
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1]; NaN if all pixels are ignored or there is none.

    Example:
        >>> pred = np.array([[0, 0, 1, 1]])
        >>> target = np.array([[0, 0, 0, 3]])
        >>> per_image_miou(pred, target, num_classes=5)  # (2/3 + 0 + 0) / 3
        0.2222222222222222
    """
    pred, target = as_label_maps(pred=pred, target=target)
    valid = target != ignore_index
    for name, labels in (('pred', pred), ('target', target)):
        check_classes(name, labels, valid, num_classes)
    pairs = target[valid] * num_classes + pred[valid]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return mean_iou(counts.reshape(num_classes, num_classes))
