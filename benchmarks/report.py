"""Results as Markdown tables, as JSON, and in marked sections of a page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.names import table_cell

__all__ = ['Report', 'markdown_table', 'replace_section', 'write_json']


class Report(NamedTuple):
    """Result of a benchmark."""

    sections: dict[str, str]
    """Markdown by the section of ``benchmarks/README.md`` that it is for."""

    results: object
    """Everything that was measured; JSON can hold it."""

    missed: tuple[str, ...] = ()
    """Goals that are missed: the command fails."""


def markdown_table(header: Sequence[str],
                   rows: Sequence[Sequence[str]]) -> str:
    """Make a table whose first column is text and whose others are numbers.

    Args:
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence[str]]): As many cells in each.

    Returns:
        str: The table, without a line break at its end.

    Raises:
        ValueError: If a row has more or fewer cells than the header.

    Example:
        >>> print(markdown_table(['model', 'ms'], [['a', '1.5']]))
        | model | ms |
        |---|---:|
        | a | 1.5 |
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'a row must have {len(header)} cells, as the '
                             f'header has, got {len(row)}: {list(row)}')
    lines = [f'| {" | ".join(map(table_cell, cells))} |'
             for cells in [header, *rows]]
    lines.insert(1, f'|{"|".join(["---"] + ["---:"] * (len(header) - 1))}|')
    return '\n'.join(lines)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, whole or not at all; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=1) + '\n').encode())


def replace_section(path: Path, name: str, text: str) -> None:
    """Replace the text of a section.

    A section begins with the line ``<!-- begin NAME -->`` and ends with
    ``<!-- end NAME -->``.

    Args:
        path (Path): A Markdown file.
        name (str): Name of the section.
        text (str): New text between the two lines.

    Raises:
        ValueError: If the file does not have both lines once, in order.
    """
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    content = path.read_text(encoding='utf-8')
    if (content.count(begin) != 1 or content.count(end) != 1
            or content.index(begin) > content.index(end)):
        raise ValueError(f'{path} must have the line {begin} and, further '
                         f'down, {end}, each once')
    before, rest = content.split(begin)
    after = rest.split(end)[1]
    write_atomically(
        path,
        f'{before}{begin}\n\n{text.strip()}\n\n{end}{after}'.encode())
