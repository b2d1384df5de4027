"""From measurements to ratios, and from those to tables."""

from typing import Dict, List, NamedTuple, Optional

from benchmarks.common.machine import in_words
from benchmarks.common.report import markdown_table
from benchmarks.common.timing import paired_ratio, spread

from .models import CONTENDERS
from .work import MODES

__all__ = ['Measurement', 'evaluate', 'to_markdown']

_HEADER = ('model', 'backbone, M', 'images/s', 'ms/image (quartiles)',
           'time : ViT', 'peak MiB', 'memory : ViT', 'images/s with SP',
           'time : ViT with SP', 'peak MiB with SP')
_NONE = '–'


class Measurement(NamedTuple):
    """A model in a mode, with superpixels made in the step or not."""

    mode: str
    model: str
    superpixels: str
    """'none', 'given' (they come with the images) or 'made' (in the step)."""

    seconds: List[float]
    """Per step, one number for each round."""

    held_bytes: int
    """Of weights, buffers and the optimizer's state."""

    step_bytes: int
    """Most that a step takes at once above them."""

    parameters: int
    """Of the backbone."""


def evaluate(measured: List[Measurement], batch_size: int) -> List[dict]:
    """Work out throughput, and ratios to the ViT of the same size.

    Args:
        measured (List[Measurement]): Of any modes and models; those of a mode
            are of the same rounds.
        batch_size (int): Images in a step.

    Returns:
        List[dict]: A result for each, as it goes into the JSON file. Ratios
        are None where the ViT was not measured.
    """
    baselines = {(one.mode, one.model): one
                 for one in measured if one.superpixels == 'none'}
    results = []
    for one in measured:
        name = CONTENDERS[one.model].baseline
        base = baselines.get((one.mode, name))
        time = spread([1e3 * x / batch_size for x in one.seconds])
        peak = one.held_bytes + one.step_bytes
        results.append(
            dict(
                mode=one.mode,
                model=one.model,
                superpixels=one.superpixels,
                baseline=name,
                parameters=one.parameters,
                images_per_second=1e3 / time.median,
                ms_per_image=time._asdict(),
                time_ratio=base and paired_ratio(one.seconds,
                                                 base.seconds)._asdict(),
                peak_bytes=peak,
                held_bytes=one.held_bytes,
                memory_ratio=base and peak /
                (base.held_bytes + base.step_bytes),
                seconds=one.seconds))
    return results


def to_markdown(report: Dict[str, object]) -> str:
    """Write a report down for people.

    Args:
        report (Dict[str, object]): ``machine``, ``settings`` and ``results``,
            as in the JSON file.

    Returns:
        str: Markdown: the conditions, then a table for each mode.
    """
    settings = report['settings']
    size = settings['img_size']
    lines = [
        in_words(report['machine']) + '.', '',
        f'{size} x {size} pixels, batch {settings["batch_size"]}, '
        f'{settings["repeats"]} rounds.'
    ]
    if settings['quick']:
        lines[-1] += ' **Quick run: provisional numbers.**'
    for mode in settings['modes']:
        results = [x for x in report['results'] if x['mode'] == mode]
        lines += [
            '', f'**{MODES[mode].title}.** {MODES[mode].meaning}.', '',
            markdown_table(_HEADER, _rows(results))
        ]
    return '\n'.join(lines)


def _rows(results: List[dict]) -> List[List[str]]:
    """A row for each model, whether or not it takes superpixels."""
    rows = []
    made = {x['model']: x for x in results if x['superpixels'] == 'made'}
    for one in results:
        if one['superpixels'] == 'made':
            continue
        time = one['ms_per_image']
        rows.append([
            one['model'], f'{one["parameters"] / 1e6:.1f}',
            _throughput(one),
            f'{time["median"]:.4g} ({time["low"]:.4g}–{time["high"]:.4g})',
            _time_ratio(one),
            _mebibytes(one),
            _NONE if one['memory_ratio'] is None else
            f'{one["memory_ratio"]:.2f}',
            *(show(made.get(one['model']))
              for show in (_throughput, _time_ratio, _mebibytes))
        ])
    return rows


def _throughput(result: Optional[dict]) -> str:
    return f'{result["images_per_second"]:.4g}' if result else _NONE


def _time_ratio(result: Optional[dict]) -> str:
    if not result or result['time_ratio'] is None:
        return _NONE
    return f'{result["time_ratio"]["median"]:.2f}'


def _mebibytes(result: Optional[dict]) -> str:
    return f'{result["peak_bytes"] / 2**20:.0f}' if result else _NONE
