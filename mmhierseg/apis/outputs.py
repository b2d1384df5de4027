"""Write the figures and label maps of images."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from mmhierseg._base.atomic import write_atomically
from mmhierseg.visualization.colors import level_colors

from .hierarchy_result import HierarchyResult
from .label_maps import coco_annotations
from .label_pngs import MAX_SEGMENTS, save_label_png


class OutputFolder:
    """A folder for the results of many images, created with the first file.

    Images of one name become ``cat``, ``cat_2``, ... ``label_format`` is
    'png', 'npz', 'coco' or None, no label maps; ``html`` adds pages.
    """

    def __init__(self,
                 path: str | Path,
                 label_format: str | None = None,
                 html: bool = False) -> None:
        if label_format not in (None, 'png', 'npz', 'coco'):
            raise ValueError(
                f"`save_labels` must be 'png', 'npz', 'coco' or None, got "
                f'{label_format!r}')
        self.html = html
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f'`out_dir` must be a folder, got {str(path)!r}')
        self.label_format = label_format
        self._names: set[str] = set()

    def write(self, name: str, figure: np.ndarray | None,
              label_maps: Sequence[np.ndarray],
              result: HierarchyResult | None = None) -> list[str]:
        """Write the results of one image; returns the paths."""
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f'{name}_{number}'
        self._names.add(unique)
        files = []
        if figure is not None:
            files.append(
                save_figure(self.path, f'{unique}_hierarchy.png', figure))
        if self.label_format is not None:
            with naming(self.path, unique):
                files += save_label_maps(
                    self.path / unique, label_maps, self.label_format)
        if self.html and result is not None:
            with naming(self.path, unique):
                files.append(f'{self.path / unique}.html')
                result.to_html(files[-1])
        return files


def save_figure(folder: str | Path, name: str, figure: np.ndarray) -> str:
    """Write one figure into a folder, which is created; returns its path."""
    path = Path(folder)
    with naming(path, name):
        Image.fromarray(figure).save(path / name, compress_level=1)
    return str(path / name)


@contextmanager
def naming(folder: Path, name: str) -> Iterator[None]:
    """Create the folder of a file, and name it if it cannot be written to."""
    try:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(
            f'`out_dir` {str(folder)!r} cannot be written to: {error}; '
            'give another folder') from error


def save_label_maps(stem: str | Path, label_maps: Sequence[np.ndarray],
                    label_format: str) -> list[str]:
    """Write the label maps of an image; returns the paths.

    'npz': ``<stem>_levels.npz`` with int32 arrays ``level_<l>``, -1 = none.
    'png': ``<stem>_level_<l>.png`` per level, in colours, see
    :mod:`~mmhierseg.apis.label_pngs`.
    'coco': ``<stem>_coco.json`` with annotations of all levels.
    """
    if label_format == 'coco':
        path = f'{stem}_coco.json'
        write_atomically(path, json.dumps(
            coco_annotations(label_maps)).encode())
        return [path]
    if label_format == 'npz':
        path = f'{stem}_levels.npz'
        np.savez_compressed(
            path, **{
                f'level_{level}': np.asarray(labels, dtype=np.int32)
                for level, labels in enumerate(label_maps)
            })
        return [path]
    for level, most in enumerate(map(np.max, label_maps)):
        if most >= MAX_SEGMENTS:
            raise ValueError(f'level {level} has label {most}, which does not '
                             "fit a PNG: use 'npz'")
    paths = [f'{stem}_level_{level}.png' for level in range(len(label_maps))]
    colors = level_colors(label_maps)
    for labels, table, path in zip(label_maps, colors, paths):
        save_label_png(path, labels, table)
    return paths
