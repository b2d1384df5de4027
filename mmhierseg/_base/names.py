"""Names of the files that are written for each image."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ['dataset_names', 'output_names', 'printable', 'safe_name',
           'table_cell']

# Not allowed on some systems, or with a meaning in Markdown or HTML.
_UNSAFE = frozenset('\\/:*?"<>|`')
#: Bytes of one part of a path; with a suffix it must be below 256.
_LENGTH = 200


def output_names(paths: Iterable[str | os.PathLike],
                 root: str | os.PathLike | None = None,
                 keep_suffix: bool = False) -> dict[str, str]:
    """Give each image a unique name for its outputs.

    It is the image's path below a folder, without suffix unless two images
    differ in that only; characters that cannot be printed or could lead out
    of a folder are replaced.

    Args:
        paths (Iterable[str | os.PathLike]): Paths of the images.
        root (str | os.PathLike, optional): Folder of the images. Defaults to
            None, as if one of them lies elsewhere: the folder they share.
        keep_suffix (bool): Whether to keep all suffixes. Defaults to False.

    Returns:
        dict[str, str]: Names, with '/', by path. They do not depend on the
        order of the paths.

    Example:
        >>> output_names(['in/a/0.png', 'in/b/0.png', 'in/b/0.jpg'])
        {'in/a/0.png': 'a/0', 'in/b/0.jpg': 'b/0.jpg', 'in/b/0.png': 'b/0.png'}
    """
    paths = sorted({os.fspath(path) for path in paths})
    full = [os.path.abspath(path) for path in paths]
    root = os.path.join(os.path.abspath(root), '') if root else None
    if root is None or not all(path.startswith(root) for path in full):
        root = os.path.commonpath(map(os.path.dirname, full)) if full else '.'
    below = [os.path.relpath(path, root).replace(os.sep, '/') for path in full]
    counts = Counter(os.path.splitext(path)[0] for path in below)
    wanted = []
    for path, relative in zip(paths, below):
        stem = os.path.splitext(relative)[0]
        raw = relative if keep_suffix or counts[stem] > 1 else stem
        wanted.append((path, raw, '/'.join(map(safe_name, raw.split('/')))))
    names: dict[str, str] = {}
    taken: set[str] = set()
    # Names that need not be replaced are kept.
    for path, _, name in sorted(wanted, key=lambda item: item[1] != item[2]):
        unique, number = name, 1
        # Some file systems ignore case.
        while unique.casefold() in taken:
            number += 1
            unique = f'{name}_{number}'
        taken.add(unique.casefold())
        names[path] = unique
    return names


def dataset_names(dataset: Any, keep_suffix: bool = False) -> dict[str, str]:
    """:func:`output_names` of all images of one of MMEngine's datasets.

    Their paths are below the dataset's folder of images. Empty for a dataset
    that does not list paths.
    """
    try:
        paths = [dataset.get_data_info(i)['img_path']
                 for i in range(len(dataset))]
    except (AttributeError, KeyError, TypeError):
        return {}
    prefix = getattr(dataset, 'data_prefix', None)
    root = prefix.get('img_path') if isinstance(prefix, dict) else prefix
    return output_names(paths, root or None, keep_suffix)


def printable(text: object) -> str:
    """Escape what a terminal or a table cannot show, such as a new line."""
    return ''.join(
        char if char.isprintable() else char.encode(
            'unicode_escape', 'surrogatepass').decode()
        for char in str(text))


def table_cell(text: object) -> str:
    """Make a text a cell of a Markdown table."""
    return printable(text).replace('|', '\\|')


def safe_name(part: str) -> str:
    """Make a text one part of a path, and plain text in Markdown and HTML."""
    part = ''.join('_' if char in _UNSAFE or not char.isprintable() else char
                   for char in part)
    bare = part.lstrip('.')
    part = '_' * (len(part) - len(bare)) + bare
    return part.encode()[:_LENGTH].decode(errors='ignore')
