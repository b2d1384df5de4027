"""Hierarchies against human segmentations, on BSDS500.

Protocol: ``benchmarks/real.md``.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.cluster.hierarchy import cut_tree, linkage
from skimage.color import rgb2lab
from skimage.measure import label
from torch import Tensor

from benchmarks.real.cells import CELLS, Encoder, group_tokens, pretraining
from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.real.trainings import run_trainings
from benchmarks.report import Report, markdown_table
from mmhierseg.apis.images import resize_labels, scale_image
from mmhierseg.datasets.transforms.human_segmentations import (
    decode_segmentations,
)
from mmhierseg.evaluation.functional import boundary_recall, covering
from mmhierseg.ops import sum_by_label
from mmhierseg.superpixels import TorchSLIC

#: Segments of the levels, in all methods.
NUMBERS = (64, 32, 16, 8)
#: Shorter side that images are scaled to.
_SIDE = 224
_CAST, _VIT = 'superpixels, pooling', 'ViT'
#: Thresholds of the classical hierarchy, 8 bits.
_THRESHOLDS = tuple(range(20, 201, 20))
_Method = Callable[[Tensor], list[np.ndarray]]


def run(args: Namespace) -> Report:
    """Train and measure what is missing."""
    trainings = [pretraining(name, seed, args)
                 for seed in args.seeds for name in (_CAST, _VIT)]
    checkpoints = run_trainings(trainings, args)
    results = Results(args.results / 'hierarchies.json')
    methods: dict[str, Callable[[], _Method]] = {}
    for seed in args.seeds:
        cast, vit = (
            checkpoints[pretraining(name, seed, args).name]
            for name in (_CAST, _VIT))
        methods.update({
            f'CAST, seed {seed}': partial(own_levels, cast, seed),
            f'CAST before training, seed {seed}':
            partial(own_levels, None, seed),
            f'k-means of CAST, seed {seed}':
            partial(by_kmeans, _CAST, cast, seed),
            f'k-means of CAST before training, seed {seed}':
            partial(by_kmeans, _CAST, None, seed),
            f'k-means of ViT, seed {seed}':
            partial(by_kmeans, _VIT, vit, seed),
            f'k-means of ViT before training, seed {seed}':
            partial(by_kmeans, _VIT, None, seed),
        })
    methods['mean colour, agglomerated'] = lambda: by_colour
    for name, make in methods.items():
        results.measure(name, _measure, make, args)
    results.measure('gPb-owt-ucm', _measure_classical, args)
    return _report(results, args.seeds)


# ------------------------------------------------------------ methods


def own_levels(checkpoint: Path | None, seed: int) -> _Method:
    """The levels of CAST."""
    encoder = Encoder(CELLS[_CAST], checkpoint, seed, num_clusters=NUMBERS)
    return lambda image: [x[0].numpy() for x in encoder.levels(image)[1:]]


def by_kmeans(name: str, checkpoint: Path | None, seed: int) -> _Method:
    """Groups of an encoder's tokens."""
    options = dict(out_type='featmap') if name == _VIT else {}
    encoder = Encoder(CELLS[name], checkpoint, seed, **options)

    def method(image: Tensor) -> list[np.ndarray]:
        tokens, labels = encoder.tokens(image)
        return group_tokens(tokens[0], labels[0], NUMBERS)

    return method


def by_colour(image: Tensor) -> list[np.ndarray]:
    """Superpixels merged by their mean colour in Lab, average linkage."""
    labels = TorchSLIC(segment_size=16)(image)
    colours = torch.from_numpy(rgb2lab(image[0].permute(1, 2, 0).numpy()))
    number = int(labels.max()) + 1
    sums, sizes = sum_by_label(
        colours.reshape(1, -1, 3), labels.flatten(1), number)
    tree = linkage((sums / sizes[..., None])[0].numpy(), 'average')
    groups = cut_tree(tree, NUMBERS).T
    return [group[labels[0].numpy()] for group in groups]


# -------------------------------------------------------- measurement


def _measure(make: Callable[[], _Method], args: Namespace) -> dict:
    """Covering and boundary F of each level, means over images, percent."""
    method, rows = make(), []
    for image, _, truth in _images(args.data):
        scaled = torch.from_numpy(scale_image(image, _SIDE).copy())
        maps = method(scaled.permute(2, 0, 1)[None])
        rows.append([
            _rate(
                resize_labels(torch.from_numpy(x)[None],
                              image.shape[:2])[0].numpy(), truth)
            for x in maps
        ])
    return _summarize(rows, NUMBERS)


def _measure_classical(args: Namespace) -> dict:
    """The same of gPb-owt-ucm, for some thresholds."""
    rows = []
    for _, name, truth in _images(args.data):
        contours = np.asarray(
            Image.open(args.data / f'BSDS500/ucm2-u8/test/{name}.png'))
        rows.append([
            _rate(
                label(contours <= x, connectivity=1)[1::2, 1::2],
                truth) for x in _THRESHOLDS
        ])
    return _summarize(rows, _THRESHOLDS)


def _images(data: Path):
    """Photographs, their names, and segmentations (A, H, W)."""
    root = data / 'BSDS500'
    for path in sorted((root / 'images/test').glob('*.jpg')):
        truth = root / f'groundTruth/test/{path.stem}.mat'
        maps = decode_segmentations(truth.read_bytes(), str(truth))
        yield (np.asarray(Image.open(path).convert('RGB')), path.stem,
               maps.transpose(2, 0, 1).astype(np.int64))


def _rate(segments: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Covering, and F of boundaries within 0.75 % of the diagonal."""
    tolerance = round(0.0075 * float(np.hypot(*segments.shape)))
    recall, precision = (
        np.mean([
            boundary_recall(*(pair[::step]), tolerance)
            for pair in ((segments, one) for one in truth)
        ]) for step in (1, -1))
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
    header = [
        'covering', *(f'{number} segments' for number in NUMBERS),
        'one level for all', 'best of each image', 'boundary F: one for all',
        'best of each image'
    ]
    names = ('CAST', 'CAST before training', 'k-means of CAST',
             'k-means of CAST before training', 'k-means of ViT',
             'k-means of ViT before training')

    def columns(name: str) -> list[list[float]]:
        runs = [results[f'{name}, seed {seed}'] for seed in seeds]
        return [[row[i] for row in map(_columns, runs)]
                for i in range(len(header) - 1)]

    first, rows = columns('CAST'), []
    for name in names:
        own = columns(name)
        rows.append([name, *(
            summary(x) + ('' if name == 'CAST' else f'; {paired(x, y)}')
            for x, y in zip(own, first))])
    rows.append(['mean colour, agglomerated', *(
        f'{x:.1f}' for x in _columns(results['mean colour, agglomerated']))])
    rows.append(['gPb-owt-ucm', *[''] * len(NUMBERS), *(
        f'{x:.1f}' for x in _columns(results['gPb-owt-ucm'])[-4:])])
    return Report({'hierarchies against people': markdown_table(header, rows)},
                  results.entries())


def _columns(values: dict) -> list[float]:
    return [*values['covering'], values['covering_ods'],
            values['covering_ois'], values['boundary_ods'],
            values['boundary_ois']]
