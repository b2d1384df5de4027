"""Image files: size, orientation, checksums, and the files of a folder.

Functions raise ValueError with the reason, or what Pillow does, which for
damaged files may be any exception; callers name the file.
"""

import errno
import io
import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmhierseg._base.errors import UserError

__all__ = [
    'IMAGE_SUFFIXES', 'MAX_LABEL_PIXELS', 'MAX_PIXELS', 'ImageHeader',
    'check_pixels', 'check_png', 'image_header', 'jpeg_frame', 'list_files',
    'load_upright', 'open_image', 'turn_upright'
]

#: Suffixes of the images that are taken out of a folder, in lower case.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif',
                  '.tiff', '.webp')
#: Limits to pictures and to label maps, unless ``MMHIERSEG_MAX_PIXELS`` in the
#: environment sets another.
MAX_PIXELS, MAX_LABEL_PIXELS = 2**27, 2**30
_VARIABLE = 'MMHIERSEG_MAX_PIXELS'

_PNG, _JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8'
_ORIENTATION = 0x0112
# Pillow's `Image.Transpose` for each orientation.
_TRANSPOSE = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2)))


class ImageHeader(NamedTuple):
    """Size (H, W) of an upright image, and its EXIF orientation.

    The orientation is 1 to 8; 1 = stored upright, 5 to 8 swap height and
    width.
    """

    size: tuple[int, int]
    orientation: int


def image_header(content: bytes) -> ImageHeader:
    """Size and orientation of an image file, which is not decoded.

    Whatever reads images agrees with this. Images that are too large raise
    ValueError.
    """
    size = None
    if content.startswith(_JPEG):
        size, scan = jpeg_frame(content)
        head, marks = content[:scan], (b'Exif\0', b'Orientation')
    elif content.startswith(_PNG) and len(content) >= 24:
        size = struct.unpack('>II', content[16:24])[::-1]
        head = content
        marks = (b'eXIf', b'Raw profile type ', b'XML:com.adobe.xmp')
    if size is not None and not any(mark in head for mark in marks):
        check_pixels(size)
        return ImageHeader(size, 1)
    image = open_image(content)
    orientation = _orientation(image)
    # Pillow gives a TIFF's size upright.
    swap = orientation > 4 and image.format != 'TIFF'
    return ImageHeader(image.size if swap else image.size[::-1], orientation)


def check_pixels(size: tuple[int, int], limit: int = MAX_PIXELS) -> None:
    """Refuse an image, (H, W), that would take too much memory."""
    limit = _pixel_limit(limit)
    if size[0] * size[1] > limit:
        raise ValueError(
            f'it has {size[0]} x {size[1]} pixels, more than {limit}, and '
            'could exhaust the memory; if you trust it, set '
            f'{_VARIABLE}={size[0] * size[1]} in the environment')


def _pixel_limit(limit: int) -> int:
    text = os.environ.get(_VARIABLE, '').strip()
    if not text:
        return limit
    if not text.isdecimal():
        raise UserError(f'{_VARIABLE} in the environment must be a number of '
                        f'pixels, got {text!r}')
    # Some formats check Pillow's own limit, for all of the process.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(text))
    return int(text)


def check_png(content: bytes) -> None:
    """Check that a PNG is complete and its checksums are right.

    Pillow ignores the checksum of the pixels: it would read wrong labels from
    a damaged file.
    """
    view, position, kind = memoryview(content), len(_PNG), b''
    while kind != b'IEND':
        length = int.from_bytes(view[position:position + 4], 'big')
        end = position + length + 12
        if end > len(content):
            raise ValueError('it is truncated')
        kind = bytes(view[position + 4:position + 8])
        found = int.from_bytes(view[end - 4:end], 'big')
        if zlib.crc32(view[position + 4:end - 4]) != found:
            raise ValueError('it is damaged: a checksum is wrong')
        position = end


def open_image(content: bytes, limit: int = MAX_PIXELS) -> Image.Image:
    """Pillow's ``open`` with this module's limit and checks of a PNG."""
    limit = _pixel_limit(limit)
    if content.startswith(_PNG):
        check_png(content)
    for prepare in (Image.preinit, Image.init):
        prepare()
        for factory, accepts in map(Image.OPEN.get, Image.ID):
            accepted = not accepts or accepts(content[:16])
            # A text says what the installed Pillow lacks.
            if not accepted or isinstance(accepted, str):
                continue
            try:
                image = factory(io.BytesIO(content), '')
            except (SyntaxError, IndexError, TypeError, KeyError, EOFError,
                    struct.error):
                continue
            check_pixels(image.size[::-1], limit)
            return image
    raise UnidentifiedImageError('cannot identify its format')


def load_upright(content: bytes) -> Image.Image:
    """Decode an image and turn it upright; ``format`` is kept."""
    image = open_image(content)
    kind, orientation = image.format, _orientation(image)
    image.load()
    if orientation > 1 and kind != 'TIFF':  # Pillow has turned a TIFF.
        image = image.transpose(_TRANSPOSE[orientation])
        image.format = kind
    return image


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an array (H, W, ...) as an image of this orientation is turned."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return array[::rows, ::columns]


def jpeg_frame(content: bytes) -> tuple[tuple[int, int] | None, int]:
    """Size (H, W) in a JPEG's header, and where its scan begins."""
    size, position = None, 2
    while 0 <= position < len(content) - 3:
        marker = content[position + 1]
        if content[position] != 0xff or marker == 0xda:
            break
        if marker == 0xff:  # Fill bytes may precede a marker.
            position += 1
            continue
        if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
            fields = content[position + 5:position + 9]
            size = struct.unpack('>HH', fields) if len(fields) == 4 else None
        position += 2 + int.from_bytes(content[position + 2:position + 4],
                                       'big')
    return size, position


def list_files(folder: str | os.PathLike,
               suffixes: str | tuple[str, ...] = '',
               exclude: str | os.PathLike | None = None) -> list[str]:
    """List the files below a folder: sorted, relative, with '/'.

    Links are followed, except back to a folder above. Hidden files and
    folders are left out.

    Args:
        folder (str | os.PathLike): An existing folder.
        suffixes (str | tuple[str, ...]): In lower case; files with upper
            case are found, too. Defaults to '', all files.
        exclude (str | os.PathLike, optional): Folder below it to leave out.

    Raises:
        UserError: If a folder cannot be read, or a link is broken.
    """
    found = _walk(os.fspath(folder), '', suffixes, frozenset(), exclude)
    return sorted(found)


def _walk(folder: str, prefix: str, suffixes: str | tuple[str, ...],
          above: frozenset[str],
          exclude: str | os.PathLike | None) -> Iterator[str]:
    here = os.path.realpath(folder)
    is_excluded = prefix and exclude and here == os.path.realpath(exclude)
    if here in above or is_excluded:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f'folder {folder!r} cannot be read: {error}: correct '
                        'its permissions, or remove it') from error
    for entry in entries:
        if entry.name.startswith('.'):
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:
            if error.errno == errno.ELOOP:
                continue  # Links that lead to each other have no files.
            is_folder = is_file = False
        name = prefix + entry.name
        if is_folder:
            yield from _walk(entry.path, f'{name}/', suffixes, above | {here},
                             exclude)
        elif is_file:
            if name.lower().endswith(suffixes):
                yield name
        elif not os.path.exists(entry.path):
            raise UserError(f'link {entry.path!r} is broken: restore its '
                            'target, or remove it')


def _orientation(image: Image.Image) -> int:
    """Orientation in EXIF, 1 where there is none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Damaged EXIF fails in many ways.
        return 1
    return value if value in _TRANSPOSE else 1
