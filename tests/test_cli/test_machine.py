import json
import shutil
import subprocess

import mmengine
import pytest
import torch

from mmhierseg.cli.machine import describe, git_commit, in_words


def test_record():
    record = describe('cpu')
    assert json.loads(json.dumps(record)) == record
    assert record['threads'] == torch.get_num_threads()
    assert record['versions']['torch'] == torch.__version__
    assert record['versions']['mmengine'].split()[0] == mmengine.__version__
    words = in_words(record)
    assert record['cpu'] in words and f'torch {torch.__version__}' in words
    assert 'GPU' not in words and 'None' not in words


def test_gpu_in_words():
    record = dict(
        describe('cpu'), device='cuda', gpu='GPU X', cuda='12.8', cudnn=9,
        tf32=dict(matmul=False, convolution=True))
    assert in_words(record).startswith(
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
    # An installation within somebody else's repository is not that.
    inside = tmp_path / 'site-packages'
    inside.mkdir()
    assert git_commit(inside) is None
    file.write_text('b')
    assert git_commit(tmp_path) == f'{commit} + changes'
