"""One step of a classifier or of MoCo v3: what is timed.

A step is MMEngine's: ``test_step`` or ``train_step`` of the model, on a batch
as the data loader hands it over, on the device already, so it begins with the
data preprocessor. Legend: B images, H x W pixels.
"""

from typing import NamedTuple

import torch
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample
from torch import Tensor

from benchmarks.memory import held_by_training
from benchmarks.models import (
    SUPERPIXELS,
    Contender,
    build_model,
    model_config,
)
from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.datasets.transforms import GenerateSuperpixels
from mmhierseg.engine.device import CPUAutocastOptimWrapper

__all__ = ['GPU_MODES', 'MODES', 'Mode', 'Step', 'loader_image']

#: Any that all classifiers know.
_LABELS = 10
#: As that of the configs.
_OPTIMIZER = dict(type='AdamW', lr=1e-4, weight_decay=0.05, fused=True)


class Mode(NamedTuple):
    """A task at a precision."""

    task: str
    """'inference', 'training' or 'pretraining'."""

    precision: str
    """'fp32' or 'bf16'."""

    title: str
    meaning: str
    """Contents of the measured step."""


_STEP = 'AdamW and the clearing of gradients'
_TASKS = dict(
    inference=('Inference', '`test_step` of the classifier: normalisation, '
               'backbone, head, softmax'),
    training=('Training step', '`train_step` of the classifier: '
              'normalisation, Mixup or CutMix, forward, loss of 1000 '
              f'classes, backward, {_STEP}'),
    pretraining=('MoCo v3 step', '`train_step` of MoCo v3, per image, which '
                 'is two views: normalisation, both views through encoder, '
                 'projector, predictor and the momentum encoder, loss, '
                 f'backward, {_STEP}'))
MODES = {
    f'{task}-{precision}': Mode(task, precision, f'{title}, {words}', meaning)
    for task, (title, meaning) in _TASKS.items()
    for precision, words in (('fp32', 'fp32'), ('bf16', 'bf16 autocast'))
}
#: Too slow on most CPUs to be measured with the others.
GPU_MODES = ('training-bf16', 'pretraining-bf16')


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
            torch.stack([
                loader_image(_scene(index, img_size), with_maps)
                for index in range(first, first + batch_size)
            ]).to(device)
            for first in range(0, batch_size * (1 + learner), batch_size)
        ]
        self.optim_wrapper = None
        # Not chained: `train` of MMPretrain's MoCoV3ViT returns nothing.
        self.model.train(mode.task != 'inference')
        if mode.task != 'inference':
            optimizer = dict(type='OptimWrapper', optimizer=_OPTIMIZER)
            if mode.precision == 'bf16' and device == 'cuda':
                optimizer.update(type='AmpOptimWrapper', dtype='bfloat16')
            elif mode.precision == 'bf16':
                optimizer.update(type=CPUAutocastOptimWrapper)
            self.optim_wrapper = build_optim_wrapper(self.model, optimizer)
            # The schedule of the momentum asks for it; a runner sets it.
            MessageHub.get_current_instance().update_info('max_iters', 10**6)

    def __call__(self) -> object:
        """Do one step; predictions or losses."""
        if self.mode.task == 'pretraining':
            data = dict(inputs=list(self.views), data_samples=None)
        else:
            # New ones each time: a step writes mixed labels into them.
            data = dict(
                inputs=self.views[0],
                data_samples=[
                    DataSample().set_gt_label(i % _LABELS)
                    for i in range(len(self.views[0]))
                ])
        if self.optim_wrapper is not None:
            return self.model.train_step(data, self.optim_wrapper)
        bf16 = self.mode.precision == 'bf16'
        with torch.no_grad(), torch.autocast(
                self.device, torch.bfloat16, enabled=bf16):
            return self.model.test_step(data)

    def held_bytes(self) -> int:
        """Memory of weights, buffers, gradients and optimizer state."""
        return held_by_training(
            self.model, self.optim_wrapper and self.optim_wrapper.optimizer)


def _scene(index: int, img_size: int) -> torch.Tensor:
    return make_scene(0, index, SceneOptions(size=(img_size, img_size))).image


def loader_image(image, with_map: bool) -> Tensor:
    """An image as the loader hands it over.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        with_map (bool): Whether superpixels are the fourth channel.

    Returns:
        Tensor: (3, H, W) uint8 BGR, or (4, H, W) int32.
    """
    image = image[..., ::-1].copy()
    if with_map:
        image = GenerateSuperpixels(SUPERPIXELS)(dict(img=image))['img']
    return torch.from_numpy(image).permute(2, 0, 1).contiguous()
