"""Train and test shrunk configs in this process, as the tools do."""

import itertools
import json
import re

import pytest

from mmhierseg.cli import launch

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def unformatted(monkeypatch):
    """Dump configs without yapf, which takes half of the time."""
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode',
                        lambda text, **options: (text, False))


def cases(names, fast):
    """Parameters, of which all but some are slow."""
    return [
        pytest.param(name, marks=() if name in fast else pytest.mark.slow)
        for name in names
    ]


def write(cfg, folder):
    """Write a config; a run writes its own into its work directory."""
    path = folder / 'config.py'
    cfg.dump(str(path))
    return str(path)


def _with_name(options):
    # MMEngine has one logger for runs of one name within a second.
    return ['--cfg-options', f'experiment_name=run{next(_numbers)}', *options]


def train(config, work, *options, flags=()):
    """Train a config file in a work directory, and return the log.

    ``options`` are KEY=VALUE that override settings, ``flags`` other words of
    the command line.
    """
    launch.train(
        [config, '--work-dir', str(work), *flags, *_with_name(options)])
    return log_of(work)


def log_of(work):
    """All logs in a work directory, in order."""
    return ''.join(path.read_text() for path in sorted(work.rglob('*.log')))


def train_and_resume(config, work):
    """Train one iteration, resume for the second, validate; the log."""
    train(config, work, 'train_cfg.max_iters=1', flags=['--no-validate'])
    log = train(config, work, flags=['--resume'])
    steps = re.findall(r'Iter\(train\) +\[(\d)/.* loss: [\d.]+', log)
    assert steps == ['1', '2'] and 'resumed epoch: 0, iter: 1' in log
    return log


def measure(config, checkpoint, work, *options, flags=()):
    """Metrics of a checkpoint."""
    out = work.with_suffix('.json')
    launch.test([
        config, str(checkpoint), '--work-dir', str(work), '--out', str(out),
        '--out-item', 'metrics', *flags, *_with_name(options)
    ])
    return json.loads(out.read_text())
