"""The table of what HSG and its baselines have learned."""

from typing import Dict, List, Sequence

import numpy as np

from benchmarks.common.report import markdown_table

from .measure import GRIDS, KINDS

__all__ = ['to_markdown']

#: Rows: words, model and stage, and whose segments are compared.
_ROWS = (
    ('k-means on colours', 'colours', 'kmeans'),
    ('k-means on the untrained features', 'hsg/initialised', 'kmeans'),
    ('HSG, as initialised', 'hsg/initialised', 'own'),
    ("SegSort's loss, k-means on its features", 'segsort/trained', 'kmeans'),
    ('the same on co-segmented views, k-means', 'cosegmented/trained',
     'kmeans'),
    ('HSG, k-means on its features', 'hsg/trained', 'kmeans'),
    ('HSG, its own groups', 'hsg/trained', 'own'),
)


def to_markdown(results: Dict[str, List[Dict[str, float]]]) -> str:
    """Make the table: models, before and after training.

    Args:
        results (Dict[str, List[Dict[str, float]]]): By model and stage, what
            was measured with each seed.

    Returns:
        str: Means and, with several seeds, standard deviations over them, in
        per cent.
    """
    columns = [(kind, size) for kind in KINDS for size in GRIDS]
    header = ['', 'mIoU'] + [f'{kind} {size}' for kind, size in columns]
    rows = []
    for words, name, source in _ROWS:
        runs = results.get(name)
        if runs:
            rows.append([words, _cell([run['mIoU'] for run in runs])] + [
                _cell([
                    run[f'{source}/{kind}/{size}'] for run in runs
                    if f'{source}/{kind}/{size}' in run
                ]) for kind, size in columns
            ])
    return markdown_table(header, rows)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ''
    mean = f'{100 * np.mean(values):.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ± {100 * np.std(values, ddof=1):.1f}'
