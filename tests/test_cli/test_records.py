"""Records of tests, and the description of the machine in them."""

import hashlib
import json
import shutil
import subprocess

import mmengine
import numpy as np
import pytest
import torch
from helpers.full_disk import file_size_limit
from mmengine.config import Config

from mmhierseg._base import UserError
from mmhierseg.cli.machine import describe, git_commit, in_words
from mmhierseg.cli.records import (
    describe_checkpoint,
    make_record,
    write_record,
)


def record(metrics, **options):
    dataset = dict(type='VOC', data_root='data/voc')
    cfg = Config(dict(test_dataloader=dict(
        dataset=dict(type='RepeatDataset', dataset=dataset)), seed=7))
    return make_record(cfg, 'configs/cast.py', metrics, 5, options,
                       processes=2, machine=describe('cpu'))


def test_record_is_complete(tmp_path):
    path = tmp_path / 'made' / 'a.json'
    made = record({'mIoU': np.float32(12.5)}, tta=True)
    write_record(str(path), made)
    read = json.loads(path.read_text())
    assert read == made
    assert read['config']['name'] == 'cast'
    assert 'seed = 7' in read['config']['content']
    assert read['metrics'] == {'mIoU': 12.5}
    assert read['data'] == dict(
        dataset='VOC', data_root='data/voc', images=5)
    assert read['processes'] == 2 and read['options'] == {'tta': True}
    machine = read['machine']
    assert machine['threads'] == torch.get_num_threads()
    assert machine['versions']['torch'] == torch.__version__
    assert machine['versions']['mmengine'].split()[0] == mmengine.__version__
    with file_size_limit(100), pytest.raises(
            UserError, match='cannot write .*a.json.*are in the log'):
        write_record(str(path), made)
    assert json.loads(path.read_text()) == made
    assert [file.name for file in path.parent.iterdir()] == ['a.json']


def test_values_that_json_cannot_hold():
    metrics = record({
        'nan': float('nan'), 'inf': np.inf, 'tensor': torch.tensor([1, 2]),
        'scalar': torch.tensor(0.5), 'number': np.int64(3), 'yes': True,
        'list': (1, np.float64('nan')), 'other': {1: Config}, 'none': None
    })['metrics']
    assert metrics == dict(
        nan=None, inf=None, tensor=[1, 2], scalar=0.5, number=3, yes=True,
        list=[1, None], none=None, other={'1': str(Config)})
    json.dumps(metrics, allow_nan=False)


@pytest.mark.parametrize('content', [None, {}, dict(meta=None)])
def test_checkpoint(content, tmp_path):
    path = tmp_path / 'a.pth'
    weights = b'weights' * 300000  # more than one block
    path.write_bytes(weights)
    known = describe_checkpoint(
        str(path), dict(meta=dict(epoch=3, iter='many')))
    assert known == dict(
        path=str(path), sha256=hashlib.sha256(weights).hexdigest(),
        bytes=len(weights), epoch=3, iter=None)
    known = describe_checkpoint('https://a.b/c.pth', content)
    assert known.pop('path') == 'https://a.b/c.pth'
    assert set(known.values()) == {None}


def test_machine_in_words():
    machine = describe('cpu')
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
    commit = git('rev-parse', 'HEAD')[:10]
    assert git_commit(tmp_path) == commit
    # An installation within another repository.
    inside = tmp_path / 'site-packages'
    inside.mkdir()
    assert git_commit(inside) is None
    file.write_text('b')
    assert git_commit(tmp_path) == f'{commit} + changes'
