"""Semantic labels from KITTI-STEP's panoptic maps."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import decode_image, read_file
from .seg_map import add_seg_map

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
        num_classes (int): Number of classes that R may name.
            Defaults to 19.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.
    """

    def __init__(self,
                 num_classes: int = NUM_CLASSES,
                 backend_args: dict | None = None) -> None:
        self.num_classes = num_classes
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``.

        Raises:
            MissingFileError: If there is no map.
            UserError: If it is no panoptic map, or not of the image's size.
        """
        path = results['seg_map_path']
        labels = decode_panoptic_map(
            read_file(path, 'panoptic map', self.backend_args), path,
            self.num_classes)
        return add_seg_map(results, labels, f"panoptic map '{path}'")

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_classes={self.num_classes}, '
                f'backend_args={self.backend_args})')


def decode_panoptic_map(content: bytes,
                        path: str,
                        num_classes: int = NUM_CLASSES) -> np.ndarray:
    """Semantic labels of a panoptic map, (H, W) uint8: a class or 255.

    Raises:
        UserError: If the file is unreadable or truncated, no PNG of RGB, or
            names a class that does not exist.
    """
    pixels, mode, kind = decode_image(content, path, 'panoptic map')
    if kind != 'PNG' or mode != 'RGB':
        raise UserError(
            f"panoptic map '{path}' must be a PNG of mode RGB (R = class, "
            f'256 G + B = instance), got {kind} of mode {mode}; label PNGs, '
            'which hold classes only, are read by LoadAnnotations')
    labels = np.ascontiguousarray(pixels[..., 0])
    wrong = np.unique(labels[(labels >= num_classes) & (labels != IGNORED)])
    if wrong.size:
        raise UserError(
            f"panoptic map '{path}' has {wrong[:5].tolist()} in R, where the "
            f'class is expected: 0 to {num_classes - 1}, or {IGNORED}. It '
            'may be encoded in another way')
    return labels
