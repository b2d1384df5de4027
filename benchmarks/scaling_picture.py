"""The curves, drawn from the JSON file."""

from pathlib import Path
from typing import Callable, List, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.common.timing import spread
from benchmarks.cost.work import MODES

__all__ = ['draw']

_STYLES = {'cast-s': ('CAST-S', '#c8442b', 'o-'),
           'vit-s': ('ViT-S', '#33658a', 's--')}
Value = Callable[[dict], float]


def draw(report: dict, path: Path) -> None:
    """Draw time and memory over tokens and over the batch size.

    Args:
        report (dict): ``settings`` and ``results``, as in the JSON file.
        path (Path): PNG file to write.
    """
    modes = report['settings']['modes']
    figure = Figure(figsize=(10, 2.6 * len(modes)), layout='constrained')
    axes = figure.subplots(len(modes), 4, squeeze=False)
    values: List[Tuple[str, Value]] = [
        ('ms a step', lambda one: 1e3 * spread(one['seconds']).median),
        ('peak MiB', lambda one: (one['held'] + one['step']) / 2**20)
    ]
    for row, mode in zip(axes, modes):
        for column, (key, words, first) in enumerate((
                ('tokens', 'tokens', 'batch_size'),
                ('batch_size', 'images in a batch', 'tokens'))):
            results = _curve(report['results'], mode, key, first)
            for place, (unit, value) in enumerate(values):
                axis = row[2 * column + place]
                _draw_one(axis, results, key, value)
                axis.set_xlabel(words, fontsize=8)
                axis.set_ylabel(unit, fontsize=8)
                axis.set_title(f'{MODES[mode].title}', fontsize=8)
    axes[0][0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _curve(results: List[dict], mode: str, key: str,
           fixed: str) -> List[dict]:
    """Points of a mode where the other quantity is the smallest."""
    results = [x for x in results if x['mode'] == mode]
    smallest = min(x[fixed] for x in results)
    return sorted((x for x in results if x[fixed] == smallest and x['models']),
                  key=lambda x: x[key])


def _draw_one(axis: Axes, results: List[dict], key: str,
              value: Value) -> None:
    for name, (label, color, style) in _STYLES.items():
        axis.plot([x[key] for x in results],
                  [value(x['models'][name]) for x in results],
                  style, color=color, label=label, markersize=4)
    axis.set_xscale('log', base=2)
    axis.set_yscale('log')
    ticks = sorted({x[key] for x in results})
    axis.set_xticks(ticks, [str(x) for x in ticks], fontsize=7)
    axis.minorticks_off()
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
