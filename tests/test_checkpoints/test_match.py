import os
import pickle
from argparse import Namespace

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.match import (
    check_matches,
    check_resumable,
    check_shares,
    read_checkpoint,
    read_safely,
)


class RunsAProgram:

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}', )


class LooksUp:
    """Reaches for the attribute of something by the stand-in of getattr."""

    def __init__(self, owner, name):
        self.words = owner, name

    def __reduce__(self):
        return getattr, self.words


@pytest.fixture(autouse=True)
def safe():
    read_safely()


def test_reads_what_mmengine_writes(tmp_path):
    hub = MessageHub.get_instance('test_reads_what_mmengine_writes')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('epoch', 1)
    checkpoint = dict(
        state_dict=dict(weight=torch.arange(3.)),
        meta=dict(
            seed=np.int64(3), palette=np.arange(6, dtype=np.uint8),
            scale=np.float32(2.)),
        message_hub=hub.state_dict())
    path = tmp_path / 'epoch_1.pth'
    torch.save(checkpoint, path)
    read = read_checkpoint(str(path))
    assert torch.equal(read['state_dict']['weight'], torch.arange(3.))
    assert read['meta']['seed'] == 3
    assert read['meta']['palette'].tolist() == list(range(6))
    history = read['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert history.current() == 0.5


@pytest.mark.parametrize('zipped', [True, False])
def test_refuses_what_would_be_executed(tmp_path, zipped):
    mark, path = tmp_path / 'executed', tmp_path / 'bad.pth'
    torch.save(dict(state_dict={}, extra=RunsAProgram(mark)), path,
               _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r'make a posix\.system, .*exec'):
        read_checkpoint(str(path))
    # What MMEngine does after its safe reader has failed.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=False)
    assert not mark.exists()


@pytest.mark.parametrize('owner, name', [(HistoryBuffer, '__init__'),
                                         (np.ndarray, 'tofile')])
def test_lookups_are_limited_to_log_histories(tmp_path, owner, name):
    path = tmp_path / 'bad.pth'
    torch.save(dict(method=LooksUp(owner, name)), path)
    with pytest.raises(UserError):
        read_checkpoint(str(path))


def test_environment_that_demands_the_opposite(monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(UserError, match='unset it'):
        read_safely()


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="gone.pth' does not exist"):
        read_checkpoint(str(tmp_path / 'gone.pth'))


@pytest.mark.parametrize('content', [b'', b'hello world', b'PK\x03\x04 no'])
def test_other_files(tmp_path, content):
    path = tmp_path / 'file.pth'
    path.write_bytes(content)
    with pytest.raises(UserError, match='is no checkpoint of'):
        read_checkpoint(str(path))


def test_truncated_file(tmp_path):
    path = tmp_path / 'file.pth'
    torch.save(dict(state_dict=dict(w=torch.rand(1000))), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match='is no checkpoint of'):
        read_checkpoint(str(path))


@pytest.mark.parametrize('checkpoint', [
    dict(state_dict={
        'module.base_encoder.pool1.pool_block.fc1.1.bias': torch.zeros(1),
        'module.predictor.0.weight': torch.zeros(1)
    }),
    dict(
        model={'pool1.pool_block.centroid_fc.bias': torch.zeros(1)},
        args=Namespace(lr=1e-3)),
], ids=['MoCo', 'DeiT'])
def test_authors_files_name_the_converter(tmp_path, checkpoint):
    path = tmp_path / 'authors.pth'
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match=r'cast2mmhierseg\.py'):
        read_checkpoint(str(path))


def test_files_of_hsgs_authors_name_theirs(tmp_path):
    path = tmp_path / 'authors.pth'
    weights = {'resnet_backbone.conv1.weight': torch.zeros(1)}
    torch.save(dict(embedding_model=weights, prediction_model={}), path)
    with pytest.raises(UserError, match=r'hsg2mmhierseg\.py'):
        read_checkpoint(str(path))


def test_options_of_a_training_program_are_read(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(model=dict(w=torch.ones(1)), args=Namespace(lr=3)), path)
    assert read_checkpoint(str(path))['args'].lr == 3
    # What MMEngine does afterwards.
    assert torch.load(path)['args'].lr == 3


def test_no_dict(tmp_path):
    path = tmp_path / 'tensor.pth'
    torch.save(torch.ones(1), path)
    with pytest.raises(UserError, match='it holds a Tensor'):
        read_checkpoint(str(path))


def linear(**weights):
    defaults = dict(weight=torch.zeros(2, 2), bias=torch.zeros(2))
    return {f'0.{k}': v for k, v in {**defaults, **weights}.items()}


def test_matches():
    model = nn.Sequential(nn.Linear(2, 2))
    check_matches(dict(state_dict=linear()), model, 'a.pth')
    check_matches({f'module.{k}': v for k, v in linear().items()}, model,
                  'a.pth')
    assert (model[0].weight == 0).all()
    check_matches(linear(extra=torch.zeros(1)), model, 'a.pth')


@pytest.mark.parametrize('weights, message', [
    ({'0.weight': torch.zeros(2, 2), 'head.bias': torch.zeros(3)},
     r'nothing for 1 of the 2 tensors of this one \(0\.bias\), but head'),
    ({}, r'nothing for 2 of the 2 tensors of this one \(0\.bias, 0\.weight\)'),
    (linear(weight=torch.zeros(3, 2)), 'size mismatch for 0.weight'),
])
def test_another_model(weights, message):
    with pytest.raises(UserError, match=r"'a\.pth' is of another model.*" +
                       message):
        check_matches(dict(state_dict=weights),
                      nn.Sequential(nn.Linear(2, 2)), 'a.pth')


def test_parts_that_serve_training_only_may_be_missing():
    model = nn.ModuleDict(
        dict(auxiliary_head=nn.Linear(2, 2), norm=nn.BatchNorm1d(2)))
    weights = {
        k: v for k, v in model.state_dict().items()
        if 'auxiliary' not in k and 'num_batches' not in k
    }
    check_matches(dict(state_dict=weights), model, 'a.pth')


def test_shares():
    model = nn.Sequential(nn.Linear(2, 2))
    check_shares({'module.0.weight': torch.zeros(2, 2)}, model, 'a.pth')
    with pytest.raises(UserError, match=r"'a\.pth' is of another kind .*"
                       r'\(decoder\) has a name .*0\.bias, 0\.weight'):
        check_shares(dict(state_dict=dict(decoder=torch.zeros(1))), model,
                     'a.pth')


def test_resumable():
    weights = dict(state_dict={}, meta=dict(epoch=1, iter=2))
    check_resumable(dict(weights, message_hub={}, optimizer={}), 'a.pth')
    with pytest.raises(UserError, match='has no message_hub, optimizer, .*'
                       r'load_from=a\.pth'):
        check_resumable(weights, 'a.pth')
