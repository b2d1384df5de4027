"""Interrupted training can be continued."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from helpers.disk import contents, file_size_limit
from helpers.pretraining import ROOT

from mmhierseg.checkpoints import read_safely
from mmhierseg.cli.resume import find_latest, read_resumable


@pytest.fixture
def work_dir(trained_classifier, tmp_path):
    """A run whose second checkpoint, the latest, is half there."""
    folder = tmp_path / 'work'
    folder.mkdir()
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        shutil.copy(trained_classifier[1] / 'epoch_1.pth', folder / name)
    last = folder / 'epoch_2.pth'
    os.truncate(last, last.stat().st_size // 2)
    (folder / 'last_checkpoint').write_text(str(last))
    return folder


def test_damaged_checkpoint_is_skipped(tool, classifier_config, work_dir):
    words = ['train.py', classifier_config, '--work-dir', work_dir,
             '--no-validate', '--cfg-options', 'train_cfg.max_epochs=2',
             '--resume']
    # Not if it was asked for.
    before = contents(work_dir)
    output = tool(*words, work_dir / 'epoch_2.pth', status=1)
    assert "epoch_2.pth' is no checkpoint of torch.save, or is" in output
    assert contents(work_dir) == before
    output = tool(*words)
    note = re.search(
        r"WARNING - the latest checkpoint cannot be used: '.*/epoch_2\.pth' is"
        r" no .* Training continues from '.*/epoch_1\.pth', epoch 1, .*\n",
        output)
    assert 'resumed epoch: 1, iter: 4' in output
    logs = ''.join(path.read_text() for path in work_dir.rglob('*.log'))
    assert note.group() in logs


def test_full_disk_takes_nothing(tool, classifier_config, work_dir):
    """The kernel ends the writing of a checkpoint in its middle."""
    (work_dir / 'epoch_2.pth').unlink()
    first, pointer = (work_dir / f for f in ('epoch_1.pth', 'last_checkpoint'))
    pointer.write_text(str(first))
    # Due to be deleted when the second one is saved.
    checkpoint = torch.load(first, weights_only=False)
    checkpoint['message_hub']['runtime_info']['keep_ckpt_ids'] = [1]
    checkpoint['message_hub']['resumed_keys']['keep_ckpt_ids'] = True
    torch.save(checkpoint, first)
    before = contents(work_dir)
    words = [
        'train.py', classifier_config, '--work-dir', work_dir, '--no-validate',
        '--resume', '--cfg-options', 'train_cfg.max_epochs=2',
        'default_hooks.checkpoint.max_keep_ckpts=1'
    ]
    with file_size_limit(first.stat().st_size // 2):
        output = tool(*words, status=1)
    assert 'Traceback' not in output
    assert re.search(
        r"train\.py: error: cannot write '.*/epoch_2\.pth': File too large "
        r'\(it needs \d\.\d MiB, \d+\.\d MiB are free\).*--resume', output)
    # Only the log and the config are new.
    after = contents(work_dir)
    assert before.items() <= after.items()
    assert not any('.pth' in name for name in after.keys() - before.keys())
    # With room again.
    output = tool(*words)
    assert 'WARNING - the' not in output
    assert 'resumed epoch: 1, iter: 4' in output
    assert {path.name for path in work_dir.glob('*.pth*')} == {'epoch_2.pth'}


LOCK = """
import fcntl, sys
file = open(sys.argv[1], 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
print('process 7 on elsewhere', file=file, flush=True)
print('locked', flush=True)
sys.stdin.read()
"""


def test_two_trainings_in_one_folder(tool, classifier_config, tmp_path):
    words = ['train.py', classifier_config, '--work-dir', tmp_path]
    with subprocess.Popen([sys.executable, '-c', LOCK, tmp_path / '.training'],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b'locked\n'
        output = tool(*words, status=1)
        other.stdin.close()
    assert output.splitlines()[-1] == (
        'train.py: error: another training runs in the work directory '
        f"'{tmp_path}' (process 7 on elsewhere). Wait until it ends, or name "
        'another with --work-dir')
    assert list(contents(tmp_path)) == ['.training']
    # The other one is gone; not even its name is left.
    tool(*words, '--no-validate')
    lock = tmp_path / '.training'
    assert f'{os.getpid()} on' in lock.read_text()
    lock.unlink()
    lock.symlink_to(tmp_path / 'elsewhere')
    assert 'Remove it, or choose' in tool(*words, status=1).splitlines()[-1]
    assert not (tmp_path / 'elsewhere').exists()


@pytest.mark.parametrize('program', ['train.py', 'test.py'])
def test_work_directory_that_cannot_be_written(program, tool, work_dir,
                                               classifier_config):
    words = [work_dir / 'epoch_1.pth'] * (program == 'test.py')
    output = tool(program, classifier_config, *words, '--work-dir',
                  '/proc/none', status=1)
    assert 'Traceback' not in output
    assert re.search(f"{program}: error: cannot write to the work directory "
                     "'/proc/none': .*with --work-dir", output)


@pytest.mark.slow
@pytest.mark.parametrize(
    'number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_by_a_signal(number, classifier_config, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable, ROOT / 'tools/train.py', classifier_config,
            '--work-dir', tmp_path, '--no-validate', '--cfg-options',
            'default_hooks.checkpoint.max_keep_ckpts=1',
            'train_cfg.max_epochs=1000', 'train_dataloader.num_workers=2'
        ],
        env={
            **os.environ, 'PYTHONPATH': str(ROOT),
            'CUDA_VISIBLE_DEVICES': ''
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    for line in process.stdout:
        if 'Saving checkpoint at 3 epochs' in line:
            break
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode not in (None, 0), output
    read_safely()
    latest = find_latest(str(tmp_path))
    assert latest.note is None
    for path in tmp_path.glob('*.pth'):  # no file is there in part
        read_resumable(str(path))
    meta = latest.checkpoint['meta']
    assert meta['epoch'] >= 2 and meta['iter'] == 4 * meta['epoch']
