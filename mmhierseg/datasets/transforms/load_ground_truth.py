"""Semantic labels from KITTI-STEP's panoptic maps."""

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import add_seg_map, check_annotated, load_labels

#: Number of classes of Cityscapes, and the label of ignored pixels.
NUM_CLASSES, IGNORED = 19, 255


@TRANSFORMS.register_module()
class LoadPanopticMap(BaseTransform):
    """Load the semantic labels of a panoptic map of KITTI-STEP.

    The map is an RGB image of 8 bits: R is the class or 255, and 256 G + B
    the number of the instance. Takes the place of ``LoadAnnotations``.

    Required Keys:

    - seg_map_path
    - ori_shape (optional): if there, the map must have this size.
    - label_map (optional)

    Added Keys:

    - gt_seg_map: (H, W) uint8.

    Modified Keys:

    - seg_fields

    Args:
        annotated (str, optional): See :class:`LoadLabelMap`.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.
    """

    def __init__(self,
                 annotated: str | None = None,
                 backend_args: dict | None = None) -> None:
        self.annotated = check_annotated(annotated)
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        labels = load_labels(
            results['seg_map_path'], 'panoptic map', results, panoptic_classes,
            self.annotated, self.backend_args)
        return add_seg_map(results, labels)


def panoptic_classes(png: Image.Image, path: str) -> np.ndarray:
    """Semantic labels of a panoptic map, (H, W) uint8: a class or 255."""
    mode, kind = png.mode, png.format
    if kind != 'PNG' or mode != 'RGB':
        raise UserError(
            f"panoptic map '{path}' must be a PNG of mode RGB (R = class, "
            f'256 G + B = instance), got {kind} of mode {mode}; label PNGs, '
            'which hold classes only, are read by LoadAnnotations')
    labels = np.array(png.getchannel('R'))
    wrong = np.unique(labels[(labels >= NUM_CLASSES) & (labels != IGNORED)])
    if wrong.size:
        raise UserError(
            f"panoptic map '{path}' has {wrong[:5].tolist()} in R, where the "
            f'class is expected: 0 to {NUM_CLASSES - 1}, or {IGNORED}. It '
            'may be encoded in another way')
    return labels
