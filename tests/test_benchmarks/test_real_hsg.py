"""The table of HSG on photographs, on small scenes in their layouts."""

import json

import pytest
import torch
from helpers.camvid import make_bsds500, make_camvid

from benchmarks import run

ROWS = ['HSG', 'contrast, continued', 'contrast, first stage', 'SegSort',
        'DenseCL', 'MoCo v2', 'HSG, longer', 'contrast, continued longer',
        'before training']


def printed_tables(capsys):
    return [table.splitlines() for table in capsys.readouterr().out.split(
        '\n\n') if table.startswith('| ')]


@pytest.mark.slow
def test_table_is_made_once(tmp_path, capsys):
    """Two iterations of all; a second call measures and trains nothing."""
    make_camvid(tmp_path / 'data/camvid', dict(train=16, test=2),
                suffix='.jpg')
    make_bsds500(tmp_path / 'data/BSDS500', 2)
    words = ['real', '--table', 'hsg', '--quick', '--threads', '1', '--data',
             tmp_path / 'data', '--work-dir', tmp_path / 'work', '--results',
             tmp_path / 'results']
    run.main([*map(str, words)])
    tables = printed_tables(capsys)
    names = [[line.split(' | ')[0].removeprefix('| ') for line in table]
             for table in tables]
    own = [*ROWS]
    for i in (7, 1):
        own.insert(i, f'{own[i - 1]}, groups by k-means')
    assert [some[2:] for some in names] == [ROWS, own, own]
    path = tmp_path / 'work/quick/hsg.json'
    entries = json.loads(path.read_text())
    assert len(entries) == 2 * len(ROWS)
    for entry in entries.values():
        assert all(0 <= value <= 100 for value in entry['values'].values())
    # What is measured in a hurry does not stay with the results.
    assert not (tmp_path / 'results').exists()
    # All continue from the first stage, and only the groups differ.
    weights = {
        name: torch.load(tmp_path / f'work/quick/{name}-seed0/iter_2.pth',
                         weights_only=False)['state_dict']
        for name in ('hsg_r18_camvid', 'hsg_r18_stage1-continued_camvid')
    }
    groups, contrast = weights.values()
    assert contrast.keys() == {
        key for key in groups if not key.startswith('head.')}
    finished = sorted(tmp_path.rglob('finished.json'))
    times = [one.stat().st_mtime_ns for one in [path, *finished]]
    assert len(finished) == 8
    run.main([*map(str, words)])
    assert printed_tables(capsys) == tables
    assert times == [one.stat().st_mtime_ns for one in [path, *finished]]
