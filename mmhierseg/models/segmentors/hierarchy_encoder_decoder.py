"""MMSegmentation's segmentor, with the backbone's hierarchy in its results."""

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg.registry import MODELS
from mmhierseg.structures import add_hierarchy

from .lean_encoder_decoder import LeanEncoderDecoder

__all__ = ['HierarchyEncoderDecoder']


@MODELS.register_module()
class HierarchyEncoderDecoder(LeanEncoderDecoder):
    """``EncoderDecoder`` that also predicts the hierarchy of segments.

    A drop-in replacement of ``EncoderDecoder`` in configs: weights, losses
    and ``pred_sem_seg`` are the same. In testing, each data sample
    additionally gets the field ``pred_hierarchy``, which the metrics of
    hierarchies read, see :func:`mmhierseg.structures.add_hierarchy`. For this
    the backbone processes each whole image a second time, also in sliding
    inference, whose windows have no hierarchy in common.

    Args:
        *args: As for ``EncoderDecoder``.
        **kwargs: As for ``EncoderDecoder``; ``backbone`` must have a method
            ``forward_hierarchy``, as ``mmhierseg.CAST`` has.

    Raises:
        TypeError: If the backbone has no such method.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not hasattr(self.backbone, 'forward_hierarchy'):
            raise TypeError(
                '`backbone` must have a method `forward_hierarchy`, as '
                f'mmhierseg.CAST has, got {type(self.backbone).__name__}; use '
                'EncoderDecoder for it')

    def predict(
            self,
            inputs: Tensor,
            data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predict classes, and hierarchies as ``pred_hierarchy``."""
        samples = super().predict(inputs, data_samples)
        with torch.no_grad():
            output = self.backbone.forward_hierarchy(inputs)
        add_hierarchy(samples, output.hierarchy)
        return samples
