"""Segmentation by the nearest neighbours of segments, without fine-tuning.

CAST (Ke et al., ICLR 2024) and HSG (Ke et al., CVPR 2022) evaluate what was
learned without labels by retrieval: every segment of a test image takes the
class of most of its k nearest neighbours among the segments of a training set.

Legend: B images, M segments of a level, D channels, K classes, H x W pixels.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation.memory_bank import MemoryBank
from mmhierseg.ops import look_up_parents, majority_class, segment_class_counts
from mmhierseg.ops.checks import check_at_least_1
from mmhierseg.structures import SegmentHierarchy, add_hierarchy, restore_maps


class LevelSegments(NamedTuple):
    """Segments of a level in a batch of images."""

    maps: Tensor
    """(B, H, W) int64 in [-1, M - 1], -1 = none."""
    prototypes: Tensor
    """(B, M, D), of unit length."""
    known: Tensor
    """(B, M) bool: segments that have a prototype."""
    hierarchy: SegmentHierarchy
    """All levels."""


class SegmentRetriever(BaseSegmentor):
    """Gives each segment the majority class of its nearest neighbours.

    The neighbours are in a memory bank of the segments of a training set,
    which :class:`~mmhierseg.engine.MemoryBankHook` fills before validation
    and testing. In testing, data samples get ``pred_sem_seg``, for any metric
    of segmentations, and ``pred_hierarchy``, for those of hierarchies.

    Subclasses define the segments in :meth:`segments`.

    Args:
        num_classes (int): Number of classes K.
        num_neighbors (int): Number k of neighbours. Defaults to 20.
        level (int): Level of the hierarchy whose segments are classified;
            0 is the finest, -1 the coarsest. Defaults to -1.
        ignore_index (int): Ground truth that is ignored, and the prediction
            where there is no segment. Defaults to 255.
        **kwargs: ``data_preprocessor`` and ``init_cfg``, as for any model.
    """

    def __init__(self,
                 num_classes: int,
                 num_neighbors: int = 20,
                 level: int = -1,
                 ignore_index: int = 255,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        check_at_least_1(
            num_classes=num_classes, num_neighbors=num_neighbors)
        self.num_classes = num_classes
        self.num_neighbors = num_neighbors
        self.level = level
        self.ignore_index = ignore_index
        self.bank: MemoryBank | None = None

    @abstractmethod
    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """Segments of ``level`` in preprocessed images (B, C, H, W).

        Pixels that are padding by the samples' meta information have none.
        """

    @torch.no_grad()
    def bank_entries(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Prototypes and classes of the segments of annotated images.

        The class is that of most pixels, counting ignored ones: segments that
        are mostly ignored are left out. ``gt_sem_seg`` has the size of the
        original image, as MMSegmentation loads it in testing, or of the input
        without padding.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Prototypes (n, D), classes (n,)
            int64, and index in the batch of the image of each, (n,) int64.
        """
        segments = self.segments(inputs, data_samples)
        classes = torch.stack([
            self._majority(labels[None], segments.known.size(1), sample)
            for labels, sample in zip(segments.maps, data_samples)
        ]).to(inputs.device)
        has_class = (classes >= 0) & (classes < self.num_classes)
        image, segment = (segments.known & has_class).nonzero(as_tuple=True)
        return (segments.prototypes[image, segment], classes[image, segment],
                image)

    def _majority(self, labels: Tensor, num_segments: int,
                  sample: SegDataSample) -> Tensor:
        """(M,) int64: class of each segment of an image, K = ignored."""
        if 'gt_sem_seg' not in sample:
            raise UserError(
                'the data samples have no `gt_sem_seg`: put LoadAnnotations '
                'into the pipeline of the memory bank')
        target, metainfo = sample.gt_sem_seg.data, sample.metainfo
        if target.shape[1:] == metainfo.get('img_shape', ())[:2]:
            metainfo = dict(metainfo, ori_shape=metainfo['img_shape'])
        labels = restore_maps(labels, metainfo)
        if labels.shape != target.shape:
            raise UserError(
                '`gt_sem_seg` must have the size of the original image, '
                f'{tuple(labels.shape[1:])}, or of the resized one, got '
                f'{tuple(target.shape[1:])}: put LoadAnnotations directly '
                'before or after resizing in the pipeline of the memory bank')
        labels, target = labels.cpu(), target.cpu().long()
        try:
            counts = segment_class_counts(
                labels, target, num_segments, self.num_classes,
                self.ignore_index)
        except ValueError as error:
            raise UserError(str(error)) from error
        sizes = labels[labels >= 0].bincount(minlength=num_segments)
        ignored = sizes - counts[0].sum(dim=1)
        return majority_class(torch.cat([counts[0], ignored[:, None]], dim=1))

    def bank_meta(self) -> dict[str, Any]:
        """Settings and a digest of weights that banks must have in common."""
        return dict(num_classes=self.num_classes, level=self.level,
                    ignored_pixels='vote')

    def set_bank(self, bank: MemoryBank) -> None:
        """Set the memory bank, collected by :meth:`bank_entries`."""
        if len(bank) == 0:
            raise UserError('the memory bank is empty: all segments of its '
                            'images are mostly ignored')
        if len(bank) < self.num_neighbors:
            raise UserError(
                f'`num_neighbors` is {self.num_neighbors}, but the memory '
                f'bank has only {len(bank)} entries: fill it from more '
                'images, or use fewer neighbours')
        largest = int(bank.labels.max())
        if largest >= self.num_classes:
            raise UserError(
                f'the memory bank has the class {largest}, beyond '
                f'`num_classes`, {self.num_classes}: it is of another dataset')
        self.bank = bank

    @torch.no_grad()
    def predict(
            self,
            inputs: Tensor,
            data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predict ``pred_sem_seg`` by retrieval, and ``pred_hierarchy``."""
        if self.bank is None:
            raise UserError(
                'there is no memory bank to search for neighbours: add '
                "dict(type='mmhierseg.MemoryBankHook', dataloader=...) to "
                '`custom_hooks`, or call `set_bank`')
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        segments = self.segments(inputs, data_samples)
        width = segments.prototypes.size(2)
        if width != self.bank.num_channels:
            raise UserError(
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

    def _forward(self, inputs: Tensor, data_samples: list | None = None):
        return self.extract_feat(inputs)

    def encode_decode(self, inputs: Tensor, batch_data_samples: list) -> None:
        """Not available: retrieval gives classes, not logits."""
        raise NotImplementedError(f'{type(self).__name__} has no logits: '
                                  'use `predict`')


def check_level(level: int, num_levels: int) -> None:
    """Check that a hierarchy has a level; negative ones count from the end."""
    if not -num_levels <= level < num_levels:
        raise UserError(
            f'`level` is {level}, but the hierarchy has {num_levels} levels, '
            f'0 (fine) to {num_levels - 1} (coarse)')


def without_padding(labels: Tensor,
                    data_samples: Sequence[SegDataSample]) -> Tensor:
    """Copy (B, H, W) labels, with -1 where the preprocessor has padded."""
    labels = labels.clone()
    height, width = labels.shape[1:]
    for image, sample in zip(labels, data_samples):
        metainfo = sample.metainfo
        left, right, top, bottom = metainfo.get(
            'img_padding_size', metainfo.get('padding_size', (0, 0, 0, 0)))
        image[:top] = image[height - bottom:] = -1
        image[:, :left] = image[:, width - right:] = -1
    return labels
