"""Read the hierarchies of any method, for ``evaluate_hierarchy.py``.

Legend: H x W pixels; levels from fine to coarse.
"""

import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.io import loadmat
from skimage.measure import label
from skimage.segmentation import expand_labels

from mmhierseg._base.coco_masks import decode_mask
from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import list_files
from mmhierseg.apis import HierarchyResult
from mmhierseg.apis.label_pngs import read_label_png
from mmhierseg.datasets.files import decode_labels, some
from mmhierseg.evaluation.functional.label_maps import find_overlaps, sizes_of

SUFFIXES = ('.npz', '.png', '.npy', '.mat', '.json')
#: Thresholds of an ultrametric map, if none are given: of 8 bits, and others.
STEPS = tuple(range(0, 251, 10)), tuple(np.linspace(0, 1, 26).round(2))
_LEVEL = re.compile(r'(.+?)_level_(\d+)')
_SUFFIX = re.compile(r'(.+)_(levels|coco)')
#: Levels of masks at most: a ``level`` that counts masks is a mistake.
_MAX_LEVELS = 1000


class Hierarchy(NamedTuple):
    """Segments of an image: label maps, and all masks."""

    maps: dict[str, np.ndarray]
    """By level: (H, W) integer, negative = none; fine to coarse."""
    masks: Any
    """For ``average_recall``: the best or coarsest first."""
    of_maps: bool
    """Whether the masks are those of the maps."""


class Options(NamedTuple):
    """How to read files that can be read in several ways."""

    thresholds: tuple[float, ...] = ()
    """Of ultrametric maps."""
    numbers: tuple[int, ...] = ()
    """Numbers of segments to cut a ``HierarchyResult`` into."""
    ultrametric: bool = False
    """Whether maps of the image's size are ultrametric."""
    max_masks: int = 1000


def find_predictions(root: Path) -> dict[str, list[Path]]:
    """Files by the name of the image; several are its levels, fine first.

    ``NAME.npz``, ``.png``, ``.npy``, ``.mat``, ``.json``, with ``_levels`` or
    ``_coco``; ``NAME_level_0.png``, ...; or a folder for each level.
    """
    if not root.is_dir():
        raise UserError(f'PRED must be a folder, or a JSON file of results; '
                        f'there is no {str(root)!r}')
    found: dict[str, dict[str, Path]] = {}
    for path in list_files(root, SUFFIXES):
        if path.endswith('_hierarchy.png'):
            continue  # the figure of `mmhierseg segment`
        path = Path(root, path)
        folder = '' if path.parent == root else str(
            path.parent.relative_to(root))
        level = _LEVEL.fullmatch(path.stem)
        suffix = _SUFFIX.fullmatch(path.stem)
        name = level[1] if level else suffix[1] if suffix else path.stem
        key = level[2] if level else folder
        others = found.setdefault(name, {})
        for at, other in others.items():
            kinds = {path.suffix.lower(), other.suffix.lower()}
            # Levels are maps, all of which say so, or none.
            if at == key or kinds - {'.png', '.npy'} or bool(level) != bool(
                    _LEVEL.fullmatch(other.stem)):
                raise UserError(f'there are two predictions for {name!r}: '
                                f'{other} and {path}; remove one')
        others[key] = path
    return {name: [paths[key] for key in sorted(paths, key=_natural)]
            for name, paths in found.items()}


def _natural(text: str) -> list:
    return [int(part) if part.isdigit() else part
            for part in re.split(r'(\d+)', text)]


def read_results_file(path: Path) -> dict[Any, list[dict]]:
    """Annotations of a file of COCO's results, by ``image_id``."""
    entries = _load_json(path)
    entries = entries.get('annotations') if isinstance(entries, dict) else (
        entries)
    found: dict[Any, list[dict]] = {}
    for entry in _checked(entries, path):
        if not isinstance(entry.get('image_id'), (int, str)):
            raise UserError(f"{str(path)!r}: a result has no 'image_id', a "
                            'number or a name')
        found.setdefault(entry['image_id'], []).append(entry)
    return found


def read_hierarchy(source: list[Path] | list[dict], size: tuple[int, int],
                   options: Options) -> Hierarchy:
    """Read the hierarchy of an image from its files, or from annotations.

    Raises:
        UserError: If a file is of another kind or size.
    """
    if not source or isinstance(source[0], dict):
        return _of_annotations(source, size, options.max_masks)
    if len(source) > 1:
        return _of_maps({f'level {i}': _read_map(path)
                         for i, path in enumerate(source)})
    path, = source
    suffix = path.suffix.lower()
    if suffix == '.json':
        entries = _load_json(path)
        if isinstance(entries, dict):
            entries = entries.get('annotations')
        return _of_annotations(
            _checked(entries, path), size, options.max_masks)
    if suffix == '.npz':
        return _of_maps(_read_npz(path, options.numbers))
    array = _read_map(path)
    is_double = array.shape == tuple(2 * n + 1 for n in size)
    if is_double or options.ultrametric or suffix == '.mat':
        try:
            return _of_maps(
                _cut_contours(array, is_double, options.thresholds))
        except UserError as error:
            raise UserError(f'{str(path)!r} {error}') from error
    return _of_maps({'level 0': array})


def _read_npz(path: Path, numbers: Sequence[int]) -> dict[str, np.ndarray]:
    """Levels or cuts of a saved result, or arrays of any other ``.npz``."""
    try:
        with np.load(path, allow_pickle=False) as data:
            names = data.files
            arrays = {} if 'info' in names else {
                name: data[name] for name in names}
        result = HierarchyResult.load(path) if 'info' in names else None
    except UserError:
        raise
    except Exception as error:  # Damaged files fail in many ways.
        raise UserError(f'{str(path)!r} is no file of arrays: {error}'
                        ) from error
    if result is not None:
        if not numbers:
            return {f'level {i}': x for i, x in enumerate(result.levels)}
        most = result.num_segments[0]
        return {f'{k} segments': result.cut(min(k, most))
                for k in sorted(numbers, reverse=True)}
    if numbers:
        raise UserError(f'--numbers needs files of `HierarchyResult.save`; '
                        f'{str(path)!r} has the levels {some(names)}')
    if len(arrays) == 1 and next(iter(arrays.values())).ndim == 3:
        arrays = dict(enumerate(next(iter(arrays.values()))))
    ordered = sorted(arrays, key=lambda name: _natural(str(name)))
    return {f'level {i}': arrays[name] for i, name in enumerate(ordered)}


def _read_map(path: Path) -> np.ndarray:
    """A label map or an ultrametric map, (H, W)."""
    suffix = path.suffix.lower()
    if suffix == '.png':
        mode = decode_labels(path.read_bytes(), str(path), 'map').mode
        if mode in ('RGB', 'P') and _LEVEL.fullmatch(path.stem):
            return read_label_png(path)
        with Image.open(path) as picture:
            return np.array(picture)
    try:
        if suffix == '.npy':
            array = np.load(path, allow_pickle=False)
        else:
            content = loadmat(io.BytesIO(path.read_bytes()))
            array = next(content[name] for name in ('ucm2', 'ucm')
                         if name in content)
    except StopIteration:
        raise UserError(f"{str(path)!r} has no 'ucm2' or 'ucm'") from None
    except Exception as error:  # Damaged files fail in many ways.
        raise UserError(f'{str(path)!r} cannot be read: {error}') from error
    if array.ndim != 2:
        raise UserError(f'{str(path)!r} is no map, (H, W)')
    return array


def _cut_contours(contours: np.ndarray, is_double: bool,
                  thresholds: Sequence[float]) -> dict[str, np.ndarray]:
    """Regions of an ultrametric contour map at thresholds, fine first."""
    if contours.ndim != 2 or contours.dtype.kind not in 'iuf' or not (
            np.isfinite(contours).all()):
        raise UserError('is no ultrametric map: finite numbers, (H, W)')
    if not thresholds:
        if contours.dtype != np.uint8 and contours.max() > 1:
            raise UserError(f'has values up to {contours.max():g}, neither of '
                            '8 bits nor in [0, 1]: give --thresholds')
        thresholds = STEPS[contours.dtype != np.uint8]
    found = {}
    for threshold in sorted(thresholds):
        if is_double:  # without the border, where regions might meet
            regions = label(contours[1:-1, 1:-1] <= threshold,
                            connectivity=1)[::2, ::2]
        else:  # contours are pixels, of the region next to them
            regions = label(contours <= threshold, connectivity=1)
            regions = expand_labels(regions, max(regions.shape))
        found[f'{threshold:g}'] = regions
    return found


def _of_annotations(entries: list[dict], size: tuple[int, int],
                    max_masks: int) -> Hierarchy:
    """Masks with their levels, if they say so, else painted, small on top."""
    _check_numbers(entries)
    levels = {entry.get('level') for entry in entries}
    if entries and None not in levels:
        if len(levels) > _MAX_LEVELS:
            raise UserError(f'the masks have {len(levels)} levels, more than '
                            f"{_MAX_LEVELS}: leave 'level' out")
        maps = {level: np.full(size, -1) for level in sorted(levels)}
        counts = dict.fromkeys(levels, 0)
        for entry in entries:
            mask = _decode(entry, size)
            here = maps[entry['level']]
            if (here[mask] >= 0).any():
                break  # they overlap: masks like any other
            here[mask] = counts[entry['level']]
            counts[entry['level']] += 1
        else:
            return _of_maps({f'level {x}': maps[x] for x in maps})
    scores = [entry.get('score', entry.get('predicted_iou', 0))
              for entry in entries]
    order = np.argsort(-np.array(scores, dtype=np.float64), kind='stable')
    chosen = [entries[i] for i in order[:max_masks]]
    masks = [_decode(entry, size) for entry in chosen]
    painted = np.full(size, -1)
    areas = [mask.sum() for mask in masks]
    for i in np.argsort(areas, kind='stable')[::-1]:
        painted[masks[i]] = i
    stack = np.array(masks, dtype=bool).reshape(-1, *size)
    return Hierarchy({'painted': painted}, stack, of_maps=False)


def _check_numbers(entries: list[dict]) -> None:
    numbers = (int, float), 'a finite number'
    for key, (kinds, what) in dict(level=(int, 'an integer'), score=numbers,
                                   predicted_iou=numbers).items():
        for value in (x[key] for x in entries if key in x):
            if not isinstance(value, kinds) or not abs(value) < math.inf:
                raise UserError(f'the {key!r} of a mask must be {what}, got '
                                f'{value!r:.60}')


def _decode(entry: dict, size: tuple[int, int]) -> np.ndarray:
    try:
        return decode_mask(entry['segmentation'], size)
    except ValueError as error:
        raise UserError(f'a mask is damaged or of another image: {error}'
                        ) from error


def _of_maps(maps: dict[str, np.ndarray]) -> Hierarchy:
    """The masks of maps, coarse ones first, each once."""
    if not maps:
        raise UserError('there is no level')
    kept, coarser = [], None
    for name, labels in reversed(maps.items()):
        if labels.ndim != 2 or labels.dtype.kind not in 'iu':
            raise UserError(f'{name} must be a label map, (H, W) of integers, '
                            f'got {labels.dtype} of shape {labels.shape}')
        if coarser is not None and labels.shape != coarser.shape:
            raise UserError(f'levels have different sizes, {labels.shape} and '
                            f'{coarser.shape}')
        labels = labels.astype(np.int64)
        kept.append(labels if coarser is None else _without_equal(
            labels, coarser))
        coarser = labels
    return Hierarchy(maps, np.stack(kept), of_maps=True)


def _without_equal(labels: np.ndarray, coarser: np.ndarray) -> np.ndarray:
    """Labels, -1 where the coarser map has the same segment."""
    overlaps = find_overlaps(labels, coarser, labels >= 0)
    ids = np.unique(labels[labels >= 0])
    areas = sizes_of(overlaps)[overlaps.segment]
    in_coarser, sizes = np.unique(coarser, return_counts=True)
    equal = (overlaps.region >= 0) & (overlaps.count == areas) & (
        areas == sizes[np.searchsorted(in_coarser, overlaps.region)])
    return np.where(
        np.isin(labels, ids[overlaps.segment[equal]]), -1, labels)


def _load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f'{str(path)!r} is no JSON: {error}') from error


def _checked(entries: Any, path: Path) -> list[dict]:
    if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and 'segmentation' in entry
            for entry in entries):
        raise UserError(f'{str(path)!r} must hold a list of annotations, each '
                        "with 'segmentation'")
    return entries
