"""Read the test records that ``tools/test.py`` writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from records import FORMAT, in_words

from mmhierseg._base.errors import UserError
from mmhierseg._base.names import safe_name

_PARTS = dict.fromkeys(
    ('config', 'checkpoint', 'metrics', 'data', 'options', 'machine'), dict)
_PARTS['processes'] = int


class Record(NamedTuple):
    """A test and its results."""

    path: str
    config: str  # its name, or the one that an alias gives it
    tested: str  # its name
    settings: str  # its content, options included
    date: str
    checkpoint: dict[str, Any]
    metrics: dict[str, Any]
    data: dict[str, Any]
    options: dict[str, Any]
    processes: int
    machine: dict[str, Any]

    @property
    def weights(self) -> str:
        """What identifies the weights that were tested."""
        return str(
            self.checkpoint.get('sha256') or self.checkpoint.get('path'))

    @property
    def images(self) -> str:
        """How many images of which dataset."""
        number = self.data.get('images')
        return (f'{number} images of ' if number else '') + str(
            self.data.get('dataset'))


def read_records(paths: Sequence[str],
                 aliases: dict[str, str]) -> list[Record]:
    """Read files, and all records in folders, each file once.

    ``aliases`` maps names of configs to the names to show them by.
    """
    files: dict[Path, None] = {}
    for name in paths:
        path = Path(name)
        found = [path] if path.is_file() else sorted(path.rglob('test_*.json'))
        if not path.exists():
            raise UserError(f'{name}: there is no such file or folder')
        if not found:
            raise UserError(f'{name}: this folder has no test_*.json, which '
                            'tools/test.py writes to its work directory')
        files.update(dict.fromkeys(file.resolve() for file in found))
    records = [_read(path) for path in files]
    tested = {record.config for record in records}
    for name, alias in aliases.items():
        if name not in tested:
            raise UserError(
                f'--alias {name}={alias}: no result is of the config '
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
    got = content.get('format') if isinstance(content, dict) else None
    if got != FORMAT:
        raise UserError(f'{path} is not a test record of tools/test.py: its '
                        f'`format` must be {FORMAT!r}, got {got!r}')
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
        config=safe_name(str(config.get('name'))),
        tested=safe_name(str(config.get('name'))),
        settings=str(config.get('content')),
        date=str(content['machine'].get('date')),
        **{name: content[name] for name in _PARTS if name != 'config'})
