"""From records of tests to the tables of the papers, in Markdown.

Results stand beside the paper's numbers, and nothing stands where nothing was
run. Below the tables is what each number was measured with.
"""

import statistics
from fnmatch import fnmatchcase
from typing import Dict, List, Optional, Sequence, Set, Tuple

from paper_tables import Column, Metric, Table
from read_records import Record

from mmhierseg._base.errors import UserError
from mmhierseg.cli.records import in_words

__all__ = ['benchmark_tables', 'expected_cells']

_NOTHING = '–'


def benchmark_tables(records: Sequence[Record],
                     tables: Dict[str, Table],
                     metrics: Optional[Sequence[str]] = None,
                     average: bool = False) -> str:
    """Write tables, then the results that no table has a place for.

    Several results of one config stand side by side. A repeated test of the
    same weights with the same settings counts once, the latest.

    Args:
        records (Sequence[Record]): What was measured.
        tables (Dict[str, Table]): The tables to write.
        metrics (Sequence[str], optional): Metrics of results that no table
            has a place for, as patterns of the shell. Defaults to None, all.
        average (bool): Whether a cell shows mean ± standard deviation of its
            results, as of several seeds. It has to be asked for: results of
            several epochs of one run have no meaningful mean.
            Defaults to False.

    Returns:
        str: Markdown.

    Raises:
        UserError: If a config that a table has a place for was tested
            without its metrics, a name of ``metrics`` fits nothing, or an
            average would count the same weights twice.
    """
    by_config: Dict[str, List[Record]] = {}
    for record in _latest(records):
        by_config.setdefault(record.config, []).append(record)
    parts = [_table(table, by_config, average) for table in tables.values()]
    placed = {
        cell.config
        for table in tables.values() for row in table.rows
        for cell in row.cells
    }
    other = [record for record in _latest(records)
             if record.config not in placed]
    if metrics is not None:
        _check_known(metrics, records)
    if other:
        parts.append(_other(other, metrics))
    if records:
        parts.append(_sources(_latest(records)))
    return '\n\n'.join(parts) + '\n'


def expected_cells(tables: Dict[str, Table]) -> str:
    """List which config and which metrics each cell is filled by.

    Args:
        tables (Dict[str, Table]): The tables.

    Returns:
        str: A line for each cell that can be filled.
    """
    lines = []
    for name, table in tables.items():
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells):
                if cell.config is None:
                    continue
                wanted = ', '.join(metric[0] for metric in column.metrics)
                lines.append(f'{name}: {row.texts[0]}, {column.title}: '
                             f'{cell.config} ({wanted})')
    return '\n'.join(lines)


def _table(table: Table, by_config: Dict[str, List[Record]],
           average: bool) -> str:
    header = list(table.headings)
    for column in table.columns:
        header += [f'{column.title}, paper', f'{column.title}, here']
    rows = []
    for row in table.rows:
        cells = list(row.texts)
        for column, cell in zip(table.columns, row.cells):
            cells += [
                cell.paper,
                _measured(column, by_config.get(cell.config, []), average)
            ]
        rows.append(cells)
    return (f'### {table.title}\n\nPaper: {table.source}.\n\n' +
            _markdown(header, rows, len(table.headings)))


def _measured(column: Column, records: List[Record], average: bool) -> str:
    """Content of a cell: '' if nothing was run."""
    values = [_values(column, record) for record in records]
    if average and len(records) > 1:
        _check_weights_differ(records)
        means = ' / '.join(_mean(numbers) for numbers in zip(*values))
        return f'{means} (n={len(records)})'
    return '; '.join(
        ' / '.join(_mean([value]) for value in numbers) +
        (' (TTA)' if record.options.get('tta') else '')
        for record, numbers in zip(records, values))


def _values(column: Column, record: Record) -> List[Optional[float]]:
    values = [_value(record, metric) for metric in column.metrics]
    if all(value is None for value in values):
        wanted = ' or '.join(metric[0] for metric in column.metrics)
        raise UserError(
            f'{record.path}: {record.config} was tested without {wanted}, '
            f'which the column {column.title!r} shows; it has '
            f'{_names(record.metrics)}. Add the metric to its test_evaluator '
            'and test again, or leave the file out')
    return values


def _check_weights_differ(records: List[Record]) -> None:
    by_weights: Dict[str, Record] = {}
    for record in records:
        first = by_weights.setdefault(_weights(record), record)
        if first is not record:
            raise UserError(
                f'--average is over weights, but {first.path} and '
                f'{record.path} are of the same, tested with different '
                'settings: leave one of them out')


def _value(record: Record, metric: Metric) -> Optional[float]:
    """Number of a metric, None if it was not measured."""
    for pattern in metric:
        names = [name for name in record.metrics if fnmatchcase(name, pattern)]
        if len(names) > 1:
            raise UserError(
                f'{record.path}: {metric[0]} can be any of {_names(names)}: '
                'keep the one that the table should show')
        if names:
            value = record.metrics[names[0]]
            return value if isinstance(value, (int, float)) else None
    return None


def _mean(values: Sequence[Optional[float]]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _NOTHING
    text = f'{statistics.fmean(known):.1f}'
    if len(known) > 1:
        text += f' ± {statistics.stdev(known):.1f}'
    return text


def _other(records: List[Record], metrics: Optional[Sequence[str]]) -> str:
    """Every result of the configs that no table has a place for."""
    rows = [
        (record.config, _images(record), name, f'{value:.4g}')
        for record in records for name, value in record.metrics.items()
        if isinstance(value, (int, float)) and _wanted(name, metrics)
    ]
    return ('### Other results\n\nThe tables have no place for these.\n\n' +
            _markdown(['config', 'data', 'metric', 'here'], rows, 3))


def _check_known(metrics: Sequence[str], records: Sequence[Record]) -> None:
    known: Set[str] = {name for record in records for name in record.metrics}
    for pattern in metrics:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UserError(
                f'--metrics {pattern}: no result has a metric of this name; '
                f'there are {_names(known)}')


def _wanted(name: str, metrics: Optional[Sequence[str]]) -> bool:
    return metrics is None or any(
        fnmatchcase(name, pattern) for pattern in metrics)


def _sources(records: List[Record]) -> str:
    lines = ['### What the results are of', '']
    for record in records:
        checkpoint, options = record.checkpoint, record.options
        sha256 = checkpoint.get('sha256')
        parts = [
            f'checkpoint `{sha256[:12]}`' if sha256 else
            f'checkpoint {checkpoint.get("path")} (not hashed)',
            *(f'{unit} {checkpoint[unit]}' for unit in ('epoch', 'iter')
              if checkpoint.get(unit) is not None),
            _images(record),
            *(word for word in ('tta', 'amp') if options.get(word)),
            *(f'{name}={value}'
              for name, value in (options.get('cfg_options') or {}).items()),
            f'{record.processes} process' + 'es' * (record.processes > 1),
            in_words(record.machine),
        ]
        name = f'`{record.config}`'
        if record.tested != record.config:
            name += f' (by `{record.tested}`)'
        lines.append(f'* {name}: {"; ".join(parts)}')
    return '\n'.join(lines)


def _images(record: Record) -> str:
    images = record.data.get('images')
    return (f'{images} images of ' if images else '') + str(
        record.data.get('dataset'))


def _latest(records: Sequence[Record]) -> List[Record]:
    """Drop what was repeated with the same weights and settings."""
    latest: Dict[Tuple, Record] = {}
    for record in sorted(records, key=lambda r: (r.date, r.path)):
        latest[record.config, _weights(record), record.settings] = record
    return sorted(latest.values(), key=lambda r: (r.config, r.path))


def _weights(record: Record) -> str:
    checkpoint = record.checkpoint
    return str(checkpoint.get('sha256') or checkpoint.get('path'))


def _names(names: Sequence[str]) -> str:
    return ', '.join(sorted(names)) or 'none'


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]],
              texts: int) -> str:
    """A table whose first columns are text and whose others are numbers."""
    marks = ['---'] * texts + ['---:'] * (len(header) - texts)
    lines = [header, marks, *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
