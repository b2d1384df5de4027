"""The table of the curves."""

from typing import List

from benchmarks.common.report import markdown_table
from benchmarks.common.timing import paired_ratio, spread
from benchmarks.cost.work import MODES

__all__ = ['to_table']

_HEADER = ('step', 'side', 'tokens', 'batch', 'ms, CAST-S', 'ms, ViT-S',
           'time : ViT', 'peak MiB, CAST-S', 'peak MiB, ViT-S',
           'memory : ViT')


def to_table(results: List[dict]) -> str:
    """Make the table: first by the side of images, then by the batch.

    Args:
        results (list[dict]): Of ``measure``.

    Returns:
        str: Markdown. What was left out is a dash.
    """
    rows = []
    # A point lies on both curves; it is shown in its place on the first.
    for one in sorted(results, key=lambda x: (
            MODES[x['mode']].title, x['batch_size'], x['img_size'])):
        rows.append([
            MODES[one['mode']].title,
            f'{one["img_size"]}', f'{one["tokens"]:,}', f'{one["batch_size"]}',
            *(_cells(one['models']) or ['–'] * 6)
        ])
    return markdown_table(_HEADER, rows)


def _cells(models: dict) -> List[str]:
    if not models:
        return []
    cast, vit = models['cast-s'], models['vit-s']
    peaks = [one['held'] + one['step'] for one in (cast, vit)]
    return [
        *(f'{1e3 * spread(one["seconds"]).median:.4g}' for one in (cast, vit)),
        f'{paired_ratio(cast["seconds"], vit["seconds"]).median:.2f}',
        *(f'{peak / 2**20:.0f}' for peak in peaks),
        f'{peaks[0] / peaks[1]:.2f}'
    ]
