"""Tables of what pipelines take."""

from typing import Dict

from benchmarks.common.report import markdown_table
from benchmarks.common.timing import paired_ratio, spread

from .work import BASELINE

__all__ = ['parts_table', 'speed_table']

_HEADER = ('superpixels', 'workers', 'images/s', 'ms an image (quartiles)',
           'images/s : SEEDS')


def speed_table(results: Dict[str, Dict[str, dict]]) -> str:
    """Images per second, and the ratio to SEEDS in the loader.

    Args:
        results (Dict[str, Dict[str, dict]]): By the number of workers and the
            pipeline, ``images`` and ``seconds`` of passes.

    Returns:
        str: Markdown.
    """
    rows = []
    for workers, by_name in results.items():
        base = by_name[BASELINE]
        for name, one in by_name.items():
            time = spread([1e3 * x / one['images'] for x in one['seconds']])
            ratio = paired_ratio(base['seconds'], one['seconds']).median
            rows.append([
                name, workers, f'{1e3 / time.median:.1f}',
                f'{time.median:.1f} ({time.low:.1f}–{time.high:.1f})',
                f'{ratio:.2f}'
            ])
    return markdown_table(_HEADER, rows)


def parts_table(by_name: Dict[str, dict]) -> str:
    """Milliseconds an image of every step, both views together.

    Args:
        by_name (Dict[str, dict]): By pipeline, ``images`` and ``parts``.

    Returns:
        str: Markdown. Steps that a pipeline lacks are dashes.
    """
    # In the order of the pipeline that has all of them.
    steps = list(by_name[BASELINE]['parts'])
    rows = []
    for step in [x for x in steps if x != 'other'] + ['other']:
        cells = [one['parts'].get(step) for one in by_name.values()]
        rows.append([step] + [
            '–' if seconds is None else
            f'{1e3 * seconds / one["images"]:.2f}'
            for seconds, one in zip(cells, by_name.values())
        ])
    return markdown_table(('ms an image', *by_name), rows)
