"""Classes of segments by their nearest neighbours, for any kind of segments.

CAST (Ke et al., ICLR 2024) and HSG (Ke et al., CVPR 2022) test what was
learned without labels so: every segment of a test image takes the class that
most of its k nearest neighbours have among the segments of a training set.

Legend: B images, M segments of a level, D channels, K classes, H x W pixels.
"""

from abc import abstractmethod
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg.evaluation.memory_bank import MemoryBank
from mmhierseg.ops import (
    look_up_parents,
    majority_class,
    segment_class_counts,
)
from mmhierseg.structures import add_hierarchy, restore_maps

from .level_segments import LevelSegments

__all__ = ['SegmentRetriever']


class SegmentRetriever(BaseSegmentor):
    """Gives each segment the majority class of its nearest neighbours.

    The neighbours are in a memory bank of the segments of a training set,
    which :class:`~mmhierseg.engine.MemoryBankHook` fills before validation
    and testing. In testing, data samples get ``pred_sem_seg``, for any metric
    of segmentations, and ``pred_hierarchy``, for those of hierarchies.

    Subclasses say what the segments are, in :meth:`segments`.

    Args:
        num_classes (int): Number of classes K.
        num_neighbors (int): Number k of neighbours. Defaults to 20.
        level (int): Level of the hierarchy whose segments are looked up;
            0 is the finest, -1 the coarsest. Defaults to -1.
        ignore_index (int): Ground truth that is ignored, and the prediction
            where there is no segment. Defaults to 255.
        data_preprocessor (dict, optional): Data preprocessor. Defaults to
            None.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 num_classes: int,
                 num_neighbors: int = 20,
                 level: int = -1,
                 ignore_index: int = 255,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        for name, value in (('num_classes', num_classes),
                            ('num_neighbors', num_neighbors)):
            if value < 1:
                raise ValueError(f'`{name}` must be at least 1, got {value}')
        self.num_classes = num_classes
        self.num_neighbors = num_neighbors
        self.level = level
        self.ignore_index = ignore_index
        self.bank: Optional[MemoryBank] = None

    @abstractmethod
    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """Segments that are looked up.

        Args:
            inputs (Tensor): (B, C, H, W), from the data preprocessor.
            data_samples (Sequence[SegDataSample]): One per image, with meta
                information; what it says is padding has no segment. Defaults
                to none: nothing is padding.

        Returns:
            LevelSegments: Those of ``level``, and all levels.

        Raises:
            ValueError: If there is no such level.
        """

    # --------------------------------------------------------------- the bank

    @torch.no_grad()
    def bank_entries(
        self, inputs: Tensor, data_samples: List[SegDataSample]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Prototypes and classes of the segments of annotated images.

        A segment none of whose pixels has a class is left out.

        Args:
            inputs (Tensor): (B, C, H, W), from the data preprocessor.
            data_samples (List[SegDataSample]): With ``gt_sem_seg`` in the
                images' original size, as MMSegmentation loads it in testing.

        Returns:
            Tuple[Tensor, Tensor, Tensor]: Prototypes (n, D), classes (n,)
            int64, and (n,) int64, which image of the batch each is of.

        Raises:
            ValueError: If there is no such level, an image has no ground
                truth, or one of another size or with other classes.
        """
        segments = self.segments(inputs, data_samples)
        classes = []
        for labels, sample in zip(segments.maps, data_samples):
            target = self._target(sample)
            labels = restore_maps(labels[None], sample.metainfo)
            if labels.shape != target.shape:
                raise ValueError(
                    '`gt_sem_seg` must have the size of the original image, '
                    f'{tuple(labels.shape[1:])}, got '
                    f'{tuple(target.shape[1:])}: put LoadAnnotations behind '
                    'Resize in the pipeline of the memory bank, as in a test '
                    'pipeline')
            counts = segment_class_counts(
                labels.cpu(), target.cpu().long(), segments.known.size(1),
                self.num_classes, self.ignore_index)
            classes.append(majority_class(counts[0]))
        classes = torch.stack(classes).to(inputs.device)
        image, segment = (segments.known & (classes >= 0)).nonzero(
            as_tuple=True)
        return (segments.prototypes[image, segment], classes[image, segment],
                image)

    def bank_meta(self) -> Dict[str, Any]:
        """What a memory bank of this model is of.

        Returns:
            Dict[str, Any]: Settings, and a digest of the weights; banks for
            which they differ are not to be mixed.
        """
        return dict(num_classes=self.num_classes, level=self.level)

    def set_bank(self, bank: MemoryBank) -> None:
        """Take a memory bank to look neighbours up in.

        Args:
            bank (MemoryBank): What :meth:`bank_entries` of a training set
                gave.

        Raises:
            ValueError: If it is empty, has fewer entries than
                ``num_neighbors``, or classes beyond ``num_classes``.
        """
        if len(bank) == 0:
            raise ValueError(
                'the memory bank is empty: no segment of its images has a '
                'pixel with a class')
        if len(bank) < self.num_neighbors:
            raise ValueError(
                f'`num_neighbors` is {self.num_neighbors}, but the memory '
                f'bank has only {len(bank)} entries: fill it from more '
                'images, or take fewer neighbours')
        largest = int(bank.labels.max())
        if largest >= self.num_classes:
            raise ValueError(
                f'the memory bank has the class {largest}, beyond '
                f'`num_classes`, {self.num_classes}: it is of another data '
                'set')
        self.bank = bank

    # ------------------------------------------------------------- predicting

    @torch.no_grad()
    def predict(
            self,
            inputs: Tensor,
            data_samples: Optional[List[SegDataSample]] = None
    ) -> List[SegDataSample]:
        """Predict classes by retrieval.

        Args:
            inputs (Tensor): (B, C, H, W), from the data preprocessor.
            data_samples (List[SegDataSample], optional): One per image, with
                meta information. Defaults to None.

        Returns:
            List[SegDataSample]: With ``pred_sem_seg``, ``ignore_index``
            where a pixel has no segment, and ``pred_hierarchy``.

        Raises:
            RuntimeError: If there is no memory bank.
            ValueError: If the bank is of features of another width, or there
                is no such level.
        """
        if self.bank is None:
            raise RuntimeError(
                'there is no memory bank to look up neighbours in: add '
                "dict(type='mmhierseg.MemoryBankHook', dataloader=...) to "
                '`custom_hooks`, or call `set_bank`')
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        segments = self.segments(inputs, data_samples)
        width = segments.prototypes.size(2)
        if width != self.bank.num_channels:
            raise ValueError(
                f'the memory bank has features of {self.bank.num_channels} '
                f'channels, the model of {width}: fill it by this model')
        classes = torch.full_like(segments.known, self.ignore_index,
                                  dtype=torch.int64)
        if bool(segments.known.any()):
            classes[segments.known] = self.bank.retrieve(
                segments.prototypes[segments.known], self.num_neighbors,
                self.num_classes)
        pixels = look_up_parents(classes, segments.maps)
        pixels = pixels.masked_fill(segments.maps < 0, self.ignore_index)
        for sample, pred in zip(data_samples, pixels):
            pred = restore_maps(pred[None], sample.metainfo)
            sample.pred_sem_seg = PixelData(data=pred.clone())
        add_hierarchy(data_samples, segments.hierarchy)
        return data_samples

    def encode_decode(self, inputs: Tensor, batch_data_samples: list) -> None:
        """Not to be called: neighbours give classes, not logits."""
        raise NotImplementedError(f'{type(self).__name__} has no logits: '
                                  'use `predict`')

    @staticmethod
    def _target(sample: SegDataSample) -> Tensor:
        """Ground truth of an image, (1, H, W)."""
        if 'gt_sem_seg' not in sample:
            raise ValueError(
                'the data samples have no `gt_sem_seg`: put LoadAnnotations '
                'into the pipeline of the memory bank')
        return sample.gt_sem_seg.data
