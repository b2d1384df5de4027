"""The table of what models have learned."""

from typing import Dict, List, Sequence

import numpy as np

from benchmarks.common.report import markdown_table

__all__ = ['to_markdown']

_NAMES = {
    'colours': 'k-means on the colours of superpixels',
    'cast': 'CAST',
    'vit': 'ViT, k-means on its features',
    'vit-superpixel': 'superpixels, no pooling, k-means',
    'cast-grid': 'CAST on patches',
    'initialised': 'as initialised',
    'trained': 'pre-trained',
}
_KINDS = ('part', 'object', 'explained')


def to_markdown(results: Dict[str, List[Dict[str, float]]],
                sizes: Sequence[int]) -> str:
    """Make the table: a row for each model, before and after training.

    Args:
        results (Dict[str, List[Dict[str, float]]]): By name of the model and
            stage, what was measured with each seed.
        sizes (Sequence[int]): Numbers of segments, K.

    Returns:
        str: Means and, with several seeds, standard deviations over them, in
        per cent.
    """
    measured = {key.split('/')[0] for runs in results.values()
                for key in runs[0]}
    kinds = [kind for kind in _KINDS if kind in measured]
    keys = ['accuracy'] + [f'{kind}/{size}' for kind in kinds
                           for size in sizes]
    header = ['model', 'probe'] + [key.replace('/', ' ') for key in keys[1:]]
    rows = []
    for name, runs in results.items():
        words = ', '.join(_NAMES[part] for part in name.split('/'))
        rows.append(
            [words] +
            [_cell([run[key] for run in runs if key in run]) for key in keys])
    return markdown_table(header, rows)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ''
    mean = f'{100 * np.mean(values):.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ± {100 * np.std(values, ddof=1):.1f}'
