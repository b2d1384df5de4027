"""The table of what tuning and retrieval gave."""

from typing import Dict, List, Sequence

import numpy as np

from benchmarks.common.report import markdown_table

__all__ = ['COLUMNS', 'to_markdown']

_NAMES = {
    'vit': ('patches', 'no', 'ViT'),
    'vit-superpixel': ('superpixels', 'no', 'CAST in one stage'),
    'cast-grid': ('patches', 'yes', 'CAST on patches'),
    'cast': ('superpixels', 'yes', 'CAST'),
}
#: Of the table: stage of an experiment and metric of its record.
COLUMNS = {
    'before: mIoU': ('retrieve', 'mIoU'),
    'before: boundary F': ('retrieve', 'BoundaryFScore/mFscore'),
    'tuned: mIoU': ('finetune', 'mIoU'),
    'tuned: boundary F': ('finetune', 'BoundaryFScore/mFscore'),
}


def to_markdown(results: Dict[str, List[Dict[str, Dict[str, float]]]]) -> str:
    """Make the table: a row for each model.

    Args:
        results (Dict[str, List[Dict[str, Dict[str, float]]]]): By name of the
            model, for each seed, the metrics of 'retrieve' and 'finetune'.

    Returns:
        str: Means and, with several seeds, standard deviations over them, in
        per cent.
    """
    rows = []
    for model in filter(results.get, _NAMES):
        tokens, pooling, name = _NAMES[model]
        rows.append([name, tokens, pooling] + [
            _cell([run[stage][metric] for run in results[model]])
            for stage, metric in COLUMNS.values()
        ])
    return markdown_table(['model', 'tokens', 'pooling', *COLUMNS], rows)


def _cell(values: Sequence[float]) -> str:
    mean = f'{np.mean(values):.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ± {np.std(values, ddof=1):.1f}'
