import hashlib
import json

import numpy as np
import pytest
import torch
from helpers.full_disk import file_size_limit
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli.machine import describe
from mmhierseg.cli.records import (
    describe_checkpoint,
    make_record,
    record_path,
    write_record,
)


def record(metrics, **options):
    dataset = dict(type='VOC', data_root='data/voc')
    cfg = Config(dict(test_dataloader=dict(
        dataset=dict(type='RepeatDataset', dataset=dataset)), seed=7))
    return make_record(cfg, 'configs/cast.py', dict(path='a.pth'), metrics,
                       5, 1.23456, options, 2, describe('cpu'))


def test_record_says_what_was_measured_with_what(tmp_path):
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
    assert read['machine']['versions']['torch'] == torch.__version__
    assert read['processes'] == 2 and read['options'] == {'tta': True}
    # No part of a file is left.
    assert [file.name for file in path.parent.iterdir()] == ['a.json']


def test_full_disk(tmp_path):
    path = tmp_path / 'a.json'
    made = record({'mIoU': 12.5})
    with file_size_limit(100), pytest.raises(
            UserError, match='cannot write .*a.json.*are in the log'):
        write_record(str(path), made)
    assert not list(tmp_path.iterdir())


def test_what_json_cannot_hold():
    metrics = record({
        'nan': float('nan'), 'inf': np.inf, 'tensor': torch.tensor([1, 2]),
        'scalar': torch.tensor(0.5), 'number': np.int64(3), 'yes': True,
        'list': (1, np.float64('nan')), 'other': {1: Config}, 'none': None
    })['metrics']
    assert metrics.pop('other') == {'1': str(Config)}
    assert metrics == dict(
        nan=None, inf=None, tensor=[1, 2], scalar=0.5, number=3, yes=True,
        list=[1, None], none=None)
    json.dumps(metrics, allow_nan=False)


def test_checkpoint(tmp_path):
    path = tmp_path / 'a.pth'
    content = b'weights' * 300000  # more than one block
    path.write_bytes(content)
    known = describe_checkpoint(
        str(path), dict(meta=dict(epoch=3, iter='many')))
    assert known == dict(
        path=str(path), sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content), epoch=3, iter=None)


@pytest.mark.parametrize('content', [None, {}, dict(meta=None)])
def test_checkpoint_elsewhere(content):
    known = describe_checkpoint('https://a.b/c.pth', content)
    assert known.pop('path') == 'https://a.b/c.pth'
    assert set(known.values()) == {None}


def test_names_tell_tests_apart():
    names = {
        record_path('work', config, timestamp)
        for config in ('a/b.py', 'a/c.py') for timestamp in ('1', '2')
    }
    assert len(names) == 4
