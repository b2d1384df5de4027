"""Superpixels against human segmentations, on BSDS500.

Protocol: ``benchmarks/real.md``.
"""

import importlib.util
import math
import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.images import to_tensor
from benchmarks.real.results import Results
from benchmarks.report import Report, markdown_table
from benchmarks.superpixels import Method
from benchmarks.timing import paired_ratio, run_threads, spread, take_turns
from mmhierseg.apis.images import resize_labels, scale_image
from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_precision,
    boundary_recall,
    compactness,
    explained_variation,
    undersegmentation_error,
)
from mmhierseg.registry import DATASETS
from mmhierseg.superpixels.base import BaseSuperpixels, segment_each

__all__ = ['MEASURES', 'PROTOCOLS', 'run']

#: Height and width that images are resized to, or None, by name.
PROTOCOLS = {
    '224 x 224, 196 segments': (224, 224),
    '321 x 481 or 481 x 321, 603 segments': None,
}
_SEGMENT_SIZE = 16
#: Measures that compare segments with those of a person.
_OF_TARGET = {
    'ASA': achievable_segmentation_accuracy,
    'UE': undersegmentation_error,
    'BR': boundary_recall,
    'BP': boundary_precision,
}
MEASURES = ('segments', *_OF_TARGET, 'EV', 'CO')
#: What the others are compared with.
_BASE = 'TorchSLIC'
#: Images of a turn and number of turns when time is taken.
_TIMED, _ROUNDS = 10, 7


class LSC(BaseSuperpixels):
    """LSC of OpenCV, on images prepared as its documentation advises."""

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        side = round(math.sqrt(images[0, 0].numel() / num_segments))

        def segment(rgb: np.ndarray) -> np.ndarray:
            lab = cv2.cvtColor(
                cv2.GaussianBlur(rgb, (3, 3), 0), cv2.COLOR_RGB2LAB)
            lsc = cv2.ximgproc.createSuperpixelLSC(lab, region_size=side)
            lsc.iterate(10)
            lsc.enforceLabelConnectivity()
            return lsc.getLabels()

        return segment_each(images, segment)


class FastSLIC(BaseSuperpixels):
    """SLIC in C++ by fast-slic, with AVX2 where the CPU has it."""

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        import fast_slic
        from fast_slic.avx2 import SlicAvx2
        has_avx2 = SlicAvx2.arch_name in fast_slic.supported_archs
        make = SlicAvx2 if has_avx2 else fast_slic.Slic
        # A new one each time: it starts from the centres of its last image.
        return segment_each(
            images, lambda rgb: make(num_segments, num_threads=1).iterate(rgb))


METHODS = {
    _BASE: partial(Method, _BASE),
    **{name: partial(Method, name)
       for name in ('SEEDS (15, 20)', 'SEEDS (5, 15)',
                    'SLIC of scikit-image')},
    'LSC of OpenCV': LSC,
    'fast-slic': FastSLIC,
    'grid': partial(Method, 'grid'),
}


def run(args: Namespace) -> Report:
    """Measure what is missing, on one core."""
    names = [name for name in METHODS if name == _BASE or args.only is None
             or name.startswith(tuple(args.only))]
    if 'fast-slic' in names and not importlib.util.find_spec('fast_slic'):
        args.progress('fast-slic is not installed and left out; '
                      'benchmarks/real.md says how to install it')
        names.remove('fast-slic')
    results = Results(args.results / 'superpixels.json')
    cv2.setNumThreads(1)
    with run_threads(1):
        for name, size in PROTOCOLS.items():
            _measure(results, f'quality, {name}', names,
                     partial(rate, names, args.data, size, args.progress))
            _measure(results, f'time, {name}', names,
                     partial(_time, names, args.data, size, args.progress))
    tables = []
    for name in PROTOCOLS:
        quality, seconds = (results[f'{kind}, {name}']
                            for kind in ('quality', 'time'))
        tables += [
            f'{quality["images"]} images; time: {seconds["images"]} images, '
            f'{_ROUNDS} rounds, one core, load {seconds["load"]:.1f} before',
            _table(name, quality['methods'], seconds['methods']),
            _differences(quality['methods'])
        ]
    return Report(
        {'superpixels on human segmentations': '\n\n'.join(tables)},
        {key: results[key] for name in PROTOCOLS
         for key in (f'quality, {name}', f'time, {name}')})


def _measure(results: Results, key: str, names: Sequence[str],
             function: Callable[[], dict]) -> None:
    """Measure all methods again if one of them is missing: they are paired."""
    if key in results and set(names) <= set(results[key]['methods']):
        return
    start = time.perf_counter()
    values = function()
    results.add(key, values, (time.perf_counter() - start) / 60)


def rate(names: Sequence[str], data: Path, size: tuple[int, int] | None,
         progress: Callable[[str], None]) -> dict:
    """Rate methods on the test images.

    Returns:
        dict: ``images``, their number, and ``methods``: by method and
        measure, the mean over images, that of the differences to TorchSLIC,
        and the standard error of the latter.
    """
    methods = [METHODS[name](segment_size=_SEGMENT_SIZE) for name in names]
    rows = []
    for image, truth in _images(data, size):
        rows.append([
            _rate(method(image[None])[0].numpy(), image, truth)
            for method in methods
        ])
        if len(rows) % 20 == 0:
            progress(f'{len(rows)} images rated')
    values = np.array(rows)  # (images, methods, measures)
    differences = values - values[:, names.index(_BASE), None]
    errors = differences.std(0, ddof=1) / math.sqrt(len(rows))
    return dict(images=len(rows), methods={
        name: {
            measure: dict(mean=mean, difference=difference, error=error)
            for measure, mean, difference, error in zip(MEASURES, *columns)
        }
        for name, *columns in zip(
            names, *(np.round(x, 5).tolist()
                     for x in (values.mean(0), differences.mean(0), errors)))
    })


def _rate(segments: np.ndarray, image: Tensor,
          truth: np.ndarray) -> list[float]:
    """``MEASURES`` of an image; means over annotators."""
    # Ids of regions are below 2^16: none of them is the one to ignore.
    return [
        float(segments.max() + 1),
        *(float(np.nanmean([measure(segments, one, ignore_index=-1)
                            for one in truth]))
          for measure in _OF_TARGET.values()),
        explained_variation(segments, image),
        compactness(segments),
    ]


def _time(names: Sequence[str], data: Path, size: tuple[int, int] | None,
          progress: Callable[[str], None]) -> dict:
    """Seconds an image, by method and round, and the load before."""
    load = os.getloadavg()[0]
    images = [image[None] for image, _ in islice(_images(data, size), _TIMED)]

    def divide(method: Callable[[Tensor], Tensor]) -> None:
        for image in images:
            method(image)

    seconds = take_turns(
        {name: partial(divide, METHODS[name](segment_size=_SEGMENT_SIZE))
         for name in names}, _ROUNDS, warmup=1, min_seconds=0.,
        progress=progress)
    return dict(images=len(images), load=load, methods={
        name: [x / len(images) for x in values]
        for name, values in seconds.items()
    })


def _images(data: Path, size: tuple[int, int] | None
            ) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Test images (3, H, W) uint8, RGB, and segmentations (A, H, W) int64."""
    dataset = DATASETS.build(
        dict(type='mmhierseg.BSDS500Dataset', data_root=str(data / 'BSDS500'),
             split='test',
             pipeline=[dict(type='mmhierseg.LoadImage'),
                       dict(type='mmhierseg.LoadHumanSegmentations')]))
    for item in dataset:
        image = np.ascontiguousarray(item['img'][..., ::-1])
        truth = torch.from_numpy(
            item['gt_segmentations'].transpose(2, 0, 1).astype(np.int64))
        if size is not None:
            image, truth = scale_image(image, size), resize_labels(truth, size)
        # Contiguous, as images from a loader are.
        yield to_tensor(image).contiguous(), truth.numpy()


def _table(title: str, quality: dict, seconds: dict) -> str:
    rows = []
    for name in filter(quality.get, METHODS):
        times = spread(seconds[name])
        ratio = paired_ratio(seconds[name], seconds[_BASE]).median
        segments, *others = (quality[name][x]['mean'] for x in MEASURES)
        rows.append([
            name, f'{segments:.0f}', *(f'{x:.3f}' for x in others),
            f'{1e3 * times.median:.1f} '
            f'({1e3 * times.low:.1f}–{1e3 * times.high:.1f})', f'{ratio:.2f}'
        ])
    return markdown_table([
        title, *MEASURES, 'ms an image (quartiles)', f"time over {_BASE}'s"
    ], rows)


def _differences(quality: dict) -> str:
    rows = [[
        name, *('{difference:+.4f} ± {error:.4f}'.format(**quality[name][x])
                for x in MEASURES[1:])
    ] for name in filter(quality.get, METHODS) if name != _BASE]
    return markdown_table([f'difference to {_BASE}', *MEASURES[1:]], rows)
