"""The table of what losses cost."""

from typing import Dict, List

from benchmarks.common.report import markdown_table
from benchmarks.common.timing import paired_ratio, spread

__all__ = ['ranks_to_markdown', 'to_markdown']

_HEADER = ('work', 'images', 'pixels P', 'prototypes N', '(P + N) D, MiB',
           'P N, MiB', 's', 'peak MiB', 's, written out',
           'peak MiB, written out', 'times as fast')
_RANKS = ('processes', 'pixels P of each', 'prototypes N of all',
          '(P + N) D, MiB', 'P N, MiB', 's', 'peak MiB')
_NAMES = {
    'kmeans': 'k-means',
    'contrast': 'contrast and gradients',
    'grouping': 'grouping and gradients',
}


def to_markdown(results: List[Dict[str, dict]]) -> str:
    """Make the table: works, and batches of growing size.

    Args:
        results (List[Dict[str, dict]]): Of ``measure`` for each size.

    Returns:
        str: Markdown. What was not run is a dash.
    """
    rows = []
    for name, words in _NAMES.items():
        for result in results:
            if name not in result:
                continue
            size = result['size']
            pixels, prototypes = size['pixels'], size['prototypes']
            rows.append([
                words, str(size['images']), f'{pixels:,}', f'{prototypes:,}',
                _mebibytes(4 * (pixels + prototypes) * size['channels']),
                _mebibytes(4 * pixels * prototypes)
            ] + [
                cell for version in ('package', 'written out')
                for cell in _cells(result[name].get(version))
            ] + [_speed(result[name])])
    return markdown_table(_HEADER, rows)


def ranks_to_markdown(results: List[Dict[str, float]]) -> str:
    """Make the table of the contrast in several processes.

    Args:
        results (List[Dict[str, float]]): Of ``measure_ranks``.

    Returns:
        str: Markdown.
    """
    return markdown_table(_RANKS, [[
        str(x['ranks']), f'{x["pixels"]:,}', f'{x["prototypes"]:,}',
        _mebibytes(4 * (x['pixels'] + x['prototypes']) * x['channels']),
        _mebibytes(4 * x['pixels'] * x['prototypes']), f'{x["seconds"]:.3g}',
        _mebibytes(x['peak'])
    ] for x in results])


def _speed(measured: Dict[str, dict]) -> str:
    if len(measured) < 2:
        return '–'
    ratio = paired_ratio(measured['written out']['seconds'],
                         measured['package']['seconds'])
    return f'{ratio.median:.1f}'


def _cells(measured: dict) -> List[str]:
    if not measured:
        return ['–', '–']
    seconds = spread(measured['seconds']).median
    return [f'{seconds:.3g}', _mebibytes(measured['peak'])]


def _mebibytes(size: int) -> str:
    size /= 2**20
    return f'{size:.0f}' if size >= 10 else f'{size:.1f}'
