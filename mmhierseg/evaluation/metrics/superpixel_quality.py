"""Quality of superpixels over a dataset."""

import math
from collections.abc import Sequence

from torch import Tensor

from mmhierseg._base.checks import check_number
from mmhierseg.evaluation.functional import (
    achievable_segmentation_counts,
    boundary_recall_counts,
    explained_variation_sums,
    undersegmentation_counts,
)
from mmhierseg.registry import METRICS
from mmhierseg.structures import restore_maps

from .base import PerLevelMetric

_MEASURES = ('ASA', 'UE', 'BR', 'EV')


@METRICS.register_module()
class SuperpixelQuality(PerLevelMetric):
    """ASA, UE, BR and EV of segments, summed over the dataset.

    Achievable segmentation accuracy, undersegmentation error (lower is
    better), boundary recall and explained variation of the image. Numerators
    and denominators (:mod:`~.functional`) are summed over the dataset before
    the division. Results, in percent: ``SuperpixelQuality/ASA/level0`` etc.

    Args:
        measures (Sequence[str]): Measures to compute. Defaults to all four.
        boundary_tolerance (int): Distance in pixels within which BR counts
            a boundary pixel as found. Defaults to 2.
        levels (Sequence[int], optional): Levels to measure, 0 is the finest;
            None means all. Defaults to (0, ), the superpixels themselves.
        **kwargs: See :class:`PerLevelMetric`. The ids of the ground truth are
            the regions; EV does not use it.
    """

    def __init__(self,
                 measures: Sequence[str] = _MEASURES,
                 boundary_tolerance: int = 2,
                 levels: Sequence[int] | None = (0, ),
                 **kwargs) -> None:
        super().__init__(levels=levels, **kwargs)
        if not measures or not set(measures) <= set(_MEASURES):
            raise ValueError('`measures` must be a list of some of '
                             f'{_MEASURES}, got {measures!r}')
        self.measures = tuple(measures)
        check_number('boundary_tolerance', boundary_tolerance, 0, whole=True)
        self.boundary_tolerance = boundary_tolerance

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: dict | None,
                      index: int) -> dict[str, tuple[float, float]]:
        """Numerator and denominator of each measure."""
        maps, ignored = (segments, target), self.ignore_index
        parts = {}
        if 'ASA' in self.measures:
            parts['ASA'] = achievable_segmentation_counts(*maps, ignored)
        if 'UE' in self.measures:
            parts['UE'] = undersegmentation_counts(*maps, ignored)
        if 'BR' in self.measures:
            parts['BR'] = boundary_recall_counts(
                *maps, self.boundary_tolerance, ignored)
        if 'EV' in self.measures:
            # Segments at the size at which the image entered the model.
            image = _image(data_batch, index)
            size = image.shape[-2:]
            parts['EV'] = explained_variation_sums(
                restore_maps(segments[None], dict(ori_shape=size))[0], image)
        return parts

    def summarize(
        self, level: int, results: list[dict[str, tuple[float, float]]]
    ) -> dict[str, float]:
        """Quotients in percent; NaN of nothing, but 100 for constant EV."""
        values = {}
        for name in self.measures:
            # Exact sums do not depend on the order of the images.
            part, whole = (
                math.fsum(numbers)
                for numbers in zip(*(result[name] for result in results)))
            empty = 1. if name == 'EV' else math.nan
            values[f'{name}/level{level}'] = 100 * (
                part / whole if whole else empty)
        return values


def _image(data_batch: dict | None, index: int) -> Tensor:
    """(3, h, w) image as the pipeline gave it, without its segments."""
    inputs = (data_batch or {}).get('inputs')
    # Test-time augmentation gives a list of each augmentation's images.
    if inputs is None or not isinstance(inputs[0], Tensor):
        raise ValueError('EV is measured on the image of the batch, but there '
                         "is none: leave 'EV' out of `measures` with "
                         'test-time augmentation and offline')
    return inputs[index][:3]
