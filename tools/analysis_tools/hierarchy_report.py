"""The results of ``evaluate_hierarchy.py`` as a table and as curves."""

import math
from pathlib import Path

#: Title of the column and factor, of the measures of each level.
COLUMNS = {
    'covering': ('covering', 100),
    'variation_of_information': ('VI (nats)', 1),
    'probabilistic_rand_index': ('PRI', 100), 'boundary': ('boundary F', 100),
    'nf_covering': ('NFCovering', 100), 'region_miou': ('region mIoU', 100),
    'containment': ('inside the next level', 100)
}


def markdown(summary: dict, title: str) -> str:
    """Tables in Markdown, percent but for VI and clicks."""
    columns = {name: x for name, x in COLUMNS.items() if name in summary}
    lines = [f'# {title}', '', f'{summary["images"]} images. Percent, but for '
             'VI (lower is better) and clicks.', '']
    if columns:
        names = [x for x, _ in columns.values()]
        lines += ['| level | ' + ' | '.join(names) + ' |',
                  '|---' * (len(names) + 1) + '|']
        rows = [(name, [summary[key]['level'][i] for key in columns])
                for i, name in enumerate(summary['levels'])]
        for label, key in (('one for all (ODS)', 'ods'),
                           ('best of each image (OIS)', 'ois')):
            rows.append((label, [summary[x].get(key) for x in columns]))
        for name, values in rows:
            cells = [_cell(value, factor) for value, (_, factor) in zip(
                values, columns.values())]
            lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
        lines.append('')
    others = _others(summary)
    if others:
        lines += ['| of all masks | |', '|---|---|',
                  *(f'| {name} | {value} |' for name, value in others), '']
    return '\n'.join(lines)


def _others(summary: dict) -> list[tuple[str, str]]:
    rows = [(f'average recall, {name}', _cell(value))
            for name, value in summary.get('recall', {}).items()]
    if 'containment_of_masks' in summary:
        rows.append(('containment of masks in larger ones',
                     _cell(summary['containment_of_masks'])))
    rows += [(f'{name} consistency', _cell(summary[f'{name}_consistency']))
             for name in ('spatial', 'semantic')
             if f'{name}_consistency' in summary]
    return rows + [(f'clicks until IoU {at}', f'{value:.2f}') for at, value in
                   summary.get('clicks', dict(noc={}))['noc'].items()]


def _cell(value: float | None, factor: float = 100) -> str:
    if value is None:
        return ''
    if math.isnan(value):
        return '–'
    return f'{factor * value:.1f}' if factor > 1 else f'{value:.3f}'


def plot(summary: dict, path: Path) -> None:
    """Draw measures of the levels, precision and recall, and clicks."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt
    panels = [(title, factor, summary[name])
              for name, (title, factor) in COLUMNS.items()
              if name in summary and len(summary['levels']) > 1]
    draw_clicks = summary.get('clicks', dict(curve=[]))['curve']
    count = len(panels) + ('boundary' in summary) + bool(draw_clicks)
    if not count:
        return
    rows = math.ceil(count / 3)
    figure, axes = plt.subplots(
        rows, min(count, 3), figsize=(4.2 * min(count, 3), 3.2 * rows),
        squeeze=False, layout='constrained')
    free = iter(axes.flat)
    for title, factor, values in panels:
        axis = next(free)
        if factor == 100:
            axis.set_ylim(0, 1.02)
        axis.plot(values['level'], marker='.')
        for key, style in (('ods', ':'), ('ois', '--')):
            if key in values:
                axis.axhline(values[key], color='gray', linestyle=style,
                             label=f'{key.upper()} {values[key]:.3f}')
                axis.legend(frameon=False)
        ticks = range(0, len(summary['levels']),
                      math.ceil(len(summary['levels']) / 6))
        axis.set_xticks(ticks, [summary['levels'][i] for i in ticks],
                        rotation=30, ha='right')
        axis.set_title(title)
    if 'boundary' in summary:
        axis, values = next(free), summary['boundary']
        axis.plot(values['recall'], values['precision'], marker='.')
        axis.set(title='boundaries', xlabel='recall', ylabel='precision',
                 xlim=(0, 1), ylim=(0, 1))
    if draw_clicks:
        axis = next(free)
        axis.plot(draw_clicks, marker='.')
        axis.set(title='regions by clicks', xlabel='clicks', ylabel='IoU',
                 ylim=(0, 1))
    for axis in free:
        axis.set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
