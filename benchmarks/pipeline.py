"""The pipelines that are compared, and one pass of each over the files.

All come from configs of this repository: two views of each image with the
augmentation of MoCo v3, as ``train_dataloader`` has it, then the model's data
preprocessor.
"""

import random
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets import MultiView

from mmhierseg.cli.options import read_config

__all__ = ['BASELINE', 'PIPELINES', 'Pass', 'Pipeline', 'time_parts']

ROOT = Path(__file__).resolve().parents[2]


class Pipeline(NamedTuple):
    """A way to make batches."""

    config: str
    """Below configs/."""

    in_loader: Optional[dict] = None
    """Superpixels that take the place of those in the config's pipeline."""


BASELINE = 'SEEDS in the loader'
_SLIC = dict(type='TorchSLIC', segment_size=16)
PIPELINES: Dict[str, Pipeline] = {
    'no superpixels': Pipeline('baselines/vit-s_in1k.py'),
    BASELINE: Pipeline('cast/cast-s_in1k.py'),
    'TorchSLIC in the loader': Pipeline('cast/cast-s_in1k.py', _SLIC),
    'TorchSLIC on the device': Pipeline('cast/cast-s_in1k_torchslic.py'),
}


class Pass:
    """A data loader and a preprocessor; calling it makes all batches once.

    Args:
        name (str): One of ``PIPELINES``.
        folder (Path): With images below ``train``.
        batch_size (int): Images of a batch, two views each.
        workers (int): Processes of the loader; 0 means this one.
        device (str): 'cpu' or 'cuda', where the preprocessor works.
        img_size (int): Side of the views. Defaults to 224.
    """

    def __init__(self, name: str, folder: Path, batch_size: int, workers: int,
                 device: str, img_size: int = 224) -> None:
        cfg = _read(PIPELINES[name], folder, img_size)
        init_default_scope('mmpretrain')
        # As in a runner; workers inherit it.
        cv2.setNumThreads(0)
        self.loader = Runner.build_dataloader(
            dict(
                cfg.train_dataloader,
                batch_size=batch_size,
                num_workers=workers,
                persistent_workers=workers > 0,
                pin_memory=device == 'cuda',
                drop_last=False),
            seed=0)
        self.dataset = self.loader.dataset
        self.preprocessor = MODELS.build(
            cfg.model.data_preprocessor).to(device)

    def __len__(self) -> int:
        """Images of a pass."""
        return len(self.dataset)

    def __call__(self) -> List[torch.Tensor]:
        """Make all batches.

        Returns:
            list[Tensor]: The views of the last batch.
        """
        # Without workers, all pipelines draw the same crops and colours.
        random.seed(0)
        np.random.seed(0)
        for batch in self.loader:
            inputs = self.preprocessor(batch, training=True)['inputs']
        return inputs


def time_parts(one: Pass) -> Dict[str, float]:
    """Time each transform of a pipeline, and the preprocessor.

    Args:
        one (Pass): Without workers.

    Returns:
        Dict[str, float]: Seconds of a pass by the names of the transforms,
        both views together. ``'other'`` is what no transform takes:
        collating, copying, the loader itself.
    """
    seconds: Dict[str, float] = {}
    undo = [_watch(one.preprocessor, 'forward', 'preprocessor', seconds)]
    for transform in one.dataset.pipeline.transforms:
        steps = [transform]
        if isinstance(transform, MultiView):
            steps = [x for view in transform.transforms
                     for x in view.transforms]
        undo += [_watch(x, 'transform', _name(x), seconds) for x in steps]
    start = time.perf_counter()
    one()
    total = time.perf_counter() - start
    for method in undo:
        method()
    seconds['other'] = total - sum(seconds.values())
    return seconds


def _name(transform: object) -> str:
    """Of its class; of that which `RandomApply` applies."""
    inner = getattr(transform, 'transforms', None)
    if inner is not None:
        transform = inner.transforms[0]
    return type(transform).__name__


def _watch(item: object, method: str, name: str,
           seconds: Dict[str, float]) -> Callable[[], None]:
    """Add the seconds of every call; what is returned undoes it."""
    original = getattr(item, method)

    def call(*args, **kwargs):
        start = time.perf_counter()
        result = original(*args, **kwargs)
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        passed = time.perf_counter() - start
        seconds[name] = seconds.get(name, 0.) + passed
        return result

    setattr(item, method, call)
    return lambda: delattr(item, method)


def _read(pipeline: Pipeline, folder: Path, img_size: int) -> Config:
    cfg = read_config(str(ROOT / 'configs' / pipeline.config))
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(folder)
    for views in dataset.pipeline:
        for view in views.get('transforms', ()):
            for step in view:
                if step.type == 'RandomResizedCrop':
                    step.scale = img_size
                elif step.type == 'mmhierseg.GenerateSuperpixels':
                    step.superpixels = _superpixels(
                        pipeline.in_loader or step.superpixels, img_size)
    return cfg


def _superpixels(settings: dict, img_size: int) -> dict:
    """As many pixels in each at any size of the view."""
    settings = dict(settings)
    if 'num_segments' in settings:
        settings['num_segments'] = (img_size // 16)**2
    return settings

