"""Quality of superpixels over a data set."""

import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmhierseg.evaluation.functional import (
    achievable_segmentation_counts,
    boundary_recall_counts,
    explained_variation_sums,
    undersegmentation_counts,
)
from mmhierseg.evaluation.functional.boundaries import check_pixels
from mmhierseg.registry import METRICS

from .per_level import PerLevelMetric

__all__ = ['SuperpixelQuality']

_MEASURES = ('ASA', 'UE', 'BR', 'EV')


@METRICS.register_module()
class SuperpixelQuality(PerLevelMetric):
    """ASA, UE, BR and EV of segments, summed over the data set.

    * ASA, achievable segmentation accuracy;
    * UE, undersegmentation error, the less the better;
    * BR, boundary recall;
    * EV, explained variation of the image.

    Numerators and denominators (:mod:`~.functional`) are summed over the
    data set first and divided last. Results, in percent:
    ``SuperpixelQuality/ASA/level0`` and so on. The maps are those of the
    field ``pred_hierarchy``, see
    :func:`mmhierseg.structures.add_hierarchy`.

    Args:
        measures (Sequence[str]): What to measure. Defaults to all four.
        boundary_tolerance (int): Distance in pixels within which BR counts
            a boundary pixel as found. Defaults to 2.
        levels (Sequence[int], optional): Levels to measure, 0 is the finest;
            None means all. Defaults to (0, ), the superpixels themselves.
        segments_field (str): Field of the data samples with the label maps
            of the levels, (L, H, W). Defaults to 'pred_hierarchy'.
        ignore_index (int): Label of pixels that are left out of ASA, UE and
            BR. Defaults to 255.
        gt_field (str): Field of the data samples with the ground truth: its
            ids are the regions. Defaults to 'gt_sem_seg'.
        collect_device (str): Where the results of several processes are
            collected, 'cpu' or 'gpu'. Defaults to 'cpu'.
        prefix (str, optional): What the names of the results begin with.
            Defaults to None, the name of the class.
        collect_dir (str, optional): Folder that results are collected in.
            Defaults to None, a temporary one.

    Raises:
        TypeError: If ``levels`` is no list of integers, or
            ``boundary_tolerance`` no integer.
        ValueError: If ``levels`` is empty, or names a level twice or a
            negative one, if a measure is unknown, or if
            ``boundary_tolerance`` is negative.
    """

    def __init__(self,
                 measures: Sequence[str] = _MEASURES,
                 boundary_tolerance: int = 2,
                 levels: Optional[Sequence[int]] = (0, ),
                 segments_field: str = 'pred_hierarchy',
                 ignore_index: int = 255,
                 gt_field: str = 'gt_sem_seg',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(
            levels=levels,
            segments_field=segments_field,
            ignore_index=ignore_index,
            gt_field=gt_field,
            collect_device=collect_device,
            prefix=prefix,
            collect_dir=collect_dir)
        if (isinstance(measures, str) or not measures
                or not set(measures) <= set(_MEASURES)):
            raise ValueError('`measures` must be a list of some of '
                             f'{_MEASURES}, got {measures!r}')
        self.measures = tuple(measures)
        check_pixels('boundary_tolerance', boundary_tolerance)
        self.boundary_tolerance = boundary_tolerance

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: Optional[dict],
                      index: int) -> Dict[str, Tuple[float, float]]:
        """Measure one image.

        Args:
            segments (Tensor): Label map of the level, (H, W).
            target (Tensor): Ids of the regions, (H, W).
            data_batch (dict, optional): What the loader gave: its images are
                what EV is measured on.
            index (int): Number of the image in the batch.

        Returns:
            dict[str, tuple]: Numerator and denominator of each measure.
        """
        parts = {}
        for name in self.measures:
            if name == 'ASA':
                parts[name] = achievable_segmentation_counts(
                    segments, target, self.ignore_index)
            elif name == 'UE':
                parts[name] = undersegmentation_counts(
                    segments, target, self.ignore_index)
            elif name == 'BR':
                parts[name] = boundary_recall_counts(
                    segments, target, self.boundary_tolerance,
                    self.ignore_index)
            else:
                image = _image(data_batch, index)
                parts[name] = explained_variation_sums(
                    _resize(segments, image.shape[-2:]), image)
        return parts

    def summarize(
        self, level: int, results: List[Dict[str, Tuple[float, float]]]
    ) -> Dict[str, float]:
        """Divide the sums.

        Args:
            level (int): The level.
            results (list[dict]): Parts of the measures of each image.

        Returns:
            dict[str, float]: Each measure, in percent. NaN where there is
            nothing to measure; but EV of constant images is 100.
        """
        values = {}
        for name in self.measures:
            # Sums that do not depend on the order of the images.
            part, whole = (
                math.fsum(numbers)
                for numbers in zip(*(result[name] for result in results)))
            empty = 1. if name == 'EV' else math.nan
            values[f'{name}/level{level}'] = 100 * (
                part / whole if whole else empty)
        return values


def _image(data_batch: Optional[dict], index: int) -> Tensor:
    """(3, h, w) image as the pipeline gave it, without its segments."""
    inputs = (data_batch or {}).get('inputs')
    # With test-time augmentation, a list of each augmentation's images.
    if inputs is None or not isinstance(inputs[0], Tensor):
        raise ValueError('EV is measured on the image of the batch, but there '
                         "is none: leave 'EV' out of `measures` with "
                         'test-time augmentation and offline')
    return inputs[index][:3]


def _resize(segments: Tensor, size: Sequence[int]) -> Tensor:
    """Segments at the size that the image entered the model with."""
    rows, columns = (
        (2 * torch.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, segments.shape))
    return segments.cpu()[rows[:, None], columns]
