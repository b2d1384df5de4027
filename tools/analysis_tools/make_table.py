"""Lay out results as the tables of the papers, in Markdown.

The papers' numbers are read from ``configs/*/metafile.yml``, the layout from
``configs/tables.yml``.
"""

import statistics
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import mmengine
from read_records import Record
from records import in_words

from mmhierseg._base.errors import UserError
from mmhierseg._base.names import table_cell

ROOT = Path(__file__).resolve().parents[2]
_MISSING = '–'
_SHORT = {
    'Pixel Accuracy': 'pixel accuracy',
    'Top 1 Accuracy': 'top-1',
    'Boundary F-score': 'boundary F-score'
}

#: Name in a metafile -> shell patterns of a metric's name in a result, tried
#: in order, since an evaluator may put a prefix before a name.
PATTERNS = {
    'mIoU': ('mIoU', '*/mIoU'),
    'Pixel Accuracy': ('aAcc', '*/aAcc'),
    'Top 1 Accuracy': ('accuracy/top1', ),
    'Boundary F-score': ('BoundaryFScore/mFscore',
                         '*/BoundaryFScore/mFscore'),
    'FPA': ('taxonomy/FPA', '*/FPA'),
    'TICE': ('taxonomy/TICE', '*/TICE'),
}
for _level in ('part', 'object', 'category'):
    for _name in ('mIoU', 'Boundary F-score'):
        _metric = f'{_level}/{PATTERNS[_name][0]}'
        PATTERNS[f'{_level} {_name}'] = (_metric, f'*/{_metric}')

#: Layout of each table, by name.
TABLES: dict[str, dict] = mmengine.load(ROOT / 'configs/tables.yml')


def read_metafiles() -> tuple[dict[str, dict], dict[str, dict]]:
    """Collections and models by name, of all metafiles."""
    collections, models = {}, {}
    for name in mmengine.load(ROOT / 'model-index.yml')['Import']:
        content = mmengine.load(ROOT / name)
        collections |= {c['Name']: c for c in content['Collections']}
        models |= {model['Name']: model for model in content['Models']}
    return collections, models


def model_table(collection: str) -> str:
    """Table of the configs of a collection, as its README shows it."""
    collections, models = read_metafiles()
    folder = Path(collections[collection]['README']).parent
    rows = []
    for model in models.values():
        config, meta = Path(model.get('Config', '')), model['Metadata']
        if model['In Collection'] != collection or config.parent != folder:
            continue
        paper = [f'{value:.1f} {_SHORT.get(metric, metric)}'
                 for metric, value in _reported(model).items()]
        if 'FLOPs' in meta:
            paper.append(f'{meta["FLOPs"] / 1e9:.1f} GFLOPs')
        rows.append((f'[{model["Name"]}]({config.name})', meta['Description'],
                     meta['Training Data'], ', '.join(paper), meta['Status']))
    return _markdown(['config', 'description', 'data', 'paper', 'status'],
                     rows, 5)


def zoo_table(collection: str) -> str:
    """Table of the models of a collection, as ``docs/model_zoo.md`` has it."""
    rows = []
    for name, model in read_metafiles()[1].items():
        if model['In Collection'] != collection or 'Config' not in model:
            continue
        meta, weights = model['Metadata'], model.get('Weights')
        rows.append((f'`{name}`', meta.get('Description', ''),
                     meta['Training Data'], f'`{weights}`' if weights else '',
                     meta.get('Status', '')))
    return _markdown(['name', 'description', 'data', 'weights', 'status'],
                     rows, 5)


def benchmark_tables(records: Sequence[Record],
                     names: Sequence[str] = tuple(TABLES),
                     metrics: Sequence[str] | None = None,
                     average: bool = False) -> str:
    """Write tables, then the results that no table has a place for.

    Several results of one config stand side by side, or with ``average`` as
    mean ± standard deviation. A repeated test of the same weights with the
    same settings counts once, the latest. ``metrics`` are shell patterns of
    those to show of results without a place.
    """
    latest = {(r.config, r.weights, r.settings): r
              for r in sorted(records, key=lambda r: (r.date, r.path))}
    found = sorted(latest.values(), key=lambda r: (r.config, r.path))
    known = {name for record in records for name in record.metrics}
    for pattern in metrics or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UserError(
                f'--metrics {pattern}: no result has a metric of this name; '
                f'there are {_names(known)}')
    parts = [_table(TABLES[name], found, average) for name in names]
    placed = {model for name in names for row in TABLES[name]['rows']
              for *_, model in _cells(TABLES[name], row)}
    other = [record for record in found if record.config not in placed]
    if other:
        rows = [(record.config, record.images, name, f'{value:.4g}')
                for record in other for name, value in record.metrics.items()
                if isinstance(value, (int, float)) and any(
                    fnmatchcase(name, pattern) for pattern in metrics or '*')]
        parts.append(
            '### Other results\n\nResults without a place in the tables.\n\n' +
            _markdown(['config', 'data', 'metric', 'here'], rows, 3))
    if found:
        parts.append('\n'.join(['### Sources', '', *map(_source, found)]))
    return '\n\n'.join(parts) + '\n'


def expected_cells(names: Sequence[str] = tuple(TABLES)) -> str:
    """List the config and the metrics that fill each cell of some tables."""
    return '\n'.join(
        f'{name}: {row[0]}, {title}: {model} '
        f'({", ".join(PATTERNS[metric][0] for metric in metrics)})'
        for name in names for row in TABLES[name]['rows']
        for title, metrics, model in _cells(TABLES[name], row))


def _cells(table: dict, row: list[str]) -> list[tuple[str, list[str], str]]:
    """Title, metrics and model of the cells of a row."""
    models = row[len(table['headings']):]
    return [(*column, model)
            for column, model in zip(table['columns'].items(), models)]


def _table(table: dict, records: list[Record], average: bool) -> str:
    collections, models = read_metafiles()
    header, rows = list(table['headings']), []
    reasons = table.get('open', {})
    texts = len(header)
    for row in table['rows']:
        cells = row[:texts]
        if header[-1] == 'GFLOPs':
            flops = models[cells[-1]]['Metadata'].get('FLOPs')
            cells[-1] = f'{flops / 1e9:.1f}' if flops else ''
        for title, metrics, name in _cells(table, row):
            reported = _reported(models.get(name, {}))
            cells.append(' / '.join(
                _number(reported.get(metric), table.get('digits', 1))
                for metric in metrics) if reported else '')
            measured = [record for record in records if record.config == name]
            cells.append('open' if title in reasons else _measured(
                title, metrics, measured, average, tuple(reasons)))
        rows.append(cells)
    header += [f'{title}, {source}' for title in table['columns']
               for source in ('paper', 'here')]
    paper = collections[table['collection']]['Paper']
    return (f'### {table["title"]}\n\nPaper: [{table["collection"]}]'
            f'({paper["URL"]}) ({paper["Venue"]}).\n\n' +
            _markdown(header, rows, texts) + '\n' * bool(reasons) +
            ''.join(f'\n* Open, {name}: {reason}.'
                    for name, reason in reasons.items()))


def _reported(model: dict) -> dict[str, float]:
    return {
        name: value
        for result in model.get('Results', [])
        for name, value in result['Metrics'].items()
    }


def _measured(title: str, metrics: list[str], records: list[Record],
              average: bool, hidden: tuple[str, ...]) -> str:
    """Content of a cell: '' without results.

    Metrics whose names end like one of ``hidden`` are not shown.
    """
    values = []
    for record in records:
        values.append([
            None if metric.endswith(hidden) else
            _value(record, PATTERNS[metric]) for metric in metrics])
        if all(value is None for value in values[-1]):
            wanted = ' or '.join(PATTERNS[metric][0] for metric in metrics)
            raise UserError(
                f'{record.path}: {record.config} was tested without {wanted}, '
                f'which the column {title!r} shows; it has '
                f'{_names(record.metrics)}. Test again with the metric, or '
                'leave the file out')
    if average and len(records) > 1:
        if len({record.weights for record in records}) < len(records):
            raise UserError(
                '--average is over weights, but of '
                f'{_names([record.path for record in records])} some have the '
                'same, tested with different settings: leave these out')
        means = ' / '.join(_mean(numbers) for numbers in zip(*values))
        return f'{means} (n={len(records)})'
    return '; '.join(
        ' / '.join(_number(value, 1) for value in numbers) +
        (' (TTA)' if record.options.get('tta') else '')
        for record, numbers in zip(records, values))


def _value(record: Record, patterns: tuple[str, ...]) -> float | None:
    """Number of a metric, None if it was not measured."""
    for pattern in patterns:
        names = [name for name in record.metrics if fnmatchcase(name, pattern)]
        if len(names) > 1:
            raise UserError(
                f'{record.path}: {patterns[0]} can be any of {_names(names)}: '
                'keep the one that the table should show')
        if names:
            value = record.metrics[names[0]]
            return value if isinstance(value, (int, float)) else None
    return None


def _number(value: float | None, digits: int) -> str:
    return _MISSING if value is None else f'{value:.{digits}f}'


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return _number(*known or [None], 1)
    return f'{statistics.fmean(known):.1f} ± {statistics.stdev(known):.1f}'


def _source(record: Record) -> str:
    checkpoint, options = record.checkpoint, record.options
    sha256 = checkpoint.get('sha256')
    parts = [
        f'checkpoint `{sha256[:12]}`' if sha256 else
        f'checkpoint {checkpoint.get("path")} (not hashed)',
        *(f'{unit} {checkpoint[unit]}' for unit in ('epoch', 'iter')
          if checkpoint.get(unit) is not None),
        record.images,
        *(word for word in ('tta', 'amp') if options.get(word)),
        *(f'{name}={value}'
          for name, value in (options.get('cfg_options') or {}).items()),
        f'{record.processes} process' + 'es' * (record.processes > 1),
        in_words(record.machine),
    ]
    tested = f' (by `{record.tested}`)' * (record.tested != record.config)
    return f'* `{record.config}`{tested}: {"; ".join(parts)}'


def _names(names: Any) -> str:
    return ', '.join(sorted(names)) or 'none'


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]],
              texts: int) -> str:
    """A table whose first columns are text and whose others are numbers."""
    marks = ['---'] * texts + ['---:'] * (len(header) - texts)
    lines = [header, marks, *rows]
    return '\n'.join(
        f'| {" | ".join(map(table_cell, cells))} |' for cells in lines)
