"""Images per second of the pipeline that MoCo v3 trains from.

Decoding, two views, augmentation, superpixels and normalisation, from the
configs of this repository: the pipeline of ``train_dataloader``, then the
model's data preprocessor.
"""

import random
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets import MultiView

from benchmarks.images import write_photographs
from benchmarks.models import SUPERPIXELS, read_config
from benchmarks.report import Report, markdown_table
from benchmarks.timing import paired_ratio, spread, take_turns

__all__ = ['BASELINE', 'PIPELINES', 'Pass', 'run', 'time_parts']

OPTIONS = dict(
    workers=dict(nargs='+', type=int, default=[0], least=0,
                 help='processes of the loader; 0 is this one'),
    images=dict(type=int, default=56, quick=14, help='photographs of a pass'),
    batch_size=dict(type=int, default=4, help='images in a batch'),
    img_size=dict(type=int, default=224, help='height and width of a view'),
    repeats=dict(type=int, default=5, quick=3, help='rounds'))


class Pipeline(NamedTuple):
    """A way to make batches."""

    config: str
    """Below configs/."""

    in_loader: dict | None = None
    """Superpixels that take the place of those in the config's pipeline."""


BASELINE = 'SEEDS in the loader'
PIPELINES = {
    'no superpixels': Pipeline('baselines/vit-s_in1k.py'),
    BASELINE: Pipeline('cast/cast-s_in1k.py'),
    'TorchSLIC in the loader': Pipeline('cast/cast-s_in1k.py', SUPERPIXELS),
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

    def __call__(self) -> list[torch.Tensor]:
        """Make all batches; the views of the last one."""
        # Without workers, all pipelines draw the same crops and colours.
        random.seed(0)
        np.random.seed(0)
        for batch in self.loader:
            inputs = self.preprocessor(batch, training=True)['inputs']
        return inputs


def _read(pipeline: Pipeline, folder: Path, img_size: int):
    cfg = read_config(pipeline.config)
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(folder)
    steps = [
        step for views in dataset.pipeline
        for view in views.get('transforms', ()) for step in view
    ]
    for step in steps:
        if step.type == 'RandomResizedCrop':
            step.scale = img_size
        elif step.type == 'mmhierseg.GenerateSuperpixels':
            settings = dict(pipeline.in_loader or step.superpixels)
            if 'num_segments' in settings:
                # As many pixels in each at any size of the view.
                settings['num_segments'] = (img_size // 16)**2
            step.superpixels = settings
    return cfg


def time_parts(one: Pass) -> dict[str, float]:
    """Time each transform of a pipeline without workers, and the preprocessor.

    Args:
        one (Pass): Without workers.

    Returns:
        dict[str, float]: Seconds of a pass by the names of the transforms,
        both views together. ``'other'`` is the rest: collating, copying, the
        loader itself.
    """
    seconds = {}
    undo = [_watch(one.preprocessor, 'forward', 'preprocessor', seconds)]
    for transform in one.dataset.pipeline.transforms:
        steps = [transform]
        if isinstance(transform, MultiView):
            steps = [x for view in transform.transforms
                     for x in view.transforms]
        for step in steps:
            # `RandomApply` is named by what it applies.
            inner = getattr(step, 'transforms', None)
            named = step if inner is None else inner.transforms[0]
            undo.append(
                _watch(step, 'transform', type(named).__name__, seconds))
    start = time.perf_counter()
    one()
    total = time.perf_counter() - start
    for method in undo:
        method()
    seconds['other'] = total - sum(seconds.values())
    return seconds


def _watch(item: object, method: str, name: str,
           seconds: dict[str, float]) -> Callable[[], None]:
    """Add up the seconds of every call; the returned function undoes it."""
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


def _speed_table(results: dict[int, dict[str, list[float]]],
                 images: int) -> str:
    rows = []
    for workers, seconds in results.items():
        for name, values in seconds.items():
            time = spread([1e3 * x / images for x in values])
            ratio = paired_ratio(seconds[BASELINE], values).median
            rows.append([
                name, f'{workers}', f'{1e3 / time.median:.1f}',
                f'{time.median:.1f} ({time.low:.1f}–{time.high:.1f})',
                f'{ratio:.2f}'
            ])
    return markdown_table(('superpixels', 'workers', 'images/s',
                           'ms an image (quartiles)', 'images/s : SEEDS'),
                          rows)


def _parts_table(parts: dict[str, dict[str, float]], images: int) -> str:
    # In the order of the pipeline that has all steps.
    steps = [x for x in parts[BASELINE] if x != 'other'] + ['other']
    return markdown_table(('ms an image', *parts), [[
        step, *(f'{1e3 * one[step] / images:.2f}' if step in one else '–'
                for one in parts.values())
    ] for step in steps])


def run(args: Namespace) -> Report:
    """Measure with all numbers of workers."""
    seconds, parts = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), args.images)
        for workers in args.workers:
            passes = {
                name: Pass(name, Path(folder), args.batch_size, workers,
                           args.device, args.img_size) for name in PIPELINES
            }
            seconds[workers] = take_turns(
                passes, args.repeats, warmup=1, min_seconds=0.,
                device=args.device, progress=args.progress)
            if not workers:
                parts = {name: time_parts(x) for name, x in passes.items()}
    text = [
        f'{args.images} images a pass, views of {args.img_size} x '
        f'{args.img_size}, batches of {args.batch_size}; {args.repeats} '
        'rounds', _speed_table(seconds, args.images)
    ]
    if parts:
        text.append(_parts_table(parts, args.images))
    return Report({f'pipeline on {args.place}': '\n\n'.join(text)},
                  dict(seconds=seconds, parts=parts))
