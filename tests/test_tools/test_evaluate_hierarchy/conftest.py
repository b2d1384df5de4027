"""Run the tool on small files."""
import json
import sys

import evaluate_hierarchy
import pytest
from helpers.hierarchies import (
    write_npz,
    write_people,
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the tool, and return its summary."""

    def function(pred, gt, *options, out='out', plot=False):
        if not plot:  # takes a second
            monkeypatch.setattr(evaluate_hierarchy, 'plot', lambda *_: None)
        monkeypatch.setattr(sys, 'argv', [
            'evaluate_hierarchy.py', str(pred), str(gt), '--out',
            str(tmp_path / out), '--workers', '1', *map(str, options)])
        evaluate_hierarchy.main()
        return json.loads((tmp_path / out / 'summary.json').read_text())

    return function


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / 'gt')


@pytest.fixture
def pred(tmp_path):
    folder = tmp_path / 'pred'
    folder.mkdir()
    write_npz(folder)
    return folder
