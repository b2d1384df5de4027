"""Segmentations of an image by several people, as BSDS500 has them."""

import io

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from scipy.io import loadmat

from mmhierseg.registry import TRANSFORMS

from ..files import check_size, read_file, unreadable


@TRANSFORMS.register_module()
class LoadHumanSegmentations(BaseTransform):
    """Load the segmentations of all annotators of an image of BSDS500.

    MATLAB's ``groundTruth{k}.Segmentation`` numbers the regions of annotator
    k from 1. Nothing in the file is executed. Transforms that treat
    ``seg_fields`` resize, flip and crop the segmentations with the image.

    Required Keys:

    - seg_map_path
    - ori_shape (optional): if there, segmentations must have this size.

    Added Keys:

    - gt_segmentations: (H, W, A) uint16, of A annotators.

    Modified Keys:

    - seg_fields

    Args:
        backend_args (dict, optional): Arguments of MMEngine's file backend.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        path = results['seg_map_path']
        maps = decode_segmentations(
            read_file(path, 'ground truth', self.backend_args), path)
        if 'ori_shape' in results:
            check_size(f"ground truth '{path}'", maps.shape[:2],
                       results.get('img_path'), results['ori_shape'][:2])
        results['gt_segmentations'] = maps
        # Not in place: the list may belong to the dataset.
        results['seg_fields'] = [
            *results.get('seg_fields', ()), 'gt_segmentations'
        ]
        return results


def decode_segmentations(content: bytes, path: str) -> np.ndarray:
    """Segmentations in a MATLAB file of BSDS500, (H, W, A) uint16."""
    name = 'groundTruth'
    try:
        cells = loadmat(io.BytesIO(content), variable_names=[name])[name]
        maps = np.stack(
            [cell['Segmentation'].item() for cell in cells.flat], axis=2)
        if maps.ndim != 3 or maps.dtype not in (np.uint8, np.uint16):
            raise TypeError(f'got {maps.dtype} of shape {maps.shape}')
    except Exception as error:  # Damaged files fail in many ways.
        raise unreadable(
            path, 'ground truth', f'{error!r}; expected a cell array `{name}` '
            'of structs with `Segmentation`, (H, W) uint16, of one size'
        ) from error
    return maps.astype(np.uint16)


@TRANSFORMS.register_module()
class PackHumanSegmentations(PackSegInputs):
    """MMSegmentation's ``PackSegInputs``, with the annotators' segmentations.

    The data sample gets the field ``gt_segmentations``, a ``PixelData`` with
    (A, H, W) int64, of A annotators.

    Args: see ``PackSegInputs``.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``results``."""
        packed = super().transform(results)
        # OpenCV drops the axis of a single annotator.
        maps = np.atleast_3d(results['gt_segmentations']).transpose(2, 0, 1)
        packed['data_samples'].gt_segmentations = PixelData(
            data=torch.from_numpy(maps.astype(np.int64)))
        return packed
