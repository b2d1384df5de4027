"""Read the records that :mod:`mmhierseg.cli.records` writes."""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence

from mmhierseg._base.errors import UserError
from mmhierseg.cli.records import FORMAT, in_words

__all__ = ['Record', 'read_records']

# What a table needs, and what it has to be.
_PARTS = dict(
    config=dict,
    checkpoint=dict,
    metrics=dict,
    data=dict,
    options=dict,
    processes=int,
    machine=dict)


class Record(NamedTuple):
    """A test and what it has measured."""

    path: str
    config: str
    """Name of the config, or the one that an alias gives it."""

    tested: str
    """Name of the config."""

    settings: str
    """Content of the config, options included."""

    date: str
    checkpoint: Dict[str, Any]
    metrics: Dict[str, Any]
    data: Dict[str, Any]
    options: Dict[str, Any]
    processes: int
    machine: Dict[str, Any]


def read_records(paths: Sequence[str],
                 aliases: Dict[str, str]) -> List[Record]:
    """Read files, and all records below folders.

    Args:
        paths (Sequence[str]): Files and folders.
        aliases (Dict[str, str]): Names of configs to replace, and by what.

    Returns:
        List[Record]: Each file once.

    Raises:
        UserError: If one does not exist or is no record, a folder has
            none, or an alias is of no config that was tested.
    """
    files: Dict[Path, None] = {}
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found = sorted(path.rglob('test_*.json'))
            if not found:
                raise UserError(f'{name}: this folder has no test_*.json, '
                                   'which tools/test.py writes to its work '
                                   'directory')
        elif path.is_file():
            found = [path]
        else:
            raise UserError(f'{name}: there is no such file or folder')
        files.update(dict.fromkeys(file.resolve() for file in found))
    records = [_read(path) for path in files]
    tested = {record.config for record in records}
    for name in aliases:
        if name not in tested:
            raise UserError(
                f'--alias {name}={aliases[name]}: no result is of the config '
                f'{name!r}; there are {", ".join(sorted(tested))}')
    return [
        record._replace(config=aliases.get(record.config, record.config))
        for record in records
    ]


def _read(path: Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON: {error}') from None
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        got = content.get('format') if isinstance(content, dict) else None
        raise UserError(
            f'{path} is no record of a test: its `format` must be {FORMAT!r}, '
            f'got {got!r}. tools/test.py writes such files')
    for name, kind in _PARTS.items():
        if not isinstance(content.get(name), kind):
            raise UserError(
                f'{path}: `{name}` must be {kind.__name__}, got '
                f'{type(content.get(name)).__name__}: the file is damaged')
    try:
        in_words(content['machine'])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path}: `machine` is incomplete ({error}): the '
                           'file is damaged') from None
    config = content['config']
    return Record(
        path=str(path),
        config=str(config.get('name')),
        tested=str(config.get('name')),
        settings=str(config.get('content')),
        date=str(content['machine'].get('date')),
        **{name: content[name] for name in _PARTS if name != 'config'})
