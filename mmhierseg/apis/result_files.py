"""The files of results: arrays and plain data in one ``.npz``."""

import io
import json
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmhierseg._base.errors import UserError

#: Of the files.
FORMAT = 1


def write_result(path: str | os.PathLike, info: dict[str, Any],
                 image: np.ndarray | None, arrays: dict[str, np.ndarray],
                 lists: dict[str, Sequence[np.ndarray]]) -> None:
    """Write plain data, an image (H, W, 3) uint8, arrays, and lists of such.

    ``lists`` has names in the plural; each has entries ``name_0``, ...
    """
    arrays = dict(arrays)
    for name, values in lists.items():
        arrays.update({f'{name}_{i}': x for i, x in enumerate(values)})
    if image is not None:
        picture = io.BytesIO()
        Image.fromarray(image).save(picture, 'PNG')
        arrays['image'] = np.frombuffer(picture.getvalue(), np.uint8)
    arrays['info'] = np.array(json.dumps(dict(info, format=FORMAT)))
    np.savez_compressed(path, **arrays)


def read_result(path: str | os.PathLike, names: Sequence[str],
                list_names: Sequence[str]) -> tuple[
                    dict[str, Any], np.ndarray | None, list[np.ndarray],
                    list[list[np.ndarray]]]:
    """Read a file of :func:`write_result`: data, image, arrays and lists.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is another file, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            info = json.loads(str(data['info']))
            arrays = {key: data[key] for key in data.files}
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f'{str(path)!r} is not a file of '
                        f'`HierarchyResult.save`: {error}') from error
    if info.get('format') != FORMAT:
        raise UserError(f'{str(path)!r} is of version {info.get("format")} of '
                        f'the format; this package reads {FORMAT}')
    picture = arrays.get('image')
    image = None if picture is None else np.asarray(
        Image.open(io.BytesIO(picture.tobytes())))
    return (info, image, [arrays[name] for name in names],
            [_numbered(arrays, name) for name in list_names])


def _numbered(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f'{name}_') for key in arrays)
    return [arrays[f'{name}_{i}'] for i in range(count)]
