"""Tables of what superpixels cost and what they are worth."""

from typing import Dict, List

from benchmarks.common.report import markdown_table
from benchmarks.common.timing import paired_ratio, spread
from benchmarks.superpixels.methods import BASELINE, METHODS
from benchmarks.superpixels.quality import MEASURES

__all__ = ['quality_table', 'speed_table']

_BASELINES = (BASELINE, 'SEEDS, 5 bins, 15 iterations')


def speed_table(size: int, segments: int,
                seconds: Dict[str, List[float]]) -> str:
    """Make the table of one size.

    Args:
        size (int): Height and width of the images.
        segments (int): Segments that were asked for.
        seconds (Dict[str, list[float]]): By method, seconds an image in each
            round.

    Returns:
        str: Markdown. What was not run is not in it.
    """
    baselines = [baseline for baseline in _BASELINES if baseline in seconds]
    rows = []
    for name in METHODS:
        if name not in seconds:
            continue
        times = spread(seconds[name])
        rows.append([
            name,
            f'{1e3 * times.median:.3g} '
            f'({1e3 * times.low:.3g}–{1e3 * times.high:.3g})',
            *(f'{paired_ratio(seconds[baseline], seconds[name]).median:.2f}'
              for baseline in baselines)
        ])
    return markdown_table([
        f'{size} x {size}, {segments} segments', 'ms an image (quartiles)',
        *(f'times as fast as {baseline}' for baseline in baselines)
    ], rows)


def quality_table(size: int, ratings: Dict[str, dict]) -> str:
    """Make the table of quality.

    Args:
        size (int): Height and width of the images.
        ratings (Dict[str, dict]): Of ``rate``.

    Returns:
        str: Markdown.
    """
    rows = [[name, *(_format(rating[measure], measure)
                     for measure in MEASURES)]
            for name, rating in ratings.items()]
    return markdown_table([f'{size} x {size}', *MEASURES], rows)


def _format(value: float, measure: str) -> str:
    return f'{value:.1f}' if measure in MEASURES[:2] else f'{value:.3f}'
