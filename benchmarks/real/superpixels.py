"""Superpixels against human segmentations, on BSDS500.

Protocol: ``benchmarks/real.md``. With fast-slic if it is there, see
:mod:`benchmarks.superpixels`.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.real.hierarchies import read_images
from benchmarks.real.results import Results
from benchmarks.report import Report, markdown_table
from benchmarks.superpixels import FAST_SLIC, METHODS, Method
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_precision,
    boundary_recall,
    compactness,
    explained_variation,
    undersegmentation_error,
)

#: Side of an average segment in pixels.
_SEGMENT_SIZE = 16
#: Sizes that images are brought to; None: their own.
_SIZES = {'224 x 224': (224, 224), 'own size': None}
_NAMES = ('TorchSLIC', 'SEEDS (15, 20)', 'SEEDS (5, 15)',
          'SLIC of scikit-image', 'grid', FAST_SLIC)
_MEASURES = ('segments', 'accuracy', 'under-segmentation error',
             'boundary recall', 'boundary precision', 'explained variation',
             'compactness')
#: Takes an image (H, W, 3) uint8, RGB; gives its labels (H, W).
_Method = Callable[[np.ndarray], np.ndarray]


def run(args: Namespace) -> Report:
    """Measure what is missing of quality and time."""
    results = Results(args.results / 'superpixels.json')
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    methods = make_methods()
    sections = {}
    for title, size in _SIZES.items():
        for name, method in methods.items():
            if f'{title}, {name}' not in results:
                args.progress(f'{title}, {name}')
            results.measure(f'{title}, {name}', _rate, method, size, args.data)
        results.measure(f'{title}, seconds', _time, methods, size, args)
        sections[f'superpixels on BSDS500, {title}'] = _table(
            results, title)
    return Report(sections, results.entries())


def make_methods() -> dict[str, _Method]:
    """All methods that are installed, by name."""
    methods: dict[str, _Method] = {
        name: partial(_divide, Method(name, _SEGMENT_SIZE))
        for name in _NAMES if name in METHODS
    }
    return {**methods, 'LSC of OpenCV': _lsc}


def _divide(method: Method, image: np.ndarray) -> np.ndarray:
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    return method(batch)[0].long().numpy()


def _lsc(image: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    method = cv2.ximgproc.createSuperpixelLSC(lab, _SEGMENT_SIZE)
    method.iterate(10)
    return method.getLabels().astype(np.int64)


def _samples(data: Path, size: tuple[int, int] | None
             ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images, and their segmentations (A, H, W)."""
    for image, _, truth in read_images(data):
        if size is not None:
            height, width = size
            image = np.asarray(Image.fromarray(image).resize((width, height)))
            rows, columns = (
                (np.arange(n) + 0.5) * m // n
                for n, m in zip(size, truth.shape[1:]))
            truth = truth[:, rows.astype(int)][:, :, columns.astype(int)]
        yield np.ascontiguousarray(image), truth


def _rate(method: _Method, size: tuple[int, int] | None,
          data: Path) -> dict:
    """Means over annotators, then images."""
    rows = []
    for image, truth in _samples(data, size):
        segments = method(image)
        rows.append([
            len(np.unique(segments)),
            *np.mean([(
                achievable_segmentation_accuracy(segments, one, -1),
                undersegmentation_error(segments, one, -1),
                boundary_recall(segments, one, ignore_index=-1),
                boundary_precision(segments, one, ignore_index=-1),
            ) for one in truth], axis=0),
            explained_variation(segments, image),
            compactness(segments),
        ])
    return dict(zip(_MEASURES, np.mean(rows, axis=0).tolist()))


def _time(methods: dict[str, _Method], size: tuple[int, int] | None,
          args: Namespace) -> dict:
    """Seconds an image of each method and round, on one core."""
    images = [image for image, _ in _samples(args.data, size)][::10]

    def divide(method: _Method) -> None:
        for image in images:
            method(image)

    seconds = take_turns(
        {name: partial(divide, method) for name, method in methods.items()},
        repeats=5, warmup=1, min_seconds=0.)
    return {name: [x / len(images) for x in values]
            for name, values in seconds.items()}


def _table(results: Results, title: str) -> str:
    seconds = results[f'{title}, seconds']
    rows = []
    for name, times in seconds.items():
        values = results[f'{title}, {name}']
        rows.append([
            name, f'{values["segments"]:.0f}',
            *(f'{values[x]:.3f}' for x in _MEASURES[1:]),
            f'{1e3 * spread(times).median:.3g}',
            f'{paired_ratio(times, seconds["TorchSLIC"]).median:.2f}'
        ])
    return markdown_table(
        [title, *_MEASURES, 'ms an image', 'time over TorchSLIC'], rows)
