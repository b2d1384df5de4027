"""Records of tests: `tests/test_tools/test_test.py`; details."""

import json
import logging
import shutil
import subprocess
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.disk import contents, file_size_limit
from mmengine.config import Config
from records import describe, git_commit, in_words, start_record

from mmhierseg._base import UserError


class FakeRunner:
    timestamp = 'now'
    test_dataloader = SimpleNamespace(dataset=range(5))
    logger = logging.getLogger('test')

    def __init__(self, folder):
        dataset = dict(type='mmseg.VOC', data_root='data/voc')
        self.cfg = Config(dict(
            work_dir=str(folder),
            test_dataloader=dict(
                dataset=dict(type='RepeatDataset', dataset=dataset))))


def start(checkpoint, content):
    return start_record(
        Namespace(config='configs/cast.py', checkpoint=checkpoint, tta=True,
                  amp=False, cfg_options={}), content)


def test_values_that_json_cannot_hold(tmp_path):
    metrics = {
        'nan': float('nan'), 'inf': np.inf, 'tensor': torch.tensor([1, 2]),
        'scalar': torch.tensor(0.5), 'number': np.int64(3), 'yes': True,
        'list': (1, np.float64('nan')), 'other': {1: Config}, 'none': None
    }
    # A checkpoint that is not local.
    write = start('https://a.b/c.pth', None)
    write(FakeRunner(tmp_path / 'made'), metrics, 1.5)
    before = contents(tmp_path)
    name, = before
    assert name == 'made/test_cast_now.json'
    record = json.loads(before[name])
    assert record['metrics'] == dict(
        nan=None, inf=None, tensor=[1, 2], scalar=0.5, number=3, yes=True,
        list=[1, None], none=None, other={'1': str(Config)})
    assert record['data'] == dict(
        dataset='VOC', data_root='data/voc', images=5)
    assert record['checkpoint'] == dict(
        path='https://a.b/c.pth', sha256=None, bytes=None, epoch=None,
        iter=None)
    with file_size_limit(100), pytest.raises(
            UserError, match='cannot write .*cast.*are in the log'):
        write(FakeRunner(tmp_path / 'made'), metrics, 1.5)
    assert contents(tmp_path) == before


def test_machine_in_words():
    machine = describe('cpu')
    words = in_words(machine)
    assert machine['cpu'] in words and f'torch {torch.__version__}' in words
    machine.update(
        device='cuda', gpu='GPU X', cuda='12.8', cudnn=9,
        tf32=dict(matmul=False, convolution=True))
    assert in_words(machine).startswith(
        'GPU X; CUDA 12.8; TF32 in convolution; ')


@pytest.mark.skipif(shutil.which('git') is None, reason='needs git')
def test_commit(tmp_path):

    def git(*words):
        return subprocess.run(
            ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *words],
            cwd=tmp_path, check=True, capture_output=True,
            text=True).stdout.strip()

    assert git_commit(tmp_path) is None
    git('init')
    file = tmp_path / 'file'
    file.write_text('a')
    git('add', 'file')
    git('commit', '-m', 'first')
    commit = git('rev-parse', 'HEAD')[:10]
    assert git_commit(tmp_path) == commit
    # An installation within another repository.
    inside = tmp_path / 'site-packages'
    inside.mkdir()
    assert git_commit(inside) is None
    file.write_text('b')
    assert git_commit(tmp_path) == f'{commit} + changes'
