"""Image files: size, orientation, checksums, and the files of a folder.

Functions raise ValueError with the reason; callers name the file.
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

#: Suffixes of image files in a folder, in lower case.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif',
                  '.tiff', '.webp')
#: Limits for pictures and for label maps; the environment variable
#: ``MMHIERSEG_MAX_PIXELS`` overrides both.
MAX_PIXELS, MAX_LABEL_PIXELS = 2**27, 2**30

_PNG, _JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8'
_ORIENTATION = 0x0112
_TRANSPOSE = {
    i: Image.Transpose[name]
    for i, name in enumerate(
        ('FLIP_LEFT_RIGHT', 'ROTATE_180', 'FLIP_TOP_BOTTOM', 'TRANSPOSE',
         'ROTATE_270', 'TRANSVERSE', 'ROTATE_90'), start=2)
}


class ImageHeader(NamedTuple):
    """Size and orientation of an image."""

    size: tuple[int, int]
    """(H, W) of the upright image."""
    orientation: int
    """Of EXIF, 1 to 8; 1 = stored upright, 5 to 8 swap height and width."""


def image_header(content: bytes) -> ImageHeader:
    """Size and orientation of an image file, without decoding it.

    Raises ValueError if the image is too large.
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
    """Refuse an image (H, W) that would take too much memory."""
    name = 'MMHIERSEG_MAX_PIXELS'
    limit = int(os.environ.get(name) or limit)
    if size[0] * size[1] > limit:
        raise ValueError(
            f'it has {size[0]} x {size[1]} pixels, more than {limit}, and '
            'could exhaust the memory; if you trust it, set '
            f'{name}={size[0] * size[1]} in the environment')


def check_png(content: bytes) -> None:
    """Check that a PNG is complete and that all checksums are right.

    Pillow ignores the checksum of the pixels and reads wrong labels.
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
    """List the files below a folder, sorted, as relative paths with '/'.

    ``suffixes`` are in lower case and match either case; the folder
    ``exclude`` and hidden files are left out. Links are followed, except to a
    folder above them. Raises UserError if a folder cannot be read or a link
    is broken.
    """
    skipped = {_identity(exclude)} if exclude and os.path.isdir(
        exclude) else set()
    return sorted(_walk(os.fspath(folder), '', suffixes, skipped))


def _identity(path: str | os.PathLike) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _walk(folder: str, prefix: str, suffixes: str | tuple[str, ...],
          above: set[tuple[int, int]]) -> Iterator[str]:
    try:
        here = _identity(folder)
        entries = [] if here in above else list(os.scandir(folder))
    except OSError as error:
        raise UserError(f'folder {folder!r} cannot be read: {error}: correct '
                        'its permissions, or remove it') from error
    for entry in entries:
        name, is_link = prefix + entry.name, entry.is_symlink()
        # The entry's own methods raise an error for links in a circle.
        if os.path.isdir(entry.path) if is_link else entry.is_dir():
            yield from _walk(entry.path, f'{name}/', suffixes, above | {here})
        elif entry.name.startswith('.'):
            continue
        elif os.path.isfile(entry.path) if is_link else entry.is_file():
            if name.lower().endswith(suffixes):
                yield name
        elif is_link and _is_dangling(entry.path):
            raise UserError(f'link {entry.path!r} is broken: restore its '
                            'target, or remove it')


def _is_dangling(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        # Links to each other have no files.
        return error.errno != errno.ELOOP
    return False


def _orientation(image: Image.Image) -> int:
    """Orientation in EXIF, 1 where there is none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Damaged EXIF fails in many ways.
        return 1
    return value if value in _TRANSPOSE else 1
