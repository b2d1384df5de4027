"""A tree of classes: each class of a level has one parent at the next.

Legend: L levels, from fine to coarse; K_l classes at level l. A *path* is one
class per level: a finest class and its ancestors.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmhierseg._base.errors import UserError

__all__ = ['Taxonomy']


class Taxonomy(NamedTuple):
    """Classes of all levels, and the paths from fine to coarse.

    Made by :meth:`of`, :meth:`from_paths`, :meth:`load` or
    :meth:`from_folders`, which check that it is a tree. The same name may
    occur at several levels.
    """

    levels: tuple[str, ...]
    """Names of the L levels, from fine to coarse."""
    classes: tuple[tuple[str, ...], ...]
    """Names of the classes of each level, in order of first appearance."""
    paths: np.ndarray
    """(K_0, L) int64, classes of the path of each finest class."""

    @property
    def num_classes(self) -> tuple[int, ...]:
        """Number of classes of each level, (K_0, ..., K_{L-1})."""
        return tuple(map(len, self.classes))

    @classmethod
    def of(cls, source: 'str | PathLike | dict | Taxonomy') -> 'Taxonomy':
        """As configs name it.

        Args:
            source (str | PathLike | dict | Taxonomy): JSON file for
                :meth:`load`, or dict(root=..., levels=...) for
                :meth:`from_folders`.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, dict):
            return cls.from_folders(**source)
        return cls.load(source)

    @classmethod
    def from_paths(cls, paths: Iterable[Sequence[str]],
                   levels: Sequence[str]) -> 'Taxonomy':
        """From the names of the classes of every path.

        Args:
            paths (Iterable[Sequence[str]]): One path of L names, from fine to
                coarse, per finest class; their order is that of the labels.
            levels (Sequence[str]): Names of the levels, from fine to coarse.

        Raises:
            UserError: If a path has another number of levels, a finest class
                occurs twice, or a class has two parents.

        Example:
            >>> tree = Taxonomy.from_paths(
            ...     [('cat', 'animal'), ('car', 'artefact'),
            ...      ('dog', 'animal')], ('object', 'kind'))
            >>> tree.num_classes, tree.classes[1], tree.paths.tolist()
            ((3, 2), ('animal', 'artefact'), [[0, 0], [1, 1], [2, 0]])
        """
        paths, levels = list(map(tuple, paths)), tuple(levels)
        if not paths or not levels:
            raise UserError('a taxonomy needs at least one level and one '
                            f'class, got {len(levels)} and {len(paths)}')
        if len(set(levels)) < len(levels):
            raise UserError(f'levels must have different names, got {levels}')
        for path in paths:
            if len(path) != len(levels) or not all(
                    isinstance(name, str) and name for name in path):
                raise UserError(
                    f'each path must have a name for each of {levels}, got '
                    f'{path}')
        _check_tree(paths, levels)
        classes = tuple(tuple(dict.fromkeys(names)) for names in zip(*paths))
        index = [{name: i for i, name in enumerate(c)} for c in classes]
        return cls(levels, classes, np.array(
            [[i[name] for i, name in zip(index, path)] for path in paths],
            dtype=np.int64))

    @classmethod
    def load(cls, path: str | PathLike) -> 'Taxonomy':
        """From a JSON file.

        Args:
            path (str | PathLike): File with ``{"levels": [...], "tree":
                {...}}``: names of the levels, *fine to coarse*, and nested
                objects from coarse to fine with lists of the finest classes,
                such as ``{"levels": ["species", "order"], "tree": {"owls":
                ["barn owl", "snowy owl"]}}``.

        Raises:
            UserError: If the file is missing or not such a tree. (A circle
                cannot be written down in this form.)
        """
        try:
            content = json.loads(
                Path(path).read_text(), object_pairs_hook=_without_duplicates)
            if set(content) != {'levels', 'tree'}:
                raise UserError('expected the keys "levels" and "tree", got '
                                f'{sorted(content)}')
            levels = content['levels']
            return cls.from_paths(
                _walk(content['tree'], levels, ()), levels)
        except FileNotFoundError as error:
            raise UserError(f'there is no taxonomy {path}') from error
        except (ValueError, TypeError) as error:
            raise UserError(f'taxonomy {path}: {error}') from error

    @classmethod
    def from_folders(cls, root: str | PathLike,
                     levels: Sequence[str]) -> 'Taxonomy':
        """From folders ``coarse/.../fine``, such as family/genus/species.

        Args:
            root (str | PathLike): Folder of the coarsest classes' folders.
            levels (Sequence[str]): Names of the levels, from fine to coarse;
                their number is the depth of the folders that are read.

        Raises:
            UserError: As in :meth:`from_paths`, or if a folder of a coarser
                level, or ``root``, has no folders.
        """
        root = Path(root)
        found = [
            folder.relative_to(root).parts
            for folder in sorted(root.glob('/'.join('*' * len(levels))))
            if folder.is_dir()
        ]
        if not found:
            raise UserError(f'{root} has no folders at depth {len(levels)}, '
                            f'which are the classes of {tuple(levels)}')
        for depth in range(1, len(levels)):
            for folder in sorted(root.glob('/'.join('*' * depth))):
                if folder.is_dir() and not any(
                        child.is_dir() for child in folder.iterdir()):
                    raise UserError(f'{folder} needs folders of the level '
                                    f'{levels[-1 - depth]!r}')
        try:
            return cls.from_paths([names[::-1] for names in found], levels)
        except UserError as error:
            raise UserError(f'folders of {root}: {error}') from error

    def labels_of(self, names: Sequence[str]) -> np.ndarray:
        """(n,) int64, labels of finest classes by name.

        Raises:
            UserError: If names are missing in the taxonomy.
        """
        index = {name: i for i, name in enumerate(self.classes[0])}
        missing = [name for name in names if name not in index]
        if missing:
            raise UserError(
                f'{len(missing)} classes are missing in the taxonomy, at the '
                f'level {self.levels[0]!r}: {missing[:5]}')
        return np.array([index[name] for name in names], dtype=np.int64)


def _check_tree(paths: Sequence[tuple], levels: tuple) -> None:
    """Each finest class occurs once, each other one has one parent."""
    parents: dict = {}
    for path in paths:
        for level, (name, parent) in enumerate(zip(path, path[1:])):
            known = parents.setdefault((level, name), parent)
            if known != parent:
                raise UserError(f'the {levels[level]} {name!r} has two '
                                f'parents: {known!r} and {parent!r}')
    name, number = Counter(path[0] for path in paths).most_common(1)[0]
    if number > 1:
        raise UserError(f'the {levels[0]} {name!r} occurs more than once')


def _walk(node: Any, levels: Sequence[str],
          above: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Paths of a nested tree, from fine to coarse."""
    left = len(levels) - len(above)
    if left > 1 and isinstance(node, dict):
        for name, child in node.items():
            if not child:
                raise UserError(f'{name!r} is empty: it needs classes of the '
                                f'level {levels[left - 2]!r}')
            yield from _walk(child, levels, (name, *above))
    elif left == 1 and isinstance(node, list):
        for name in node:
            yield (name, *above)
    else:
        kind = 'an object' if left > 1 else 'a list'
        raise UserError(
            f'expected {kind} with classes of the level {levels[left - 1]!r} '
            f'in {above[0] if above else "tree"!r}, got '
            f'{type(node).__name__}')


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict:
    """A JSON object; the standard library keeps the last of equal names."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f'{twice!r} occurs twice in one object')
    return content
