"""Curves of time and memory over the size of a batch."""

from pathlib import Path
from typing import Dict, List

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.common.timing import spread

__all__ = ['draw']

_STYLES = {
    'kmeans': ('k-means', '#33658a'),
    'contrast': ('contrast', '#c8442b'),
    'grouping': ('grouping', '#4c8b3b'),
}


def draw(results: List[Dict[str, dict]], ranks: List[Dict[str, float]],
         path: Path) -> None:
    """Draw time and memory over pixels, and over processes.

    Args:
        results (List[Dict[str, dict]]): Of ``measure`` for each size.
        ranks (List[Dict[str, float]]): Of ``measure_ranks``; may be empty.
        path (Path): PNG file to write.
    """
    figure = Figure(figsize=(10.5, 3.4), layout='constrained')
    time, memory, of_ranks = figure.subplots(1, 3)
    for name, (words, color) in _STYLES.items():
        for version, line in (('package', 'o-'), ('written out', 's--')):
            # The size of the batch, and what was measured of it.
            runs = [(x['size']['pixels'], x[name][version]) for x in results
                    if version in x.get(name, {})]
            if not runs:
                continue
            pixels = [x for x, _ in runs]
            options = dict(
                color=color,
                label=words + (', written out' if '--' in line else ''),
                markersize=3, linewidth=1)
            time.plot(pixels, [spread(x['seconds']).median for _, x in runs],
                      line, **options)
            memory.plot(pixels, [x['peak'] / 2**20 for _, x in runs], line,
                        **options)
    _draw_sizes(results, memory)
    time.legend(fontsize=6)
    _label(time, 'pixels', 'seconds')
    _label(memory, 'pixels', 'peak MiB')
    _draw_ranks(ranks, of_ranks)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _draw_sizes(results: List[Dict[str, dict]], axis: Axes) -> None:
    """What the vectors, and what all similarities take."""
    sizes = [x['size'] for x in results]
    pixels = [x['pixels'] for x in sizes]
    for label, line, values in (
        ('(P + N) D', ':', [(x['pixels'] + x['prototypes']) * x['channels']
                            for x in sizes]),
        ('P N', '-.', [x['pixels'] * x['prototypes'] for x in sizes])):
        axis.plot(pixels, [4 * x / 2**20 for x in values], line,
                  color='gray', label=label, linewidth=1)
    axis.legend(handles=axis.lines[-2:], fontsize=6)


def _draw_ranks(ranks: List[Dict[str, float]], axis: Axes) -> None:
    """Of the contrast in one process, over how many there are."""
    numbers = [x['ranks'] for x in ranks]
    for label, line, values in (
        ('seconds', 'o-', [x['seconds'] for x in ranks]),
        ('peak memory', 's--', [x['peak'] for x in ranks]),
        ('prototypes', ':', [x['prototypes'] for x in ranks])):
        axis.plot(numbers, [x / values[0] for x in values], line,
                  color='gray' if line == ':' else '#c8442b', label=label,
                  markersize=3, linewidth=1)
    _label(axis, 'processes', 'contrast, times that of one')
    axis.set_yscale('linear')
    axis.set_xscale('linear')
    axis.set_xticks(numbers)
    axis.legend(fontsize=6)


def _label(axis: Axes, x: str, y: str) -> None:
    axis.set_xscale('log')
    axis.set_yscale('log')
    axis.set_xlabel(x, fontsize=8)
    axis.set_ylabel(y, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
