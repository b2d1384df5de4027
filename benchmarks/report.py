"""Results as tables of Markdown, in JSON, and in `benchmarks/README.md`."""

import json
from pathlib import Path
from typing import Sequence

from mmhierseg._base.atomic import write_atomically

__all__ = [
    'README', 'markdown_table', 'read_section', 'replace_section',
    'write_json'
]

README = Path(__file__).resolve().parents[1] / 'README.md'


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
    lines = [header, *rows]
    lines = [f'| {" | ".join(cells)} |' for cells in lines]
    lines.insert(1, f'|{"|".join(["---"] + ["---:"] * (len(header) - 1))}|')
    return '\n'.join(lines)


def write_json(path: Path, content: object) -> None:
    """Write a file that is there as a whole or, if that fails, not at all.

    Args:
        path (Path): Where to; folders are made.
        content (object): What JSON can hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=1) + '\n').encode())


def read_section(path: Path, name: str) -> str:
    """Read what stands between the two markers of a section.

    A section begins with the line ``<!-- begin NAME -->`` and ends with
    ``<!-- end NAME -->``.

    Args:
        path (Path): A file of Markdown.
        name (str): Name of the section.

    Returns:
        str: The text between them, without surrounding white space.

    Raises:
        ValueError: If the file does not have both markers once, in order.
    """
    return _split(path, name)[1].strip()


def replace_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between the two markers of a section.

    Args:
        path (Path): A file of Markdown.
        name (str): Name of the section: see :func:`read_section`.
        text (str): What is to stand there.

    Raises:
        ValueError: If the file does not have both markers once, in order.
    """
    before, _, after = _split(path, name)
    text = f'{before}\n\n{text.strip()}\n\n{after}'
    write_atomically(path, text.encode())


def _split(path: Path, name: str) -> Sequence[str]:
    """What stands up to, between, and from the markers on."""
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    content = path.read_text(encoding='utf-8')
    if (content.count(begin) != 1 or content.count(end) != 1
            or content.index(begin) > content.index(end)):
        raise ValueError(f'{path} must have the line {begin} and, further '
                         f'down, {end}, each once')
    before, rest = content.split(begin)
    between, after = rest.split(end)
    return before + begin, between, end + after
