"""MMSegmentation's segmentor, which resizes logits only if needed."""

from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg.registry import MODELS

__all__ = ['LeanEncoderDecoder']


@MODELS.register_module()
class LeanEncoderDecoder(EncoderDecoder):
    """``EncoderDecoder`` that resizes logits only if they have another size.

    A drop-in replacement of ``EncoderDecoder`` in configs: options, weights,
    losses and predictions are the same. MMSegmentation interpolates the
    logits of each image to its original size even if they already have it,
    which copies them: 150 classes at 512 x 512 pixels are 150 MiB an image,
    more than all else that inference takes.
    """

    def postprocess_result(
            self,
            seg_logits: Tensor,
            data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Convert logits (B, K, H, W) to data samples."""
        size = tuple(seg_logits.shape[2:])
        if data_samples is None or not all(
                _is_ready(sample, size) for sample in data_samples):
            return super().postprocess_result(seg_logits, data_samples)
        for sample, result in zip(data_samples,
                                  super().postprocess_result(seg_logits)):
            sample.set_data(dict(result.items()))
        return data_samples


def _is_ready(sample: SegDataSample, size: tuple) -> bool:
    """Whether logits of this size are those of the original image."""
    meta = sample.metainfo
    padding = meta.get('img_padding_size', meta.get('padding_size', [0] * 4))
    return (tuple(meta['ori_shape'][:2]) == size and not any(padding)
            and not meta.get('flip'))
