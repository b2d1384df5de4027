"""Names of output files."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

# Not allowed on some systems, or special in Markdown or HTML.
_UNSAFE = frozenset('\\/:*?"<>|`')
#: Bytes of one part of a path, which must be below 256 with a suffix.
_LENGTH = 200


def output_names(paths: Iterable[str | os.PathLike],
                 root: str | os.PathLike | None = None,
                 keep_suffix: bool = False) -> dict[str, str]:
    """Give each image a unique name for its outputs.

    The name is the image's path, with '/', relative to ``root``, or to the
    common folder if any image lies elsewhere. Suffixes are left out, unless
    ``keep_suffix`` or two images differ in nothing else. Unprintable
    characters and those that could leave a folder are replaced. The order of
    the paths has no influence.

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
    # Names without replaced characters come first and are kept.
    for path, _, name in sorted(wanted, key=lambda item: item[1] != item[2]):
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f'{name}_{number}'
        taken.add(unique)
        names[path] = unique
    return names


def dataset_names(dataset: Any, keep_suffix: bool = False) -> dict[str, str]:
    """:func:`output_names` of an MMEngine dataset's images.

    Empty if the dataset does not list paths.
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
    """Escape unprintable characters, such as new lines."""
    return ''.join(
        char if char.isprintable() else char.encode(
            'unicode_escape', 'surrogatepass').decode()
        for char in str(text))


def table_cell(text: object) -> str:
    """Escape a text for a cell of a Markdown table."""
    return printable(text).replace('|', '\\|')


def safe_name(part: str) -> str:
    """Make a text safe as part of a path, in Markdown and in HTML."""
    part = ''.join('_' if char in _UNSAFE or not char.isprintable() else char
                   for char in part)
    bare = part.lstrip('.')
    part = '_' * (len(part) - len(bare)) + bare
    return part.encode()[:_LENGTH].decode(errors='ignore')
