"""Measure the hierarchy of an image, and sum up those of a dataset.

Legend: L levels, A annotators, T thresholds of IoU, K clicks.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from hierarchy_predictions import Hierarchy
from hierarchy_truths import Truth

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation.functional import (
    Agreement,
    agreement,
    boundary_f_score,
    class_areas,
    click_curves,
    majority_labels,
    mean_iou_of_areas,
    number_of_clicks,
    overlaps_of,
    part_containment,
    recall_counts,
    region_miou,
    segmentation_boundary_counts,
    semantic_consistency,
    spatial_consistency,
)
from mmhierseg.evaluation.functional.boundaries import BoundaryCounts
from mmhierseg.evaluation.functional.recall import AREA_RANGES

METRICS = ('agreement', 'boundary', 'region_miou', 'recall', 'containment',
           'consistency', 'clicks')
CLICKS = 20
_AT = (.8, .85, .9)


def measure(hierarchy: Hierarchy, truth: Truth, metrics: Sequence[str],
            one_to_one: bool = False, max_masks: int = 1000) -> dict:
    """Counts and measures of an image, as plain data."""
    maps, result = hierarchy.maps, dict(levels=[*hierarchy.maps])
    for name, labels in maps.items():
        if labels.shape != truth.size:
            raise UserError(f'{name} has {labels.shape} pixels, the ground '
                            f'truth {truth.size}: resize it (nearest)')

    def of_levels(function: Callable) -> list:
        return [function(labels) for labels in maps.values()]

    if 'agreement' in metrics:
        result['agreement'] = of_levels(lambda x: agreement(x, truth.maps))
    if 'boundary' in metrics:
        result['boundary'] = of_levels(lambda x: segmentation_boundary_counts(
            x, truth.maps, one_to_one=one_to_one))
    if 'region_miou' in metrics and truth.classes is not None:
        # Numbered without gaps: ids of 16 bits would be a huge matrix.
        classes = truth.classes.copy()
        valid = classes >= 0
        ids = np.union1d(classes[valid], 0)
        classes[valid] = np.searchsorted(ids, classes[valid])
        result['region_miou'] = dict(
            ids=ids.tolist(), areas=of_levels(lambda x: class_areas(
                region_miou(x, classes, len(ids), -1)).tolist()))
    if 'recall' in metrics:
        result['recall'] = {}
        overlaps = overlaps_of(hierarchy.masks, truth.masks, max_masks)
        for name, area_range in AREA_RANGES.items():
            found, number = recall_counts(overlaps, area_range)
            result['recall'][name] = [found.tolist(), number]
    if 'containment' in metrics:
        levels = [*maps.values()]
        result['containment'] = [
            part_containment(*pair) for pair in zip(levels, levels[1:])]
        if not hierarchy.of_maps:
            result['of_masks'] = _containment_of_masks(hierarchy.masks)
    if 'consistency' in metrics and truth.wholes is not None:
        result['spatial'] = spatial_consistency(
            hierarchy.masks, truth.masks, truth.whole_masks)
        result['semantic'] = _semantic([*maps.values()], truth)
    if 'clicks' in metrics:
        curves = click_curves(hierarchy.masks, truth.masks, CLICKS)
        result['clicks'] = dict(
            number=len(curves), curve=curves.sum(axis=0).tolist(),
            noc=[int(number_of_clicks(curves, x).sum()) for x in _AT])
    return result


def _containment_of_masks(masks: np.ndarray) -> float:
    """How far masks lie in one of the larger masks that they touch."""
    shared, areas, _ = overlaps_of(masks, masks)
    larger = areas > areas[:, None]
    touched = (shared * larger).max(axis=1, initial=0)
    values = touched[touched > 0] / areas[touched > 0]
    return math.fsum(values) / len(values) if len(values) else math.nan


def _semantic(levels: list[np.ndarray], truth: Truth) -> float:
    """Consistency of labels by majority: parts at the finest, wholes above."""
    parents = np.zeros(int(truth.classes.max(initial=0)) + 1, np.int64)
    parents[truth.classes] = truth.wholes
    parents[0] = -1
    return semantic_consistency(
        majority_labels(levels[0], truth.classes, -1),
        majority_labels(levels[-1], truth.wholes, -1), parents, -1)


# ------------------------------------------------------------- a dataset


def summarize(results: Sequence[dict]) -> dict:
    """Results of all images, from those of each, in their order."""
    names = {tuple(result['levels']) for result in results}
    if len(names) > 1:
        one, other = sorted(names, key=len)[:: len(names) - 1]
        raise UserError(
            f'images have different levels, {len(one)} ({one[0]}, ...) and '
            f'{len(other)} ({other[0]}, ...): choose common ones by '
            '--numbers or --thresholds, or give files of one kind')
    summary = dict(images=len(results), levels=[*names.pop()])
    if 'agreement' in results[0]:
        rows = np.array([x['agreement'] for x in results], dtype=np.float64)
        for name, column in zip(Agreement._fields, np.moveaxis(rows, 2, 0)):
            is_distance = name == 'variation_of_information'
            summary[name] = _ods_ois(
                column, np.min if is_distance else np.max)
    if 'boundary' in results[0]:
        summary['boundary'] = _boundary(
            np.array([x['boundary'] for x in results]))
    if 'region_miou' in results[0]:
        summary['region_miou'] = dict(level=[
            mean_iou_of_areas(_total([x['region_miou'] for x in results], i))
            for i in range(len(summary['levels']))])
    if 'recall' in results[0]:
        summary['recall'] = {name: _recall([x['recall'][name]
                                            for x in results])
                             for name in AREA_RANGES}
    if 'containment' in results[0]:
        # The coarsest level has none above it.
        summary['containment'] = dict(level=_means(np.array(
            [[*x['containment'], math.nan] for x in results], np.float64)))
    for key, name in (('of_masks', 'containment_of_masks'),
                      ('spatial', 'spatial_consistency'),
                      ('semantic', 'semantic_consistency')):
        if key in results[0]:
            summary[name] = _means(np.array(
                [[x[key]] for x in results], np.float64))[0]
    if 'clicks' in results[0]:
        summary['clicks'] = _clicks([x['clicks'] for x in results])
    return summary


def _means(rows: np.ndarray) -> list[float]:
    """Mean of each column, without NaN; exact, whatever the order."""
    columns = [column[~np.isnan(column)] for column in rows.T]
    return [math.fsum(x) / len(x) if len(x) else math.nan for x in columns]


def _ods_ois(rows: np.ndarray, best: Callable) -> dict:
    """Means of the levels, the best, and the mean of the images' best."""
    rows = rows[~np.isnan(rows).any(axis=1)]
    if not rows.size:
        nan = [math.nan] * rows.shape[1]
        return dict(level=nan, ods=math.nan, ois=math.nan)
    level = _means(rows)
    return dict(level=level, ods=float(best(level)),
                ois=_means(best(rows, axis=1)[:, None])[0])


def _boundary(counts: np.ndarray) -> dict:
    """F of summed counts (I, L, 4): levels, the best, the images' best."""
    of_images = _f_scores(counts)
    index = np.nan_to_num(of_images[0]).argmax(axis=1)
    chosen = counts[np.arange(len(counts)), index].sum(axis=0)
    f, precision, recall = _f_scores(counts.sum(axis=0))
    return dict(level=f.tolist(), precision=precision.tolist(),
                recall=recall.tolist(), ods=float(np.nanmax(f)) if (
                    ~np.isnan(f)).any() else math.nan,
                ois=float(_f_scores(chosen)[0]))


def _f_scores(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    return boundary_f_score(BoundaryCounts(*np.moveaxis(counts, -1, 0)))


def _total(rows: Sequence[dict], level: int) -> np.ndarray:
    """Sum of (3, C) areas, of the ids of each image."""
    total = np.zeros((3, max(x['ids'][-1] for x in rows) + 1), np.int64)
    for one in rows:
        total[:, one['ids']] += one['areas'][level]
    return total


def _recall(counts: list) -> float:
    number = sum(x[1] for x in counts)
    found = np.sum([x[0] for x in counts], axis=0)
    return float(found.mean() / number) if number else math.nan


def _clicks(rows: list[dict]) -> dict:
    number = sum(x['number'] for x in rows)
    if not number:
        return dict(curve=[], noc={})
    return dict(
        curve=[math.fsum(x) / number for x in zip(*(y['curve']
                                                    for y in rows))],
        noc={f'{at:.2f}': sum(x['noc'][i] for x in rows) / number
             for i, at in enumerate(_AT)})
