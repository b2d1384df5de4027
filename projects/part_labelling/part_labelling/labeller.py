"""Objects and parts of images: segments, named by CLIP."""

import logging
from functools import cached_property

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

from mmhierseg._base.checks import check_number
from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
)
from mmhierseg.ops import compact_labels
from mmhierseg.registry import MODELS

from .cache import ResultCache
from .labelling import FILL, label_objects, label_parts, segment_pictures

PROMPT = 'a photo of a {}'
#: Errors that are not of an image, but of settings or of the machine.
_GENERAL = (UserError, OSError, ImportError, MemoryError,
            torch.OutOfMemoryError)


@MODELS.register_module()
class PartLabeller(BaseModel):
    """Names the segments of an image by CLIP: objects, then their parts.

    Data samples get ``pred_object`` and ``pred_part``, (1, H, W) int64, whose
    last id is the background (11 and 40). If an image fails, its sample gets
    ``failure`` instead, the reason; the log has it, too.

    It takes checkpoints of a backbone, ``backbone.*``, such as those of
    pre-training. CLIP and SAM have their weights from their own libraries.

    Args:
        segments (dict): :class:`HierarchySegments` or :class:`SAMSegments`.
        encoder (dict): :class:`OpenCLIPEncoder`, or another class with its
            ``key``, ``normalize``, ``encode_pictures`` and ``encode_texts``.
        cache_dir (str, optional): Folder that keeps embeddings and masks.
            Defaults to None: nothing is kept.
        max_failures (int): Number of failed images above which the test stops
            with an error. Defaults to 10.
        data_preprocessor (dict, optional): Of the model of the segments.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 segments: dict | nn.Module,
                 encoder: dict | nn.Module,
                 cache_dir: str | None = None,
                 max_failures: int = 10,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        check_number('max_failures', max_failures, 0, whole=True)
        self.segments, self.encoder = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (segments, encoder))
        self.cache = ResultCache(cache_dir)
        self.max_failures = max_failures
        self.num_failures = 0
        self._register_load_state_dict_pre_hook(self._take_weights)

    def forward(self,
                inputs: Tensor,
                data_samples: list[BaseDataElement] | None = None,
                mode: str = 'tensor') -> list[BaseDataElement]:
        """Predict; there is nothing to train."""
        if mode != 'predict':
            raise NotImplementedError('PartLabeller has no loss and gives no '
                                      'tensors: run it by tools/test.py')
        return self.predict(inputs, data_samples)

    @torch.no_grad()
    def predict(
            self, inputs: Tensor,
            data_samples: list[BaseDataElement]) -> list[BaseDataElement]:
        """Add the predictions to data samples.

        Args:
            inputs (Tensor): (B, C, H, W), as ``segments`` takes it.
            data_samples (list[BaseDataElement]): Each with ``crop``, the
                image as CLIP takes it, (3, H, W) uint8 RGB.

        Returns:
            list[BaseDataElement]: The same samples.

        Raises:
            UserError: If too many images failed.
        """
        # One by one, so that a result does not depend on the batch.
        for image, sample in zip(inputs, data_samples, strict=True):
            try:
                maps = self._label(image[None], sample.crop.data)
            except _GENERAL:
                raise
            except Exception as error:
                self._fail(sample, error)
                continue
            for task, labels in maps.items():
                sample.set_field(
                    PixelData(data=labels[None]), f'pred_{task}',
                    dtype=PixelData)
        return data_samples

    def _label(self, inputs: Tensor, crop: Tensor) -> dict[str, Tensor]:
        """Maps of objects and parts, (H, W), of one image."""
        crop = crop.to(inputs.device)
        part_map, object_map = (
            compact_labels(labels[None])[0][0]
            for labels in self.segments(inputs, crop, self.cache))
        object_names, part_names, object_of_part = self._names
        objects = label_objects(
            object_map, self._embed(crop, object_map), object_names)
        parts = label_parts(
            part_map, objects, self._embed(crop, part_map), part_names,
            object_of_part)
        return dict(object=objects, part=parts)

    def _embed(self, crop: Tensor, labels: Tensor) -> Tensor:
        """(n, D) embeddings of the pictures of segments."""
        number = int(labels.max()) + 1
        if number == 0:
            return self._names[0][:0]

        def compute():
            pictures = segment_pictures(
                self.encoder.normalize(crop), labels, number)
            return self.encoder.encode_pictures(pictures).cpu().numpy()

        found = self.cache([
            'pictures', str(FILL), self.encoder.key,
            crop.cpu().numpy(), labels.cpu().numpy()
        ], compute)
        return torch.from_numpy(found).to(labels.device)

    @cached_property
    def _names(self) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings of the names of objects and of parts; parts' objects."""
        objects, parts = (
            self.encoder.encode_texts([PROMPT.format(n) for n in names])
            for names in ((*OBJECTS, 'Background'), PARTS))
        return objects, parts, torch.from_numpy(
            OBJECT_OF_PART[1:].astype(int) - 1).to(parts.device)

    def _fail(self, sample: BaseDataElement, error: Exception) -> None:
        """Note that an image failed; stop if there are too many."""
        reason = f'{type(error).__name__}: {error}'
        sample.set_metainfo(dict(failure=reason))
        self.num_failures += 1
        path = sample.get('img_path')
        print_log(f"'{path}' failed and is left out: {reason}",
                  logger='current', level=logging.WARNING)
        if self.num_failures > self.max_failures:
            raise UserError(
                f'{self.num_failures} images failed, more than `max_failures` '
                f"= {self.max_failures}; the last one, '{path}': "
                f'{reason}') from error

    def _take_weights(self, state_dict: dict, prefix: str, *_) -> None:
        """Move the weights of a pre-trained backbone to its place."""
        path = self.segments.backbone_path
        if path is None:
            self.segments.take_weights(state_dict)
            return
        start = f'{prefix}backbone.'
        for name in [name for name in state_dict if name.startswith(start)]:
            state_dict[f'{prefix}segments.{path}{name[len(start):]}'] = (
                state_dict.pop(name))
