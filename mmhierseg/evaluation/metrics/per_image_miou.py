"""The mIoU of each image, averaged over the images."""

import math

from mmhierseg.evaluation.functional import per_image_miou
from mmhierseg.registry import METRICS

from .base import PerImageMetric


@METRICS.register_module()
class PerImageMIoU(PerImageMetric):
    """mIoU of each image, over the classes it has, averaged over images.

    Unlike MMSegmentation's ``IoUMetric``, which adds up the pixels of the
    dataset, :func:`~.functional.per_image_miou` is taken of each image.
    Results: ``PerImageMIoU/mIoU``, in percent, NaN if no image counts;
    ``PerImageMIoU/images``, the number of images in the mean; and
    ``PerImageMIoU/failed``, that of images which a model could not predict:
    their data samples have a ``failure``, the reason, in place of a
    prediction. Images that are ignored as a whole are in neither number.

    Options are those of :class:`PerImageMetric`.
    """

    def measure(self, sample: dict, data_batch: dict | None,
                index: int) -> float | None:
        """The mIoU of an image in [0, 1], None if it failed."""
        if sample.get('failure'):
            return None
        return per_image_miou(
            self.prediction(sample), self.ground_truth(sample),
            self.num_classes, self.ignore_index)

    def compute_metrics(self,
                        results: list[float | None]) -> dict[str, float]:
        """Mean in percent, and the two numbers of images."""
        found = [value for value in results if value is not None]
        values = [value for value in found if not math.isnan(value)]
        # An exact sum does not depend on the order of the images.
        mean = math.fsum(values) / len(values) if values else math.nan
        return dict(
            mIoU=100 * mean,
            images=len(values),
            failed=len(results) - len(found))
