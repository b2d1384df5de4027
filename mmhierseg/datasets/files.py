"""Read the files of a dataset; errors name the file and the remedy."""

import codecs
import os.path as osp
import re
from collections.abc import Collection, Iterable
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
    """Read a file through MMEngine's file backends; ``what`` it holds."""
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
    """Decode an image of labels as they are; a damaged one is an error.

    ``image``, path and (H, W), is that of the labels; if the sizes differ,
    either way up, nothing is decoded.
    """
    try:
        labels = open_image(content, MAX_LABEL_PIXELS)
        if image is not None and sorted(labels.size) != sorted(image[1]):
            check_size(f"{what} '{path}'", labels.size[::-1], *image)
        labels.load()
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, what, error) from error
    return labels


def image_of(results: dict) -> tuple[str | None, tuple[int, ...]] | None:
    """Path and (H, W) of a loaded image, for :func:`decode_labels`."""
    size = results.get('ori_shape')
    return None if size is None else (results.get('img_path'), size[:2])


def is_marked_upright(labels: Image.Image) -> bool:
    """Whether a PNG says that it is of the upright image."""
    return labels.info.get('Orientation') == 'upright'


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
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, 'image', error) from error
    return dict(img_path=path, ori_shape=size, exif_orientation=orientation)


def match_image(labels: np.ndarray,
                results: dict,
                name: str,
                annotated: str | None = None,
                backend_args: dict | None = None) -> np.ndarray:
    """Turn labels, (H, W), upright as their image is, by its EXIF.

    Labels may be of the stored picture or of the upright one. Their size
    decides; where it cannot (a square, an image that is mirrored or upside
    down), ``annotated``, 'stored' or 'upright', does.
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
            f"{name} may be of the picture as it is stored or turned upright: "
            f"its image '{path}' has EXIF orientation {orientation}, and "
            "their sizes do not tell. Choose by annotated='stored' or "
            "'upright'")
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
    """List the files below a folder: sorted, relative, with '/'."""
    if not fileio.isdir(folder, backend_args=backend_args):
        raise MissingFileError(f"there is no folder '{folder}': {hint}")
    if backend_args is None and '://' not in str(folder):
        names = image_files.list_files(folder)
        return [name for name in names if name.endswith(suffix)]
    names = fileio.list_dir_or_file(
        folder,
        list_dir=False,
        suffix=suffix or None,
        recursive=True,
        backend_args=backend_args)
    return sorted(name.replace('\\', '/') for name in names)


def read_list(path: str,
              what: str = 'list',
              backend_args: dict | None = None) -> list[str]:
    """Read the lines of a text file, stripped; empty ones are left out.

    A byte order mark and the line ends of any system do not matter.
    """
    content = read_file(path, what, backend_args)
    is_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode('utf-16' if is_16 else 'utf-8-sig')
    except UnicodeDecodeError as error:
        raise unreadable(path, what, error) from error
    lines = re.split('\r\n|\r|\n', text)
    return [line.strip() for line in lines if line.strip()]


def list_samples(dataset: BaseDataset) -> list[dict]:
    """Samples of one of MMSegmentation's datasets, as it would list them.

    Its list is read by :func:`read_list`, its folder by :func:`list_files`.
    """
    folder = dataset.data_prefix['img_path']
    maps = dataset.data_prefix.get('seg_map_path')
    suffix, args = dataset.img_suffix, dataset.backend_args
    if dataset.ann_file:
        names = read_list(dataset.ann_file, 'list of images', args)
    else:
        names = [
            name[:-len(suffix)] for name in list_files(
                folder, 'check `data_root` and `data_prefix`', suffix, args)
        ]
    return [
        dict(
            img_path=osp.join(folder, name + suffix),
            **({} if maps is None else dict(
                seg_map_path=osp.join(maps, name + dataset.seg_map_suffix))),
            label_map=dataset.label_map,
            reduce_zero_label=dataset.reduce_zero_label,
            seg_fields=[]) for name in names
    ]


def list_pairs(dataset: BaseDataset) -> list[dict]:
    """:func:`list_samples`, with images and label maps looked for.

    Files that a list leaves out may well lack an image.
    """
    folder, suffix = dataset.data_prefix['img_path'], dataset.img_suffix
    images = maps = list_stems(dataset, folder, suffix)
    map_folder = dataset.data_prefix.get('seg_map_path')
    if map_folder is not None:
        maps = list_stems(dataset, map_folder, dataset.seg_map_suffix)
    infos = list_samples(dataset)
    chosen = [
        osp.relpath(info['img_path'], folder)[:-len(suffix)].replace('\\', '/')
        for info in infos
    ]
    check_pairs(chosen, images, maps, folder, map_folder or '',
                check_others=not dataset.ann_file)
    return infos


def list_stems(dataset: BaseDataset, folder: str, suffix: str) -> list[str]:
    """Names of the files below a folder, without their suffix."""
    hint = 'check `data_root`, `data_prefix` and `split` of the dataset'
    names = list_files(folder, hint, suffix, dataset.backend_args)
    return [name[:-len(suffix)] for name in names]


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
            raise MissingFileError(
                f'{len(names)} of {total} {one}s '
                f'{"has" if len(names) == 1 else "have"} no {other}: '
                f"{some(names)} (images in '{image_folder}', maps in "
                f"'{map_folder}'). Add what is missing, or remove the "
                f'{one.split()[-1]}')


def some(names: list[str]) -> str:
    """Name the first five of a list, and count the others."""
    more = f' and {len(names) - 5} more' if len(names) > 5 else ''
    return ', '.join(names[:5]) + more


def add_seg_map(results: dict,
                labels: np.ndarray,
                name: str,
                annotated: str | None = None,
                backend_args: dict | None = None) -> dict:
    """Put ground truth, (H, W) uint8, where MMSegmentation looks for it."""
    labels = match_image(labels, results, name, annotated, backend_args)
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
