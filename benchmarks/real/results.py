"""Results in JSON files, one entry as it comes."""

import json
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import write_json
from mmhierseg.cli.records import describe

__all__ = ['Results']


class Results:
    """Values by name, kept in a JSON file.

    Args:
        path (Path): The file; made with the first value.
        settings (object): What the values depend on besides their name, as
            JSON can hold it. Values of other settings are not used.
    """

    def __init__(self, path: Path, settings: object = None) -> None:
        self.path = path
        self.settings = json.loads(json.dumps(settings))

    @classmethod
    def of(cls, table: str, args: Namespace) -> 'Results':
        """Those of a table; those of tiny trainings are kept apart."""
        folder = args.work_dir / 'quick' if args.quick else args.results
        return cls(folder / f'{table}.json')

    def __getitem__(self, name: str) -> dict:
        return self.entries()[name]['values']

    def __contains__(self, name: str) -> bool:
        return name in self.entries()

    def measure(self, name: str, function: Callable[..., dict],
                *args) -> dict:
        """Values of ``function(*args)``, from the file if they are there."""
        if name not in self:
            start = time.perf_counter()
            values = function(*args)
            self.add(name, values, (time.perf_counter() - start) / 60)
        return self[name]

    def add(self, name: str, values: dict, minutes: float) -> None:
        """Write an entry; others may have written some in the meantime."""
        entry = dict(values=values, minutes=round(minutes, 2),
                     settings=self.settings, machine=describe('cpu'))
        entries = self._read()
        entries[name] = json.loads(json.dumps(entry))
        write_json(self.path, entries)

    def _read(self) -> dict:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def entries(self) -> dict:
        """All entries of these settings, by name."""
        return {name: entry for name, entry in self._read().items()
                if entry['settings'] == self.settings}
