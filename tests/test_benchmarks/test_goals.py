import json
import os

import pytest
import torch
from mmengine.logging import MMLogger

from benchmarks import run
from benchmarks.goals import superpixels
from benchmarks.goals.goal import Goal, Measured, Settings, run_threads
from mmhierseg import ops as compiled
from mmhierseg._base.errors import UserError

TINY = Settings(rounds=1, images=2, threads=1, img_size=64, large_size=96)


@pytest.fixture(autouse=True)
def own_settings():
    """A run quietens the logger."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    yield
    logger.setLevel(level)


def test_every_goal_of_the_issue_has_a_row():
    """Bounds as they were asked for."""
    found = {(x.bound, x.at_least) for x in run.GOALS.values()}
    assert found == {
        (3.5, True), (1.8, True), (6., True), (2.2, True), (2., True),
        (4., True), (1., True), (1., False), (0.02, False), (0.75, False),
        (0.85, False), (0.9, False), (1.3, True), (3., True), (1.1, False),
        (0.05, False)
    }
    assert all(x.devices == ('cuda', ) for x in run.GOALS.values()
               if x.bound == 0.05)


@pytest.mark.parametrize('name', ['slic-224', 'slic-torch-512', 'slic-ue',
                                  'pipeline'])
def test_rows_at_tiny_size(name):
    threads = torch.get_num_threads()
    measured = run.GOALS[name].measure(TINY)
    assert 0 < measured.value < 1000
    assert ' : ' in measured.words
    assert torch.get_num_threads() == threads


def test_switch_is_as_before(monkeypatch):
    """Both when it was set and when it was not."""
    seen = []

    def call(value):
        seen.append(os.environ['MMHIERSEG_COMPILED'])
        return value + 1

    for before in (None, '1'):
        monkeypatch.delenv('MMHIERSEG_COMPILED', raising=False)
        if before:
            monkeypatch.setenv('MMHIERSEG_COMPILED', before)
        assert superpixels.without_compiled(call)(2) == 3
        assert os.environ.get('MMHIERSEG_COMPILED') == before
    assert seen == ['0', '0']


def test_threads_are_restored():
    threads = torch.get_num_threads()
    with pytest.raises(KeyError), run_threads(1):
        raise KeyError
    assert torch.get_num_threads() == threads


def test_verdicts(monkeypatch, tmp_path, capsys):
    goals = [
        Goal('more', 'A', 2., True, lambda _: Measured(2.5, '5 : 2')),
        Goal('less', 'B', 1., False, lambda _: Measured(1.25, '5 : 4')),
        Goal('fast', 'C', 3., True, None, needs_numba=True),
    ]
    monkeypatch.setattr(run, 'GOALS', {x.name: x for x in goals})
    monkeypatch.setattr(compiled.switch, 'has_numba', lambda: False)
    monkeypatch.setattr('benchmarks.goals.goal.has_numba', lambda: False)
    out = tmp_path / 'goals.json'
    run.main(['--quick', '--out', str(out)])
    table = capsys.readouterr().out.splitlines()[-3:]
    assert table == [
        '| A | at least 2 | 2.5 | pass | 5 : 2 |',
        '| B | at most 1 | 1.25 | **short of goal** | 5 : 4 |',
        '| C | at least 3 | – | not measured | needs numba |',
    ]
    results = json.loads(out.read_text())['results']
    assert [x['value'] for x in results] == [2.5, 1.25, None]
    run.main(['--quick', '--only', 'less'])
    assert '| A |' not in capsys.readouterr().out


def test_list_measures_nothing(capsys):
    run.main(['--list'])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [x.name for x in run.GOALS.values()
                     if 'cpu' in x.devices]


@pytest.mark.parametrize('option, message', [
    (['--threads', '0'], '--threads must be at least 1, got 0'),
    (['--only', 'slic-gpu'], '--only slic-gpu: no goal for --device cpu'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
