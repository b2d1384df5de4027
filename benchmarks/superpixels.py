"""Time and quality of superpixels: TorchSLIC against SEEDS and SLIC.

Also against fast-slic where it is installed, which nothing else uses: ``pip
install cython numpy 'setuptools<81'``, then ``pip install
--no-build-isolation fast-slic==0.4.0``.
"""

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
import torch
from skimage.measure import label
from torch import Tensor

from benchmarks.images import make_photographs, make_scenes, to_tensor
from benchmarks.report import Report, markdown_table
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    undersegmentation_error,
)
from mmhierseg.ops import has_numba
from mmhierseg.registry import SUPERPIXELS
from tools.dataset_converters.skimage_photos import PHOTOGRAPHS

__all__ = ['FAST_SLIC', 'MEASURES', 'METHODS', 'Method', 'rate', 'run',
           'time_methods']


def _parse_size(words: str) -> tuple[int, int]:
    """Height and width, from '224' or '1024x2048'."""
    try:
        sides = [int(side) for side in words.split('x')]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or min(sides) < 1:
        raise ArgumentTypeError(
            f'expected a side in pixels or HEIGHTxWIDTH, got {words!r}')
    return sides[0], sides[-1]


OPTIONS = dict(
    sizes=dict(nargs='+', type=_parse_size,
               default=[(224, 224), (448, 448), (512, 512)],
               quick=[(224, 224)], metavar='SIZE',
               help='sides of the images, as 512 or 1024x2048'),
    segment_size=dict(type=int, default=16,
                      help='side of the average segment in pixels'),
    batch_size=dict(type=int, default=1, help='images of a call'),
    images=dict(type=int, default=14, help='photographs, and scenes'),
    repeats=dict(type=int, default=9, quick=3, help='rounds'))
_SWITCH = 'MMHIERSEG_COMPILED'
#: Tolerance of boundary recall in pixels.
_TOLERANCE = 2


class _Setting(NamedTuple):
    """How to build a method."""

    options: dict
    compiled: bool | None = None
    """Whether by numba kernels; None if the method has none."""

    layout: torch.memory_format = torch.contiguous_format
    """Memory layout of images that the method can read without a copy."""


class _FastSLIC:
    """The AVX2 code of fast-slic on one thread, with its defaults."""

    def __init__(self, segment_size: float) -> None:
        self.segment_size = segment_size

    def __call__(self, images: Tensor) -> Tensor:
        """Divide (B, 3, H, W) uint8 images; labels (B, H, W) int16."""
        from fast_slic.avx2 import SlicAvx2
        number = round(images[0, 0].numel() / self.segment_size**2)
        return torch.stack([
            torch.from_numpy(
                SlicAvx2(num_components=number, num_threads=1).iterate(
                    np.ascontiguousarray(image)))
            for image in images.permute(0, 2, 3, 1).cpu().numpy()
        ])


FAST_SLIC = 'fast-slic 0.4.0'
#: The settings of SEEDS are those of CAST's MoCo recipe, and of DeiT and
#: fine-tuning.
METHODS = {
    'SEEDS (15, 20)': _Setting(dict(type='SEEDS')),
    'SEEDS (5, 15)': _Setting(
        dict(type='SEEDS', histogram_bins=5, num_iterations=15)),
    'SLIC of scikit-image': _Setting(dict(type='SLIC')),
    'TorchSLIC': _Setting(dict(type='TorchSLIC'), compiled=True),
    'TorchSLIC, torch only': _Setting(dict(type='TorchSLIC'), compiled=False),
    'TorchSLIC, half resolution': _Setting(
        dict(type='TorchSLIC', half_resolution=True), compiled=True),
    'grid': _Setting(dict(type='Grid')),
}
if find_spec('fast_slic') is not None:
    METHODS[FAST_SLIC] = _Setting(
        dict(type=_FastSLIC), layout=torch.channels_last)
_BASELINES = ('SEEDS (15, 20)', 'SEEDS (5, 15)')
#: Columns of the table of quality; the first two are counts.
MEASURES = ('segments', 'fragments', 'explained variation',
            'achievable segmentation accuracy', 'under-segmentation error',
            'boundary recall')


class Method:
    """A method of ``METHODS``; calling it divides a batch of images."""

    def __init__(self, name: str, segment_size: int) -> None:
        setting = METHODS[name]
        self.superpixels = SUPERPIXELS.build(
            dict(setting.options, segment_size=segment_size))
        self.compiled, self.layout = setting.compiled, setting.layout

    def __call__(self, images: Tensor) -> Tensor:
        """Divide (B, 3, H, W) uint8 images; integer labels (B, H, W)."""
        before = os.environ.get(_SWITCH)
        if self.compiled is not None:
            os.environ[_SWITCH] = str(int(self.compiled))
        try:
            return self.superpixels(images)
        finally:
            os.environ.pop(_SWITCH, None)
            if before is not None:
                os.environ[_SWITCH] = before


def time_methods(names: list[str], images: Tensor, batch_size: int,
                 segment_size: int, repeats: int, device: str = 'cpu',
                 progress: Callable[[str], None] | None = None
                 ) -> dict[str, list[float]]:
    """Time methods on the same images, in turns.

    Args:
        names (list[str]): Of ``METHODS``.
        images (Tensor): (N, 3, H, W) uint8.
        batch_size (int): Images of a call.
        segment_size (int): Side of the average segment in pixels.
        repeats (int): Rounds.
        device (str): Where the images are. Defaults to 'cpu'.
        progress (Callable, optional): Called with a message after each step.

    Returns:
        dict[str, list[float]]: Seconds an image of each method and round.
    """
    # Each batch has memory of its own, as images from a loader have.
    batches = [x.to(device).clone() for x in images.split(batch_size)]

    def divide(method: Method, batches: list[Tensor]) -> None:
        for batch in batches:
            method(batch)

    calls = {}
    for name in names:
        method = Method(name, segment_size)
        calls[name] = partial(divide, method, [
            x.contiguous(memory_format=method.layout) for x in batches])
    # OpenCV's SEEDS has no threads of its own; its preparation has.
    cv2.setNumThreads(torch.get_num_threads())
    seconds = take_turns(calls, repeats, warmup=1, min_seconds=0.,
                         device=device, progress=progress)
    return {name: [x / len(images) for x in values]
            for name, values in seconds.items()}


def rate(names: list[str], size: int | tuple[int, int], segment_size: int,
         number: int) -> dict[str, dict[str, float]]:
    """Rate how well segments fit photographs and the regions of scenes.

    Args:
        names (list[str]): Of ``METHODS``.
        size (int | tuple[int, int]): Height and width of the images.
        segment_size (int): Side of the average segment in pixels.
        number (int): Scenes, and photographs as far as there are so many.

    Returns:
        dict[str, dict[str, float]]: By method, the mean of each of
        ``MEASURES``. Boundary recall, under-segmentation error and accuracy
        are those of scenes, the others of photographs.
    """
    # No photograph twice: that would only look like more of them.
    photographs = make_photographs(min(number, len(PHOTOGRAPHS)), size)
    scenes = make_scenes(number, size)
    drawn = torch.stack([to_tensor(scene.image) for scene in scenes])
    results = {}
    for name in names:
        method = Method(name, segment_size)
        rows = [
            _rate_photograph(image, segments)
            for image, segments in zip(photographs, method(photographs).long())
        ]
        rows += [
            _rate_scene(scene.part_instances, segments)
            for scene, segments in zip(scenes, method(drawn).long())
        ]
        results[name] = {
            measure: float(np.mean([x[measure] for x in rows if measure in x]))
            for measure in MEASURES
        }
    return results


def _rate_photograph(image: Tensor, segments: Tensor) -> dict[str, float]:
    segments = segments.numpy()
    number = int(segments.max()) + 1
    parts = label(segments, connectivity=1, background=-1).max()
    return {
        'segments': number,
        'fragments': int(parts) - number,
        'explained variation': explained_variation(
            segments, image.permute(1, 2, 0).numpy()),
    }


def _rate_scene(regions: np.ndarray, segments: Tensor) -> dict[str, float]:
    return {
        'achievable segmentation accuracy':
        achievable_segmentation_accuracy(segments, regions),
        'under-segmentation error': undersegmentation_error(segments, regions),
        'boundary recall': boundary_recall(segments, regions,
                                           tolerance=_TOLERANCE),
    }


def _speed_table(size: str, segments: int,
                 seconds: dict[str, list[float]]) -> str:
    rows = []
    for name, values in seconds.items():
        times = spread(values)
        rows.append([
            name, f'{1e3 * times.median:.3g} '
            f'({1e3 * times.low:.3g}–{1e3 * times.high:.3g})',
            *(f'{paired_ratio(seconds[x], values).median:.2f}'
              for x in _BASELINES)
        ])
    return markdown_table([
        f'{size}, {segments} segments', 'ms an image (quartiles)',
        *(f'times as fast as {x}' for x in _BASELINES)
    ], rows)


def _quality_table(size: str, ratings: dict[str, dict]) -> str:
    rows = [[
        name, *(f'{rating[x]:.1f}' for x in MEASURES[:2]),
        *(f'{rating[x]:.3f}' for x in MEASURES[2:])
    ] for name, rating in ratings.items()]
    return markdown_table([size, *MEASURES], rows)


def run(args: Namespace) -> Report:
    """Measure time and quality at all sizes."""
    names = [
        name for name, setting in METHODS.items()
        if not setting.compiled or (has_numba() and args.device == 'cpu')
    ]
    # Both implementations give the same labels.
    rated = [name for name in names if METHODS[name].compiled is not False]
    speed, quality, segments = {}, {}, {}
    for size in args.sizes:
        title = f'{size[0]} x {size[1]}'
        segments[title] = size[0] * size[1] // args.segment_size**2
        speed[title] = time_methods(
            names, make_photographs(args.images, size), args.batch_size,
            args.segment_size, args.repeats, args.device, args.progress)
        quality[title] = rate(rated, size, args.segment_size, args.images)
    return Report(
        {
            f'speed of superpixels on {args.place}': '\n\n'.join([
                f'{args.images} photographs, batches of {args.batch_size}; '
                f'{args.repeats} rounds',
                *(_speed_table(title, segments[title], one)
                  for title, one in speed.items())
            ]),
            'quality of superpixels': '\n\n'.join([
                f'{min(args.images, len(PHOTOGRAPHS))} photographs, '
                f'{args.images} scenes',
                *(_quality_table(*one) for one in quality.items())
            ])
        }, dict(speed=speed, quality=quality))
