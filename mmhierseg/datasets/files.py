"""Read the files of a dataset; errors name the file and the remedy."""

import codecs
import os.path as osp
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import mmengine.fileio as fileio
import numpy as np
from mmengine.dataset import BaseDataset
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmhierseg._base import image_files
from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import (
    MAX_LABEL_PIXELS,
    image_header,
    open_image,
    turn_upright,
)


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder of a dataset does not exist."""


def read_file(path: str, what: str, backend_args: dict | None = None) -> bytes:
    """Read a file, which is a ``what``, through MMEngine's file backends."""
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{what} '{path}' does not exist: check `data_root`, "
            '`data_prefix` and the list of files in the config') from error
    except OSError as error:
        raise unreadable(path, what, error) from error
    if not content:
        raise unreadable(path, what, 'it is empty')
    return content


def unreadable(path: str, what: str, reason: object) -> UserError:
    """Make the error for a file that cannot be read."""
    return UserError(f"{what} '{path}' cannot be read ({reason}): replace "
                     'the file, or remove it from the dataset')


def decode_labels(
        content: bytes,
        path: str,
        what: str,
        image: tuple[str | None, tuple[int, ...]] | None = None
) -> Image.Image:
    """Open an image of labels without conversion; reject a damaged one.

    ``image`` is the path and (H, W) of the labelled image. Labels of another
    size, upright or turned, are rejected before they are decoded.
    """
    try:
        labels = open_image(content, MAX_LABEL_PIXELS)
        if image is not None and sorted(labels.size) != sorted(image[1]):
            check_size(f"{what} '{path}'", labels.size[::-1], *image)
        labels.load()
    except UserError:
        raise
    except Exception as error:
        raise unreadable(path, what, error) from error
    return labels


def load_labels(path: str,
                what: str,
                results: dict,
                convert: Callable[[Image.Image, str], np.ndarray],
                annotated: str | None = None,
                backend_args: dict | None = None) -> np.ndarray:
    """Load the labels of an image, (H, W), upright as the image is.

    ``results`` are of the image, see :func:`match_image`; ``convert`` makes
    labels of what Pillow reads and the path.
    """
    content = read_file(path, what, backend_args)
    size = results.get('ori_shape')
    png = decode_labels(
        content, path, what,
        None if size is None else (results.get('img_path'), size[:2]))
    # As the PNGs that this project writes say.
    if png.info.get('Orientation') == 'upright':
        annotated = 'upright'
    return match_image(
        convert(png, path), results, f"{what} '{path}'", annotated,
        backend_args)


def upright_mark() -> PngInfo:
    """Text in the PNGs that this project writes, which are upright."""
    info = PngInfo()
    info.add_text('Orientation', 'upright')
    return info


def check_annotated(annotated: str | None) -> str | None:
    """Check and return the option that :func:`match_image` takes."""
    if annotated not in (None, 'stored', 'upright'):
        raise UserError("`annotated` must be 'stored', 'upright' or None, got "
                        f'{annotated!r}')
    return annotated


def read_header(path: str, backend_args: dict | None = None) -> dict:
    """Size and orientation of an image as :class:`LoadImage` adds them."""
    content = read_file(path, 'image', backend_args)
    try:
        size, orientation = image_header(content)
    except Exception as error:
        raise unreadable(path, 'image', error) from error
    return dict(img_path=path, ori_shape=size, exif_orientation=orientation)


def match_image(labels: np.ndarray,
                results: dict,
                name: str,
                annotated: str | None = None,
                backend_args: dict | None = None) -> np.ndarray:
    """Turn labels, (H, W), upright as their image is, by its EXIF.

    Labels may match the image as it is stored or turned upright. Their size
    decides; where it cannot (square, mirrored or upside-down images),
    ``annotated``, 'stored' or 'upright', does.
    """
    path, size = results.get('img_path'), results.get('ori_shape')
    orientation = results.get('exif_orientation')
    if orientation is None and path:  # Not loaded, or by another transform.
        with suppress(UserError):  # There need not be a file.
            header = read_header(path, backend_args)
            orientation, size = header['exif_orientation'], (
                size or header['ori_shape'])
    orientation, shape = orientation or 1, labels.shape
    if orientation > 4 and size is not None and size[0] != size[1]:
        is_stored = shape == (size[1], size[0])
    elif orientation > 1 and annotated is None:
        raise UserError(
            f"{name} may match its image '{path}' as it is stored or turned "
            f"upright: it has EXIF orientation {orientation}, and the sizes "
            "do not decide. Choose by annotated='stored' or 'upright'")
    else:
        is_stored = orientation > 1 and annotated == 'stored'
    if is_stored:
        labels = np.ascontiguousarray(turn_upright(labels, orientation))
    # An image may be annotated after it has been resized.
    if size is not None:
        check_size(name, labels.shape, path, size[:2])
    return labels


def check_size(name: str, size: tuple[int, ...], image_path: str | None,
               image_size: tuple[int, ...]) -> None:
    """Check that a label map has the size (H, W) of its image."""
    if tuple(size) != tuple(image_size):
        raise UserError(
            f"{name} is {size[0]} x {size[1]} but its image '{image_path}' "
            f'{image_size[0]} x {image_size[1]}: the two do not belong '
            'together')


def list_files(folder: str,
               hint: str,
               suffix: str = '',
               backend_args: dict | None = None) -> list[str]:
    """List the files below a folder, without suffix: sorted, relative."""
    if not fileio.isdir(folder, backend_args=backend_args):
        raise MissingFileError(f"there is no folder '{folder}': {hint}")
    if backend_args is None and '://' not in folder:
        names = image_files.list_files(folder)
    else:
        found = fileio.list_dir_or_file(
            folder,
            list_dir=False,
            recursive=True,
            backend_args=backend_args)
        names = sorted(name.replace('\\', '/') for name in found)
    return [name[:len(name) - len(suffix)] for name in names
            if name.endswith(suffix)]


def read_list(path: str,
              what: str = 'list',
              backend_args: dict | None = None) -> list[str]:
    """Read the lines of a text file, stripped; empty ones are left out.

    Byte order marks and the line endings of any system are accepted.
    """
    content = read_file(path, what, backend_args)
    is_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode('utf-16' if is_16 else 'utf-8-sig')
    except UnicodeDecodeError as error:
        raise unreadable(path, what, error) from error
    if '\0' in text:
        raise unreadable(path, what, 'it is not in UTF-8')
    lines = re.split('\r\n|\r|\n', text)
    return [line.strip() for line in lines if line.strip()]


def make_samples(dataset: BaseDataset, names: Iterable[str]) -> list[dict]:
    """Samples of one of MMSegmentation's datasets, as it would list them."""
    prefix = dataset.data_prefix
    folders = dict(img_path=(prefix['img_path'], dataset.img_suffix))
    if prefix.get('seg_map_path') is not None:
        folders['seg_map_path'] = (
            prefix['seg_map_path'], dataset.seg_map_suffix)
    return [
        dict(
            label_map=dataset.label_map,
            reduce_zero_label=dataset.reduce_zero_label,
            seg_fields=[],
            **{key: osp.join(folder, name + suffix)
               for key, (folder, suffix) in folders.items()})
        for name in names
    ]


def list_pairs(dataset: BaseDataset) -> list[dict]:
    """Samples of a dataset, with a label map for each image, and vice versa.

    A list of images may leave out images and maps.
    """
    folder = dataset.data_prefix['img_path']
    images = maps = list_names(dataset, folder, dataset.img_suffix)
    map_folder = dataset.data_prefix.get('seg_map_path')
    if map_folder is not None:
        maps = list_names(dataset, map_folder, dataset.seg_map_suffix)
    chosen = images if not dataset.ann_file else read_list(
        dataset.ann_file, 'list of images', dataset.backend_args)
    check_pairs(chosen, images, maps, folder, map_folder or '',
                check_others=not dataset.ann_file)
    return make_samples(dataset, chosen)


def list_names(dataset: BaseDataset, folder: str, suffix: str) -> list[str]:
    """Names of the files below a folder of a dataset, without suffix."""
    hint = 'check `data_root`, `data_prefix` and `split` of the dataset'
    return list_files(folder, hint, suffix, dataset.backend_args)


def check_pairs(chosen: Collection[str],
                images: Iterable[str],
                maps: Iterable[str],
                image_folder: str,
                map_folder: str,
                check_others: bool = True) -> None:
    """Check that images and label maps, without suffix, are in pairs.

    ``chosen`` are read; with ``check_others``, maps without image are errors.
    """
    if not chosen:
        raise UserError(f"there is no image in '{image_folder}', or the list "
                        'of images is empty')
    images, maps = set(images), set(maps)
    lacking = [name for name in chosen if name not in images]
    if lacking:
        raise MissingFileError(
            f"{some(lacking)} of the list of images is not in "
            f"'{image_folder}': correct the list, or add the image")
    lonely = sorted(maps - images) if check_others else []
    for names, total, one, other in (
        ([name for name in chosen if name not in maps], len(chosen), 'image',
         'label map'), (lonely, len(maps), 'label map', 'image')):
        if names:
            has = 'has' if len(names) == 1 else 'have'
            raise MissingFileError(
                f'{len(names)} of {total} {one}s {has} no {other}: '
                f"{some(names)} (images in '{image_folder}', maps in "
                f"'{map_folder}'). Add what is missing, or remove the "
                f'{one.split()[-1]}')


def some(names: list[str]) -> str:
    """Name the first five of a list, and count the others."""
    more = f' and {len(names) - 5} more' if len(names) > 5 else ''
    return ', '.join(names[:5]) + more


def add_seg_map(results: dict, labels: np.ndarray) -> dict:
    """Put ground truth, (H, W) uint8, where MMSegmentation looks for it."""
    if results.get('label_map') is not None:
        # All at once: a new id may be the old id of another class.
        table = np.arange(256, dtype=np.uint8)
        for old, new in results['label_map'].items():
            table[old] = new
        labels = table[labels]
    results['gt_seg_map'] = labels
    # Not in place: the list may belong to the dataset.
    results['seg_fields'] = [*results.get('seg_fields', ()), 'gt_seg_map']
    return results
