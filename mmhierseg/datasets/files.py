"""Read the files of a dataset; errors name the file and the remedy."""

import io
from collections.abc import Collection, Iterable

import mmengine.fileio as fileio
import numpy as np
from PIL import Image

from mmhierseg._base.errors import UserError


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


def decode_image(content: bytes, path: str,
                 what: str) -> tuple[np.ndarray, str, str]:
    """Pixels of an image of labels as they are, Pillow's mode, the format."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return np.asarray(image), image.mode, image.format
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, what, error) from error


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
               suffix: str | None = None,
               backend_args: dict | None = None) -> list[str]:
    """List the files below a folder: sorted, relative, with '/'."""
    if not fileio.isdir(folder, backend_args=backend_args):
        raise MissingFileError(f"there is no folder '{folder}': {hint}")
    names = fileio.list_dir_or_file(
        folder,
        list_dir=False,
        suffix=suffix,
        recursive=True,
        backend_args=backend_args)
    return sorted(name.replace('\\', '/') for name in names)


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


def add_seg_map(results: dict, labels: np.ndarray, name: str) -> dict:
    """Put ground truth, (H, W) uint8, where MMSegmentation looks for it."""
    # Ground truth may be loaded after the image has been resized.
    size = results.get('ori_shape')
    if size is not None:
        check_size(name, labels.shape, results.get('img_path'), size[:2])
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
