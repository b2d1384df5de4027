"""Hierarchies against human segmentations, on BSDS500.

Protocol: ``benchmarks/real.md``.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.ndimage import maximum_filter
from skimage.color import rgb2lab
from skimage.measure import label
from skimage.segmentation import find_boundaries
from torch import Tensor

from benchmarks.real.cells import CELLS, Encoder, group_tokens, pretraining
from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.real.trainings import run_trainings
from benchmarks.report import Report, markdown_table
from mmhierseg.apis import HierarchyInferencer
from mmhierseg.apis.images import read_image, resize_labels, scale_image
from mmhierseg.datasets.transforms.human_segmentations import (
    decode_segmentations,
)
from mmhierseg.evaluation.functional import covering
from mmhierseg.ops import sum_by_label
from mmhierseg.superpixels import TorchSLIC

#: Segments of the levels, in all methods.
NUMBERS = (64, 32, 16, 8)
#: Shorter side that images are scaled to.
_SIDE = 224
_CAST, _VIT = 'superpixels, pooling', 'ViT'
#: The model that ships, and its segments.
SHIPPED, SHIPPED_NUMBERS = 'cast-t_imagenette', (24, 12, 6, 4)
#: Thresholds of the classical hierarchy, 8 bits.
_THRESHOLDS = tuple(range(20, 201, 20))
#: Why do levels differ from k-means? Other ways to group the same tokens.
_GROUPINGS = {'samples': dict(iterations=0),
              'nested k-means': dict(nested=True)}
#: Numbers of segments that the shipped model's merge tree is cut into.
_CUTS = (3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_TREES = {f'{SHIPPED}, any number': False,
          f'{SHIPPED}, any number, neighbours first': True}
_Method = Callable[[Tensor], list[np.ndarray]]


def run(args: Namespace) -> Report:
    """Train and measure what is missing."""
    root = args.data / 'imagenette'
    trainings = {(name, seed): pretraining(name, seed, root, quick=args.quick)
                 for seed in args.seeds for name in (_CAST, _VIT)}
    checkpoints = run_trainings(list(trainings.values()), args)
    results = Results.of('hierarchies', args)
    cast, vit = CELLS[_CAST], CELLS[_VIT]
    for seed in args.seeds:
        trained = {
            config: checkpoints[trainings[name, seed].name]
            for name, config in ((_CAST, cast), (_VIT, vit))
        }
        for when, weights in (('', trained), (' before training', {})):
            for name, make in {
                    'CAST': partial(own_levels, cast),
                    'k-means of CAST': partial(by_kmeans, cast),
                    'k-means of ViT': partial(by_kmeans, vit),
            }.items():
                results.measure(
                    f'{name}{when}, seed {seed}', _measure,
                    partial(make, weights.get(make.args[0]), seed, NUMBERS),
                    NUMBERS, args)
        for name, grouping in _GROUPINGS.items():
            results.measure(
                f'{name} of CAST, seed {seed}', _measure,
                partial(by_kmeans, cast, trained[cast], seed, NUMBERS,
                        **grouping), NUMBERS, args)
    results.measure('mean colour', _measure, partial(by_colour, NUMBERS),
                    NUMBERS, args)
    results.measure('gPb-owt-ucm', _measure_classical, args)
    config = f'configs/cast/{SHIPPED}.py'
    for name, make in {
            SHIPPED: partial(own_levels, config, f'mmhierseg://{SHIPPED}'),
            f'{SHIPPED} before training': partial(own_levels, config, None),
            f'k-means of {SHIPPED}':
            partial(by_kmeans, config, f'mmhierseg://{SHIPPED}'),
            f'k-means of {SHIPPED} before training':
            partial(by_kmeans, config, None),
    }.items():
        results.measure(name, _measure, partial(make, 0, SHIPPED_NUMBERS),
                        SHIPPED_NUMBERS, args)
    for name, adjacent in _TREES.items():
        results.measure(name, _measure, partial(any_number, _CUTS, adjacent),
                        _CUTS, args)
    results.measure('mean colour, fewer segments', _measure,
                    partial(by_colour, SHIPPED_NUMBERS), SHIPPED_NUMBERS, args)
    return _report(results, args.seeds)


# ------------------------------------------------------------ methods


def own_levels(config: str, checkpoint: Path | str | None, seed: int,
               numbers: Sequence[int]) -> _Method:
    """The levels of CAST."""
    encoder = Encoder(config, checkpoint, seed, num_clusters=numbers)
    return lambda image: [x[0].numpy() for x in encoder.levels(image)[1:]]


def any_number(numbers: Sequence[int], adjacent: bool) -> _Method:
    """Cuts of the merge tree of the model that ships."""
    inferencer = HierarchyInferencer(
        SHIPPED, img_size='original', show_progress=False)

    def method(image: Tensor) -> list[np.ndarray]:
        found = inferencer(image[0].permute(1, 2, 0).numpy(),
                           channel_order='rgb', return_vis=False)
        return [found['predictions'][0].cut(number, adjacent=adjacent)
                for number in numbers]

    return method


def by_kmeans(config: str, checkpoint: Path | str | None, seed: int,
              numbers: Sequence[int], **grouping) -> _Method:
    """Groups of an encoder's tokens."""
    options = dict(out_type='featmap') if config == CELLS[_VIT] else {}
    encoder = Encoder(config, checkpoint, seed, **options)

    def method(image: Tensor) -> list[np.ndarray]:
        tokens, labels = encoder.tokens(image)
        return group_tokens(tokens[0], labels[0], numbers, **grouping)

    return method


def by_colour(numbers: Sequence[int]) -> _Method:
    """Superpixels merged by their mean colour in Lab, average linkage."""

    def method(image: Tensor) -> list[np.ndarray]:
        labels = TorchSLIC(segment_size=16)(image)
        colours = torch.from_numpy(rgb2lab(image[0].permute(1, 2, 0).numpy()))
        sums, sizes = sum_by_label(
            colours.reshape(1, -1, 3), labels.flatten(1),
            int(labels.max()) + 1)
        tree = linkage((sums / sizes[..., None])[0].numpy(), 'average')
        return [group[labels[0].numpy()]
                for group in cut_tree(tree, numbers).T]

    return method


# -------------------------------------------------------- measurement


def _measure(make: Callable[[], _Method], numbers: Sequence[int],
             args: Namespace) -> dict:
    """Covering and boundary F of each level, means over images, percent."""
    method, rows = make(), []
    for image, _, truth in read_images(args.data, args.quick):
        scaled = torch.from_numpy(scale_image(image, _SIDE).copy())
        maps = method(scaled.permute(2, 0, 1)[None])
        boundaries = [*map(_boundary, truth)]
        rows.append([
            _rate(
                resize_labels(torch.from_numpy(x)[None],
                              image.shape[:2])[0].numpy(), truth, boundaries)
            for x in maps
        ])
    return _summarize(rows, numbers)


def _measure_classical(args: Namespace) -> dict:
    """The same of gPb-owt-ucm, for some thresholds."""
    rows = []
    for _, name, truth in read_images(args.data, args.quick):
        contours = np.asarray(
            Image.open(args.data / f'BSDS500/ucm2-u8/test/{name}.png'))
        boundaries = [*map(_boundary, truth)]
        rows.append([
            _rate(
                label(contours <= x, connectivity=1)[1::2, 1::2],
                truth, boundaries) for x in _THRESHOLDS
        ])
    return _summarize(rows, _THRESHOLDS)


def read_images(data: Path, quick: bool = False
                ) -> Iterator[tuple[np.ndarray, str, np.ndarray]]:
    """Photographs, their names, and segmentations (A, H, W)."""
    root = data / 'BSDS500'
    paths = sorted((root / 'images/test').glob('*.jpg'))
    for path in paths[:2] if quick else paths:
        truth = root / f'groundTruth/test/{path.stem}.mat'
        maps = decode_segmentations(truth.read_bytes(), str(truth))
        yield (read_image(path), path.stem,
               maps.transpose(2, 0, 1).astype(np.int64))


def _boundary(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boundary pixels, and those within 0.75 % of the diagonal, (H, W) bool.

    As `boundary_recall` finds them, but once for all pairs of maps.
    """
    pixels = find_boundaries(labels, connectivity=1, mode='thick')
    tolerance = round(0.0075 * float(np.hypot(*labels.shape)))
    return pixels, maximum_filter(pixels, 2 * tolerance + 1, mode='constant')


def _rate(segments: np.ndarray, truth: np.ndarray,
          boundaries: Sequence[tuple[np.ndarray, np.ndarray]]
          ) -> tuple[float, float]:
    """Covering, and F of boundaries."""
    pixels, near = _boundary(segments)
    if not pixels.any():  # one segment has no boundary, so no precision
        return covering(segments, truth), 0.
    recall = np.mean([near[true].mean() for true, _ in boundaries])
    precision = np.mean([close[pixels].mean() for _, close in boundaries])
    f = 2 * recall * precision / max(recall + precision, 1e-9)
    return covering(segments, truth), float(f)


def _summarize(rows: list, levels: Sequence[int]) -> dict:
    values = 100 * np.array(rows)  # (images, levels, 2)
    mean, best = values.mean(0), values.max(1).mean(0)
    return dict(
        levels=list(levels),
        covering=mean[:, 0].tolist(),
        boundary=mean[:, 1].tolist(),
        covering_ods=mean[:, 0].max(), covering_ois=best[0],
        boundary_ods=mean[:, 1].max(), boundary_ois=best[1])


def _report(results: Results, seeds: Sequence[int]) -> Report:
    sets = ['one level for all', 'best of each image',
            'boundary F: one for all', 'best of each image']

    def columns(name: str) -> list[list[float]]:
        runs = [results[f'{name}, seed {seed}'] for seed in seeds]
        return [list(column) for column in zip(*map(_columns, runs))]

    first, rows = columns('CAST'), []
    for name in ('CAST', 'k-means of CAST', 'k-means of ViT'):
        for when in ('', ' before training'):
            own = columns(name + when)
            is_first = own == first
            rows.append([name + when, *(
                summary(x) + ('' if is_first else f'; {paired(x, y)}')
                for x, y in zip(own, first))])
    for name in _GROUPINGS:
        rows.append([f'{name} of CAST', *(
            f'{summary(x)}; {paired(x, y)}'
            for x, y in zip(columns(f'{name} of CAST'), first))])
    rows.append(_row(results, 'mean colour'))
    rows.append(_sets(results, 'gPb-owt-ucm'))
    names = [name for name in results.entries()
             if results[name]['levels'] == list(SHIPPED_NUMBERS)]
    return Report(
        {
            'hierarchies against people': markdown_table(
                ['covering', *_headings(NUMBERS), *sets], rows),
            'the model that ships against people': markdown_table(
                ['covering', *_headings(SHIPPED_NUMBERS), *sets],
                [_row(results, name) for name in names]
                + [_sets(results, name) for name in _TREES]),
        }, results.entries())


def _headings(numbers: Sequence[int]) -> list[str]:
    return [f'{number} segments' for number in numbers]


def _row(results: Results, name: str) -> list[str]:
    return [name, *(f'{x:.1f}' for x in _columns(results[name]))]


def _sets(results: Results, name: str) -> list[str]:
    """A row of other numbers of segments than the columns have."""
    return [name, *[''] * len(NUMBERS), *_row(results, name)[-4:]]


def _columns(values: dict) -> list[float]:
    return [*values['covering'], values['covering_ods'],
            values['covering_ois'], values['boundary_ods'],
            values['boundary_ois']]
