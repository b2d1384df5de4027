"""Compare an exported file with its model, image by image.

Results in floating point differ by rounding. Where a label differs, rounding
has decided between two that are equally good: the *margin* says how equal.

* A class, or the parent of a segment, is the largest of some logits: the
  margin is the difference of the two logits.
* A centroid is the token farthest from those before it: the margin is the
  difference of the squared distances, over the largest to the mean. It is the
  start of another hierarchy, so nothing after it in this image is compared.

Legend: B images, N tokens, C channels, K clusters, H x W pixels.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from export_formats import Run, run_torch
from export_graphs import InferenceGraph
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.ops import masked_mean
from mmhierseg.structures import CASTOutput, SegmentHierarchy

#: Rounding explains a label that differs by a smaller margin.
MARGIN = 1e-5
#: Floats that differ by more are of another sample of centroids.
TOLERANCE = 1e-4


@dataclass
class Comparison:
    """Sums over images; times are in seconds."""

    images: int = 0
    resampled: int = 0
    difference: float = 0.
    """Largest of floating-point results, of images with equal centroids."""
    pixels: int = 0
    equal: int = 0
    margins: list[float] = field(default_factory=list)
    """Of labels and centroids that differ."""
    seconds: list[float] = field(default_factory=lambda: [0., 0.])
    """Of the model and of the file."""

    @property
    def is_same(self) -> bool:
        """Whether rounding explains all differences."""
        return (self.difference <= TOLERANCE
                and max(self.margins, default=0) < MARGIN)

    def report(self) -> str:
        """Text for a terminal."""
        lines = [
            f'{self.images} images, one at a time',
            f'largest difference of floats: {self.difference:.1e}'
        ]
        if self.pixels:
            lines.append(f'equal labels: {self.equal / self.pixels:.4%} of '
                         f'{self.pixels} pixels of all levels')
        if self.margins:
            lines.append(
                f'{len(self.margins)} decisions differ, by a margin of at '
                f'most {max(self.margins):.1e}; {self.resampled} images have '
                'other centroids')
        model, file = (1000 * seconds / self.images
                       for seconds in self.seconds)
        lines.append(f'time per image: {model:.1f} ms in PyTorch, '
                     f'{file:.1f} ms from the file')
        return '\n'.join(lines)


def compare(graph: InferenceGraph, run: Run,
            samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> Comparison:
    """Run model and file on samples of (3, H, W) and (H, W) arrays.

    Raises:
        UserError: If an image has more segments than ``num_tokens``.
    """
    found = Comparison()
    limit = graph.backbone.num_tokens
    for image, segments in samples:
        number = len(np.unique(segments[segments >= 0]))
        if number > limit:
            raise UserError(
                f'image {found.images} has {number} segments, more than '
                f'`num_tokens` = {limit}: export with --num-tokens {number}')
        arrays = image[None], segments[None]
        if not found.images:  # first calls prepare what later ones use
            run(*arrays), run_torch(graph, *arrays)
        results = []
        for index, function in enumerate((partial(run_torch, graph), run)):
            start = time.perf_counter()
            results.append(function(*arrays))
            found.seconds[index] += time.perf_counter() - start
        found.images += 1
        _compare_image(found, graph, arrays, *results)
    return found


@torch.no_grad()
def _compare_image(found: Comparison, graph: InferenceGraph,
                   arrays: tuple[np.ndarray, np.ndarray],
                   expected: dict[str, np.ndarray],
                   got: dict[str, np.ndarray]) -> None:
    pairs = {
        name: (torch.from_numpy(value), torch.from_numpy(got[name]))
        for name, value in expected.items()
    }
    difference = max(
        float((value - other).abs().max())
        for value, other in pairs.values() if value.is_floating_point())
    output = graph.backbone.forward_hierarchy(graph.inputs(
        *map(torch.from_numpy, arrays)))
    resampled = False
    if 'parents_0' in pairs:
        resampled = _compare_hierarchies(found, output, pairs)
    elif difference > TOLERANCE:
        gap = min(map(partial(sampling_gap, output), range(
            len(output.sampled))))
        resampled = gap < MARGIN
        found.margins += [gap] * resampled
    if 'classes' in pairs:
        classes, others = pairs['classes']
        differ = classes != others
        found.pixels += differ.numel()
        found.equal += int((~differ).sum())
        logits = pairs['logits'][0]
        if logits.size(1) == 1:
            logits = torch.cat([-logits, logits], dim=1) / 2
        if not resampled:
            found.margins += _margins(
                logits.movedim(1, -1), classes, others)
    if not resampled:
        found.difference = max(found.difference, difference)
    found.resampled += resampled


def _compare_hierarchies(found: Comparison, output: CASTOutput,
                         pairs: dict[str, tuple[Tensor, Tensor]]) -> bool:
    """Compare all levels; whether centroids differ."""
    levels = range(sum(name.startswith('parents_') for name in pairs))
    maps = [
        SegmentHierarchy(pairs['labels'][i],
                         [pairs[f'parents_{level}'][i] for level in levels])
        for i in (0, 1)
    ]
    for level in range(maps[0].num_levels):
        one, other = (hierarchy.label_map(level) for hierarchy in maps)
        found.pixels += one.numel()
        found.equal += int((one == other).sum())
    for level in levels:
        one, other = pairs[f'sampled_{level}']
        if not one.equal(other):
            found.margins.append(sampling_margin(output, level, other))
            return True
        found.margins += _margins(output.logits[level],
                                  *pairs[f'parents_{level}'],
                                  ~output.empty[level])
    return False


def _margins(logits: Tensor, one: Tensor, other: Tensor,
             counted: Tensor | None = None) -> list[float]:
    """Differences of (..., K) logits where two choices (...) differ."""
    differ = one != other
    if counted is not None:
        differ &= counted
    chosen = torch.stack([one[differ], other[differ]], dim=1)
    values = logits[differ].gather(1, chosen)
    return (values[:, 0] - values[:, 1]).abs().tolist()


def sampling_margin(output: CASTOutput, level: int, other: Tensor) -> float:
    """Margin of the first centroid of one image that is another.

    Args:
        output (CASTOutput): Of the model, for one image.
        level (int): Level of the tokens.
        other (Tensor): (1, K) int64, the other sample.
    """
    step = int((output.sampled[level] != other).int().argmax())
    both = torch.stack([output.sampled[level][0, step], other[0, step]])
    if (both < 0).any():
        return torch.inf  # one of them has no token left
    distances = _distances(output, level)[both, step]
    return float((distances[0] - distances[1]).abs())


def sampling_gap(output: CASTOutput, level: int) -> float:
    """Smallest margin between the centroids of one image and the next best."""
    distances = _distances(output, level)[~output.empty[level][0]]
    best = distances.topk(min(2, len(distances)), dim=0).values
    return float((best[0] - best[-1]).min())


def _distances(output: CASTOutput, level: int) -> Tensor:
    """(N, K) squared distances to the mean and the centroids before each.

    The largest to the mean is 1.
    """
    points, empty = output.tokens[level].double(), output.empty[level]
    sampled = output.sampled[level][0]
    before = torch.cat([masked_mean(points, empty), points[0, sampled[:-1]]])
    distances = torch.cdist(points[0], before).square()
    return distances.cummin(dim=1).values / distances[~empty[0], 0].max()
