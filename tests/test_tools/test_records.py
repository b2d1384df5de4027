"""Records of tests: `tests/test_tools/test_test.py`; details."""

import json
import shutil
import subprocess
from argparse import Namespace
from types import SimpleNamespace

import mmengine
import numpy as np
import pytest
import torch
from helpers.disk import contents, file_size_limit
from mmengine.config import Config

from mmhierseg._base import UserError
from mmhierseg.cli.records import (
    describe,
    describe_checkpoint,
    git_commit,
    in_words,
    write_record,
)


def test_values_that_json_cannot_hold(tmp_path):
    dataset = dict(type='mmseg.VOC', data_root='data/voc')
    cfg = Config(dict(work_dir=str(tmp_path / 'made'), test_dataloader=dict(
        dataset=dict(type='RepeatDataset', dataset=dataset))))
    runner = SimpleNamespace(
        cfg=cfg, timestamp='now',
        test_dataloader=SimpleNamespace(dataset=range(5)))
    args = Namespace(
        config='configs/cast.py', tta=True, amp=False, cfg_options={})
    metrics = {
        'nan': float('nan'), 'inf': np.inf, 'tensor': torch.tensor([1, 2]),
        'scalar': torch.tensor(0.5), 'number': np.int64(3), 'yes': True,
        'list': (1, np.float64('nan')), 'other': {1: Config}, 'none': None
    }
    path = write_record(runner, args, metrics, dict(path='a.pth'), 1.5)
    before = contents(tmp_path)
    assert list(before) == ['made/test_cast_now.json']
    record = json.loads(open(path).read())
    assert record['metrics'] == dict(
        nan=None, inf=None, tensor=[1, 2], scalar=0.5, number=3, yes=True,
        list=[1, None], none=None, other={'1': str(Config)})
    assert record['data'] == dict(
        dataset='VOC', data_root='data/voc', images=5)
    with file_size_limit(100), pytest.raises(
            UserError, match='cannot write .*cast.*are in the log'):
        write_record(runner, args, metrics, {}, 1.5)
    assert contents(tmp_path) == before


def test_checkpoint_that_is_not_local_or_not_mmengines(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'weights')
    known = describe_checkpoint(
        str(path), dict(meta=dict(epoch=3, iter='many')))
    assert known['epoch'] == 3 and known['iter'] is None
    for content in (None, {}, dict(meta=None)):
        known = describe_checkpoint('https://a.b/c.pth', content)
        assert known.pop('path') == 'https://a.b/c.pth'
        assert set(known.values()) == {None}


def test_machine_in_words():
    machine = describe('cpu')
    versions = machine['versions']
    assert versions['mmengine'].split()[0] == mmengine.__version__
    words = in_words(machine)
    assert machine['cpu'] in words and f'torch {torch.__version__}' in words
    assert 'GPU' not in words and 'None' not in words
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
    git('tag', 'v1')
    commit = git('rev-parse', 'HEAD')[:10]
    assert git_commit(tmp_path) == commit
    # An installation within another repository.
    inside = tmp_path / 'site-packages'
    inside.mkdir()
    assert git_commit(inside) is None
    file.write_text('b')
    assert git_commit(tmp_path) == f'{commit} + changes'
