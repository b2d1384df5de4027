"""One step of a model: what is timed.

A step is MMEngine's: ``test_step`` or ``train_step`` of the model, which take
a batch as the data loader hands it over, on the device already, and begin with
the data preprocessor. Legend: B images, H x W pixels.
"""

from itertools import chain
from typing import Dict, List, NamedTuple, Optional

import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmpretrain.structures import DataSample
from torch import Tensor

from benchmarks.common.memory import held_bytes
from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.datasets.transforms import GenerateSuperpixels

from .models import SUPERPIXELS, Contender, build_model, model_config

__all__ = ['MODES', 'Mode', 'Step']

#: Any that all classifiers know.
_LABELS = 10
_OPTIMIZER = dict(type='AdamW', lr=1e-4, weight_decay=0.05)


class Mode(NamedTuple):
    """What a model is asked to do."""

    task: str
    """'inference', 'training' or 'pretraining'."""

    precision: str
    """'fp32' or 'bf16'."""

    title: str

    meaning: str
    """What is in the numbers."""


def _modes() -> Dict[str, Mode]:
    step = 'AdamW and the clearing of gradients'
    tasks = dict(
        inference=('Inference', '`test_step` of the classifier: '
                   'normalisation, backbone, head, softmax'),
        training=('Training step', '`train_step` of the classifier: '
                  'normalisation, Mixup or CutMix, forward, loss of 1000 '
                  f'classes, backward, {step}'),
        pretraining=('MoCo v3 step', '`train_step` of MoCo v3, per image, '
                     'which is two views: normalisation, both views through '
                     'encoder, projector, predictor and the momentum '
                     f'encoder, loss, backward, {step}'))
    precisions = dict(fp32='fp32', bf16='bf16 autocast')
    return {
        f'{task}-{precision}': Mode(task, precision, f'{title}, {words}',
                                    meaning)
        for task, (title, meaning) in tasks.items()
        for precision, words in precisions.items()
    }


MODES = _modes()


class Step:
    """A model with a batch; calling it does one step.

    Args:
        contender (Contender): The model.
        mode (Mode): What it does.
        batch_size (int): Images in a batch.
        img_size (int): Their height and width.
        make_superpixels (bool): Whether superpixels are made in the step.
            Otherwise they come with the images, made beforehand, if the model
            takes any.
        device (str): 'cpu' or 'cuda'.
    """

    def __init__(self, contender: Contender, mode: Mode, batch_size: int,
                 img_size: int, make_superpixels: bool, device: str) -> None:
        torch.manual_seed(0)
        self.mode, self.device = mode, device
        learner = mode.task == 'pretraining'
        self.model = build_model(
            model_config(contender, learner, img_size,
                         make_superpixels)).to(device)
        with_maps = contender.takes_superpixels and not make_superpixels
        self.views = [
            make_images(batch_size, img_size, first, with_maps).to(device)
            for first in range(0, batch_size * (1 + learner), batch_size)
        ]
        self.optim_wrapper: Optional[OptimWrapper] = None
        # Not chained: `train` of MMPretrain's MoCoV3ViT returns nothing.
        self.model.train(mode.task != 'inference')
        if mode.task != 'inference':
            self.optim_wrapper = build_optim_wrapper(
                self.model, _optim_wrapper(mode.precision))
            # The schedule of the momentum asks for it: a runner would say.
            MessageHub.get_current_instance().update_info('max_iters', 10**6)

    def __call__(self) -> object:
        """Do one step.

        Returns:
            list[DataSample] | dict: What the model predicts, or its losses.
        """
        data = self._batch()
        if self.optim_wrapper is not None:
            return self.model.train_step(data, self.optim_wrapper)
        bf16 = self.mode.precision == 'bf16'
        with torch.no_grad(), torch.autocast(
                self.device, torch.bfloat16, enabled=bf16):
            return self.model.test_step(data)

    def held_bytes(self) -> int:
        """Memory of weights, buffers and the optimizer's state."""
        tensors: List[Tensor] = list(
            chain(self.model.parameters(), self.model.buffers()))
        tensors += [x.grad for x in self.model.parameters()
                    if x.grad is not None]
        if self.optim_wrapper is not None:
            for state in self.optim_wrapper.optimizer.state.values():
                tensors += [x for x in state.values()
                            if isinstance(x, Tensor)]
        return held_bytes(
            x for x in tensors if x.device.type == self.device)

    def parameters_of_backbone(self) -> int:
        """How many numbers the backbone has to learn, or has fixed."""
        return sum(x.numel() for x in self.model.backbone.parameters())

    def _batch(self) -> dict:
        if self.mode.task == 'pretraining':
            return dict(inputs=list(self.views), data_samples=None)
        # New ones each time: a step writes mixed labels into them.
        samples = [_sample(i) for i in range(len(self.views[0]))]
        return dict(inputs=self.views[0], data_samples=samples)


def make_images(number: int, img_size: int, first: int,
                with_maps: bool) -> Tensor:
    """A batch of part-whole scenes as the loader hands it over.

    Args:
        number (int): Of images.
        img_size (int): Height and width.
        first (int): Index of the first scene.
        with_maps (bool): Whether superpixels are the fourth channel.

    Returns:
        Tensor: (B, 3, H, W) uint8 BGR, or (B, 4, H, W) int32.
    """
    options = SceneOptions(size=(img_size, img_size))
    transform = GenerateSuperpixels(SUPERPIXELS)
    images = []
    for index in range(first, first + number):
        image = make_scene(0, index, options).image[..., ::-1].copy()
        if with_maps:
            image = transform(dict(img=image))['img']
        images.append(torch.from_numpy(image).permute(2, 0, 1))
    return torch.stack(images).contiguous()


def _sample(label: int) -> DataSample:
    return DataSample().set_gt_label(label % _LABELS)


def _optim_wrapper(precision: str) -> dict:
    if precision == 'fp32':
        return dict(type='OptimWrapper', optimizer=_OPTIMIZER)
    return dict(
        type='AmpOptimWrapper', dtype='bfloat16', optimizer=_OPTIMIZER)
