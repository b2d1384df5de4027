import pytest

from benchmarks.common import tools
from mmhierseg._base.errors import UserError


def test_trains_once(tmp_path, monkeypatch, capsys):
    calls = []

    def run_tool(*arguments, log):
        calls.append((arguments, log))
        (tmp_path / 'iter_80.pth').touch()

    monkeypatch.setattr(tools, 'run_tool', run_tool)
    for _ in range(2):
        checkpoint = tools.train(
            tmp_path / 'cast.py', tmp_path, 3, 80, ['a.b=1'])
        assert checkpoint == tmp_path / 'iter_80.pth'
    (arguments, log), = calls
    assert log == tmp_path / 'log.txt'
    assert arguments[:5] == ('train.py', tmp_path / 'cast.py', '--resume',
                             '--work-dir', tmp_path)
    assert set(arguments[6:]) == {
        'randomness.seed=3', 'train_cfg.max_iters=80',
        'param_scheduler.0.end=10', 'param_scheduler.1.end=80',
        'default_hooks.checkpoint.interval=20', 'a.b=1'
    }
    assert capsys.readouterr().out.startswith('cast, seed 3: training')


def test_failure_names_the_log(tmp_path):
    log = tmp_path / 'there' / 'log.txt'
    with pytest.raises(UserError, match=r'train.py failed: see .*log\.txt'):
        tools.run_tool('train.py', tmp_path / 'none.py', log=log)
    assert 'none.py' in log.read_text()
