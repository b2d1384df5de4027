"""Segment maps as PNG, without loss: one integer label per pixel."""

import io
import os.path as osp

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import (
    MissingFileError,
    check_annotated,
    decode_labels,
    load_labels,
    upright_mark,
)
from .attach import LABEL_LIMIT, add_segment_map

#: Modes of Pillow that hold one integer per pixel.
_PLAIN_MODES = ('1', 'L', 'P', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


@TRANSFORMS.register_module()
class LoadSegmentMap(BaseTransform):
    """Load the over-segmentation of an image from a PNG.

    ``tools/dataset_converters/generate_oversegmentation.py`` writes such
    PNGs; those that HSG's authors publish are read as they are. Accepted are
    grey values of 8 or 16 bits, palette indices, and colours that stand for
    the number R + 256 G + 65536 B. Every number is a segment, 255 as well.

    The map is carried along by the transforms that treat ``seg_fields``:
    MMSegmentation's Resize, RandomResize, ResizeShortestEdge, RandomCrop and
    RandomFlip. At the end of the pipeline :class:`AttachSegmentMap` makes it a
    part of the image. The geometric transforms of MMPretrain and MMCV leave
    the map behind, which :class:`AttachSegmentMap` reports where it can detect
    it (another size, a flip). MMSegmentation's RandomRotate fills the corners
    with the ignored class (``seg_pad_val``), just another segment here.

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
        suffix (str): Replaces the image's extension. Defaults to '.png'.
        ignore_label (int, optional): Value in the file that means "no
            segment". Defaults to None.
        attach (bool): Whether to make the map a part of the image at once,
            for pipelines without such transforms. Defaults to False.
        annotated (str, optional): See :class:`LoadLabelMap`.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.

    Raises:
        UserError: If ``img_prefix`` is given without ``map_prefix``.
    """

    def __init__(self,
                 map_prefix: str | None = None,
                 img_prefix: str | None = None,
                 suffix: str = '.png',
                 ignore_label: int | None = None,
                 attach: bool = False,
                 annotated: str | None = None,
                 backend_args: dict | None = None) -> None:
        if img_prefix is not None and map_prefix is None:
            raise UserError('`img_prefix` needs `map_prefix`, the folder '
                            'of the maps, but that is None')
        self.map_prefix = map_prefix
        self.img_prefix = img_prefix
        self.suffix = suffix
        self.ignore_label = ignore_label
        self.attach = attach
        self.annotated = check_annotated(annotated)
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load the map of ``results['img_path']``."""
        path = self._find(results)
        image = dict(results)
        if 'img' in results:
            image['ori_shape'] = results['img'].shape[:2]
        try:
            labels = load_labels(path, 'segment map', image, _integers,
                                 self.annotated, self.backend_args)
        except MissingFileError as error:
            raise MissingFileError(
                f"segment map '{path}' of image '{results.get('img_path')}' "
                'does not exist: check `map_prefix` and `img_prefix`; '
                'tools/dataset_converters/generate_oversegmentation.py makes '
                'the maps of a folder of images, and with --resume the '
                'missing ones') from error
        if self.ignore_label is not None:
            labels[labels == self.ignore_label] = -1
            if (labels < 0).all():
                raise UserError(
                    f"segment map '{path}' has no segment: all of its pixels "
                    f'are `ignore_label` {self.ignore_label}. Make the map '
                    'again, or remove it and its image from the dataset')
        return add_segment_map(results, labels, self.attach)

    def _find(self, results: dict) -> str:
        if results.get('segment_map_path') is not None:
            return results['segment_map_path']
        if self.map_prefix is None:
            raise UserError(
                "`results` has no 'segment_map_path' and `map_prefix` is "
                'None: give LoadSegmentMap(map_prefix=...)')
        path = results['img_path']
        if self.img_prefix is None:
            name = osp.basename(path)
        else:
            name = osp.relpath(path, self.img_prefix)
            if name.startswith(osp.pardir):
                raise UserError(f"image '{path}' is not in `img_prefix` "
                                f"'{self.img_prefix}', so its map cannot be "
                                'found under `map_prefix`')
        return osp.join(self.map_prefix, osp.splitext(name)[0] + self.suffix)


def encode_segment_map(labels: np.ndarray) -> bytes:
    """Encode segment labels, 0 to 2^24 - 1, as a PNG.

    Grey of 16 bits, or RGB with labels R + 256 G + 65536 B if there are more.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= LABEL_LIMIT:
        raise ValueError(f'`labels` must be from 0 to {LABEL_LIMIT - 1} '
                         f'(2^24 - 1), got {low} to {high}: number the '
                         'segments of each image from 0')
    if high < 2**16:
        pixels = labels.astype(np.uint16)
    else:
        pixels = np.stack([labels >> shift & 255 for shift in (0, 8, 16)],
                          axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer, format='PNG', pnginfo=upright_mark())
    return buffer.getvalue()


def decode_segment_map(content: bytes, path: str) -> np.ndarray:
    """Decode a PNG of segment labels, (H, W) int32, 0 to 2^24 - 1."""
    return _integers(decode_labels(content, path, 'segment map'), path)


def _integers(png: Image.Image, path: str) -> np.ndarray:
    mode, kind = png.mode, png.format
    if kind != 'PNG':
        raise UserError(f"segment map '{path}' must be a PNG, which keeps "
                        f'labels as they are, got {kind}')
    pixels = np.asarray(png)
    if mode in _PLAIN_MODES:
        return pixels.astype(np.int32)
    if mode == 'RGB':
        red, green, blue = np.moveaxis(pixels.astype(np.int32), 2, 0)
        return red + 256 * green + 65536 * blue
    raise UserError(
        f"segment map '{path}' has pixels of mode {mode!r}; expected labels "
        'as grey values of 8 or 16 bits, palette indices or RGB '
        '(R + 256 G + 65536 B) without transparency')
