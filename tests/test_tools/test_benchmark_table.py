"""The command; the tables are tested in test_make_table.py."""

import sys

import benchmark_table
import pytest
from helpers.records import save_record

from mmhierseg._base.errors import UserError

TOOL = 'analysis_tools/benchmark_table.py'


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['', *map(str, words)])
    benchmark_table.main()


def test_writes_the_tables(tool, tmp_path):
    save_record(tmp_path, 'mine', {'accuracy/top1': 70.})
    out = tmp_path / 'made' / 'tables.md'
    tool(TOOL, tmp_path, '--tables', 'linear', '--alias',
         'mine=cast-s_linear_in100', '--out', out)
    assert '| CAST-S | 3.4 | 79.9 | 70.0 | 68.1 |  |' in out.read_text()


def test_list(monkeypatch, capsys):
    run(monkeypatch, '--list', '--tables', 'voc')
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and lines[-1] == (
        'voc: CAST-S, after tuning: cast-s_voc12aug-512x512 (mIoU, '
        'BoundaryFScore/mFscore)')


def test_updates_readmes(monkeypatch, tmp_path):
    readme = tmp_path / 'configs/hsg/README.md'
    readme.parent.mkdir(parents=True)
    readme.write_text(
        'Before\n<!-- models of HSG -->\nold\n<!-- end -->\nafter\n')
    monkeypatch.setattr(benchmark_table, 'ROOT', tmp_path)
    run(monkeypatch, '--update-readmes')
    text = readme.read_text()
    assert text.startswith('Before\n<!-- models of HSG -->\n| config |')
    assert text.endswith('|\n<!-- end -->\nafter\n') and 'old' not in text
    assert '41.9 mIoU, 85.7 pixel accuracy' in text


@pytest.mark.parametrize('words, message', [
    (['none.json'], 'no such file or folder'),
    (['--alias', 'mine'], "--alias takes NAME=CONFIG, got 'mine'"),
])
def test_bad_input(words, message, monkeypatch):
    with pytest.raises(UserError, match=message):
        run(monkeypatch, *words)
