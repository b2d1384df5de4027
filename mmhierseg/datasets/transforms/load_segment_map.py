"""Segment maps from PNG files."""

import io
import os.path as osp
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmhierseg.registry import TRANSFORMS

from .attach import attach_segment_map
from .load_image import read_file, unreadable

#: Modes of Pillow that hold one integer per pixel.
_PLAIN_MODES = ('1', 'L', 'P', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


@TRANSFORMS.register_module()
class LoadSegmentMap(BaseTransform):
    """Load the over-segmentation of an image from a PNG.

    Three kinds of file are understood: grey values of 8 or 16 bits, palette
    indices, and colours that stand for the number R + 256 G + 65536 B.

    The map goes into ``results['segment_map']`` and is carried along by the
    transforms that treat ``seg_fields``: MMSegmentation's Resize,
    RandomResize, ResizeShortestEdge, RandomCrop and RandomFlip. At the end of
    the pipeline :class:`AttachSegmentMap` makes it a part of the image; with
    ``attach=True`` that happens at once, for pipelines without such
    transforms. The geometric transforms of MMPretrain and MMCV leave the map
    behind: :class:`AttachSegmentMap` says so where it can tell (another size,
    a flip). MMSegmentation's RandomRotate fills the corners with the ignored
    class (``seg_pad_val``), which in a segment map is just another segment.

    Required Keys:

    - img_path, or segment_map_path
    - img (optional): if there, the map must have its size.

    Added Keys:

    - segment_map: (H, W) int32, -1 = no segment (unless ``attach``).

    Modified Keys:

    - seg_fields (unless ``attach``)
    - img (if ``attach``)

    Args:
        map_prefix (str, optional): Folder of the maps, for samples without a
            ``segment_map_path``. Defaults to None.
        img_prefix (str, optional): Folder that ``img_path`` starts with; what
            follows it is looked up under ``map_prefix``. Defaults to None,
            which means that all maps lie in ``map_prefix`` itself.
        suffix (str): What the image's extension is replaced by.
            Defaults to '.png'.
        ignore_label (int, optional): Value in the file that means "no
            segment". Defaults to None.
        attach (bool): Whether to make the map a part of the image at once.
            Defaults to False.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.

    Raises:
        ValueError: If ``img_prefix`` is given without ``map_prefix``.
    """

    def __init__(self,
                 map_prefix: Optional[str] = None,
                 img_prefix: Optional[str] = None,
                 suffix: str = '.png',
                 ignore_label: Optional[int] = None,
                 attach: bool = False,
                 backend_args: Optional[dict] = None) -> None:
        if img_prefix is not None and map_prefix is None:
            raise ValueError('`img_prefix` needs `map_prefix`, the folder '
                             'of the maps, but that is None')
        self.map_prefix = map_prefix
        self.img_prefix = img_prefix
        self.suffix = suffix
        self.ignore_label = ignore_label
        self.attach = attach
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load the map of ``results['img_path']``.

        Args:
            results (dict): Result dict of the pipeline.

        Returns:
            dict: The updated result dict.

        Raises:
            FileNotFoundError: If there is no map.
            ValueError: If it cannot be read, holds no labels, does not have
                the size of the image, or its place is not known.
        """
        path = self._find(results)
        labels = decode_segment_map(
            read_file(path, 'segment map', self.backend_args), path)
        if self.ignore_label is not None:
            labels[labels == self.ignore_label] = -1
        if 'img' in results and labels.shape != results['img'].shape[:2]:
            raise ValueError(
                f"segment map '{path}' is {labels.shape[0]} x "
                f'{labels.shape[1]} but its image '
                f"'{results.get('img_path')}' "
                f"{results['img'].shape[0]} x {results['img'].shape[1]}: "
                'make the map from this image, and load it before any '
                'transform that changes the size')
        if self.attach:
            results['img'] = attach_segment_map(results['img'], labels)
        else:
            results['segment_map'] = labels
            # Not in place: the list may belong to the data set.
            results['seg_fields'] = [*results.get('seg_fields', ()),
                                     'segment_map']
        return results

    def _find(self, results: dict) -> str:
        """Path of the map."""
        if results.get('segment_map_path') is not None:
            return results['segment_map_path']
        if self.map_prefix is None:
            raise ValueError(
                "`results` has no 'segment_map_path' and `map_prefix` is "
                'None: give LoadSegmentMap(map_prefix=...), the folder of '
                'the maps')
        path = results['img_path']
        if self.img_prefix is None:
            name = osp.basename(path)
        else:
            name = osp.relpath(path, self.img_prefix)
            if name.startswith(osp.pardir):
                raise ValueError(f"image '{path}' is not in `img_prefix` "
                                 f"'{self.img_prefix}', so its map cannot be "
                                 'found under `map_prefix`')
        return osp.join(self.map_prefix, osp.splitext(name)[0] + self.suffix)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(map_prefix={self.map_prefix!r}, '
                f'img_prefix={self.img_prefix!r}, suffix={self.suffix!r}, '
                f'ignore_label={self.ignore_label}, attach={self.attach}, '
                f'backend_args={self.backend_args})')


def decode_segment_map(content: bytes, path: str) -> np.ndarray:
    """Decode a PNG of segment labels.

    Args:
        content (bytes): The file.
        path (str): Where it comes from, for the messages.

    Returns:
        np.ndarray: (H, W) int32, 0 to 2^24 - 1.

    Raises:
        ValueError: If the file is unreadable or truncated, or its pixels are
            no labels.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            pixels = np.asarray(image)
            mode, kind = image.mode, image.format
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(unreadable(path, 'segment map', error)) from error
    if kind != 'PNG':
        raise ValueError(f"segment map '{path}' must be a PNG, which keeps "
                         f'labels as they are, got {kind}')
    if mode in _PLAIN_MODES:
        return pixels.astype(np.int32)
    if mode == 'RGB':
        red, green, blue = np.moveaxis(pixels.astype(np.int32), 2, 0)
        return red + 256 * green + 65536 * blue
    raise ValueError(
        f"segment map '{path}' has pixels of mode {mode!r}; expected labels "
        'as grey values of 8 or 16 bits, palette indices or RGB '
        '(R + 256 G + 65536 B) without transparency')
