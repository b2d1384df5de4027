"""The table of what losses cost."""

from typing import Dict, List

from benchmarks.common.report import markdown_table
from benchmarks.common.timing import spread

__all__ = ['to_markdown']

_HEADER = ('work', 'images', 'pixels P', 'prototypes N', '(P + N) D, MiB',
           'P N, MiB', 's', 'peak MiB', 's, written out',
           'peak MiB, written out')
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
            ])
    return markdown_table(_HEADER, rows)


def _cells(measured: dict) -> List[str]:
    if not measured:
        return ['–', '–']
    seconds = spread(measured['seconds']).median
    return [f'{seconds:.3g}', _mebibytes(measured['peak'])]


def _mebibytes(size: int) -> str:
    size /= 2**20
    return f'{size:.0f}' if size >= 10 else f'{size:.1f}'
