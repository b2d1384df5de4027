"""MMSegmentation's segmentor without copies of logits, and with hierarchies.

Both models replace ``EncoderDecoder`` in configs: options, weights, losses
and ``pred_sem_seg`` are the same.
"""

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg.registry import MODELS
from mmhierseg.structures import add_hierarchy, restore_maps


@MODELS.register_module()
class LeanEncoderDecoder(EncoderDecoder):
    """``EncoderDecoder`` that resizes logits only if they have another size.

    MMSegmentation interpolates the logits of each image to its original size
    even if they already have it, which copies them: 150 classes at 512 x 512
    pixels are 150 MiB an image, more than all else that inference takes.

    With ``resize_pred='nearest'`` in ``test_cfg``, predicted classes are
    resized to the original image, not logits, as CAST's authors do on VOC.

    With ``enlarge=True`` in ``test_cfg``, images (B, 3, H, W) whose shorter
    side is below that of the window are enlarged to it before sliding
    inference, as in Segmenter; MMSegmentation uses smaller windows.
    """

    def slide_inference(self, inputs: Tensor,
                        batch_img_metas: list[dict]) -> Tensor:
        """Logits (B, K, H, W), averaged over windows."""
        before, side = inputs.shape[2:], min(self.test_cfg.crop_size)
        small = min(before) < side and inputs.size(1) == 3
        if small and self.test_cfg.get('enlarge'):
            # Rounded down, as in Segmenter.
            after = [int(n / min(before) * side) for n in before]
            enlarged = F.interpolate(inputs, after, mode='bilinear')
            padded = any(
                any(meta.get('img_padding_size', ()))
                for meta in batch_img_metas)
            logits = super().slide_inference(enlarged, batch_img_metas)
            # Padding is cut off in pixels of the input.
            return F.interpolate(
                logits, before, mode='bilinear') if padded else logits
        return super().slide_inference(inputs, batch_img_metas)

    def postprocess_result(
            self,
            seg_logits: Tensor,
            data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Convert logits (B, K, H, W) to data samples."""
        size = tuple(seg_logits.shape[2:])
        if data_samples is None or not all(
                _is_ready(sample, size) for sample in data_samples):
            data_samples = super().postprocess_result(seg_logits, data_samples)
            if (self.test_cfg or {}).get('resize_pred') == 'nearest':
                unresized = super().postprocess_result(seg_logits)
                for sample, image in zip(data_samples, unresized):
                    classes = restore_maps(image.pred_sem_seg.data,
                                           sample.metainfo)
                    sample.pred_sem_seg = PixelData(data=classes.clone())
            return data_samples
        for sample, result in zip(data_samples,
                                  super().postprocess_result(seg_logits)):
            sample.set_data(dict(result.items()))
        return data_samples


@MODELS.register_module()
class HierarchyEncoderDecoder(LeanEncoderDecoder):
    """``EncoderDecoder`` that also predicts the hierarchy of segments.

    In testing, each data sample gets the field ``pred_hierarchy`` (see
    :func:`mmhierseg.structures.add_hierarchy`) that metrics of hierarchies
    read. For this the backbone processes each whole image a second time, also
    in sliding inference, whose windows have no hierarchy in common. TypeError
    if it has no method ``forward_hierarchy``, as ``mmhierseg.CAST`` has.
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


def _is_ready(sample: SegDataSample, size: tuple) -> bool:
    """Whether logits of this size are those of the original image."""
    meta = sample.metainfo
    padding = meta.get('img_padding_size', meta.get('padding_size', [0] * 4))
    return (tuple(meta['ori_shape'][:2]) == size and not any(padding)
            and not meta.get('flip'))
