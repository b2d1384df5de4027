"""MMSegmentation's segmentor, with the backbone's hierarchy in its results."""

from typing import List, Optional, Union

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg.registry import MODELS
from mmhierseg.structures import add_hierarchy

from .lean_encoder_decoder import LeanEncoderDecoder

__all__ = ['HierarchyEncoderDecoder']


@MODELS.register_module()
class HierarchyEncoderDecoder(LeanEncoderDecoder):
    """``EncoderDecoder`` that predicts the hierarchy of segments too.

    In a config it takes the place of ``EncoderDecoder``; weights, losses and
    ``pred_sem_seg`` are the same. In testing, each data sample gets the field
    ``pred_hierarchy`` beside, which the metrics of hierarchies measure, see
    :func:`mmhierseg.structures.add_hierarchy`. The backbone sees each image
    a second time for it, and always the whole of it: windows of sliding
    inference have no hierarchy in common.

    Args:
        backbone (dict): A backbone with ``forward_hierarchy``, such as
            ``mmhierseg.CAST``.
        decode_head (dict): Decode head.
        neck (dict, optional): Neck. Defaults to None.
        auxiliary_head (dict | list[dict], optional): Auxiliary heads.
            Defaults to None.
        train_cfg (dict, optional): Settings of training. Defaults to None.
        test_cfg (dict, optional): Settings of testing: ``mode`` and those of
            the windows. Defaults to None.
        data_preprocessor (dict, optional): Data preprocessor.
            Defaults to None.
        pretrained (str, optional): Weights of the backbone; ``init_cfg`` is
            the newer way. Defaults to None.
        init_cfg (dict | list[dict], optional): Initialisation.
            Defaults to None.

    Raises:
        TypeError: If the backbone gives no hierarchy.
    """

    def __init__(self,
                 backbone: dict,
                 decode_head: dict,
                 neck: Optional[dict] = None,
                 auxiliary_head: Union[dict, List[dict], None] = None,
                 train_cfg: Optional[dict] = None,
                 test_cfg: Optional[dict] = None,
                 data_preprocessor: Optional[dict] = None,
                 pretrained: Optional[str] = None,
                 init_cfg: Union[dict, List[dict], None] = None) -> None:
        super().__init__(
            backbone,
            decode_head,
            neck=neck,
            auxiliary_head=auxiliary_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            pretrained=pretrained,
            init_cfg=init_cfg)
        if not hasattr(self.backbone, 'forward_hierarchy'):
            raise TypeError(
                '`backbone` must have a method `forward_hierarchy`, as '
                f'mmhierseg.CAST has, got {type(self.backbone).__name__}; use '
                'EncoderDecoder for it')

    def predict(
            self,
            inputs: Tensor,
            data_samples: Optional[List[SegDataSample]] = None
    ) -> List[SegDataSample]:
        """Predict classes and hierarchies.

        Args:
            inputs (Tensor): What the backbone takes, (B, C, H, W).
            data_samples (list[SegDataSample], optional): One per image, with
                meta information. Defaults to None.

        Returns:
            list[SegDataSample]: With ``pred_sem_seg``, ``seg_logits`` and
            ``pred_hierarchy``.
        """
        samples = super().predict(inputs, data_samples)
        with torch.no_grad():
            output = self.backbone.forward_hierarchy(inputs)
        add_hierarchy(samples, output.hierarchy)
        return samples
