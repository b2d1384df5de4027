"""Reading checkpoints safely, and checking that they fit."""

import argparse
import os
import pickle

import numpy as np
import pytest
import torch
from helpers.cast import DATA, tiny_cast
from helpers.disk import Executes
from helpers.hsg_baselines import draw_resnet
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import load_state_dict
from mmseg.registry import MODELS
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints import (
    check_initial_weights,
    check_matches,
    check_resumable,
    check_shares,
    fingerprint,
    load_weights,
    match,
    read_checkpoint,
    read_safely,
    resnet_names,
)


def saved(path, content, **options):
    torch.save(content, path, **options)
    return str(path)


def test_reads_what_mmengine_writes(tmp_path):
    hub = MessageHub.get_instance('test_reads_what_mmengine_writes')
    hub.update_scalar('train/loss', 0.5)
    path = saved(tmp_path / 'epoch_1.pth', dict(
        state_dict=dict(weight=torch.arange(3.)),
        meta=dict(seed=np.int64(3), scale=np.float32(2.),
                  palette=np.arange(6, dtype=np.uint8), empty=np.zeros(0)),
        args=argparse.Namespace(lr=3),
        message_hub=hub.state_dict()))
    read = read_checkpoint(path)
    assert torch.equal(read['state_dict']['weight'], torch.arange(3.))
    assert read['meta']['seed'] == 3 and read['args'].lr == 3
    assert read['meta']['palette'].tolist() == list(range(6))
    assert read['meta']['empty'].shape == (0, )
    history = read['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer) and history.current() == 0.5


@pytest.mark.parametrize('zipped', [True, False])
def test_nothing_in_a_file_is_executed(tmp_path, zipped):
    mark = tmp_path / 'executed'
    path = saved(
        tmp_path / 'bad.pth',
        dict(state_dict={}, extra=Executes(os.system, f'touch {mark}')),
        _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r'make a posix\.system, .*exec'):
        read_checkpoint(path)
    read_safely()
    # What MMEngine does after its safe reader has failed.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=False)
    assert not mark.exists()


@pytest.mark.parametrize('owner, name', [(HistoryBuffer, '__init__'),
                                         (np.ndarray, 'tofile')])
def test_lookups_are_limited_to_log_histories(tmp_path, owner, name):
    path = saved(tmp_path / 'a.pth', dict(a=Executes(getattr, owner, name)))
    with pytest.raises(UserError):
        read_checkpoint(path)


def test_environment_that_demands_the_opposite(monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(UserError, match='unset it'):
        read_safely()


@pytest.mark.parametrize('content, message', [
    (None, "a.pth' does not exist"),
    (b'', 'no checkpoint'),
    (b'hello world', 'no checkpoint'),
    (b'PK\x03\x04 no', 'no checkpoint'),
    (pickle.dumps(nn.Linear), 'a.pth'),
    ((DATA / 'cast_deit.pth').read_bytes()[:100_000], 'damaged'),
    (torch.ones(1), 'it holds a Tensor instead of a dict'),
    (dict(state_dict={'module.base_encoder.pool1.pool_block.fc1.1.bias': 1}),
     r'cast2mmhierseg\.py .*CONVERTED.pth'),
    (dict(model={'pool1.pool_block.centroid_fc.bias': 1},
          args=argparse.Namespace(lr=1e-3)), r'cast2mmhierseg\.py'),
    (dict(embedding_model={'resnet_backbone.conv1.weight': 1}),
     r'hsg2mmhierseg\.py'),
])
def test_files_that_are_no_checkpoints(tmp_path, content, message):
    """Also those of the authors, which have to be converted first."""
    path = tmp_path / 'a.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        read_checkpoint(str(path))


def test_all_differences_at_once():
    model = nn.ModuleDict(
        dict(a=nn.Linear(2, 2), b=nn.Linear(2, 2), c=nn.BatchNorm1d(2)))
    weights = {k: v + 1 for k, v in model['a'].state_dict(prefix='a.').items()}
    weights |= {'b.weight': torch.zeros(3, 2), 'other.x': torch.zeros(1),
                'head.x': torch.zeros(1)}
    before = dict(weights)
    missing, unexpected, shape = match(
        weights, model, ignore=('head.*', '*.running_mean', 'c.b*'))
    assert weights == before
    assert missing == ('it has nothing for 3 of the 9 tensors of this one '
                       '(b.bias, c.running_var, c.weight)')
    assert unexpected == '1 of its 5 are unexpected (other.x)'
    assert 'size mismatch for b.weight' in shape and '[3, 2]' in shape
    # What fits is loaded.
    assert torch.equal(model['a'].weight, weights['a.weight'])
    everything = {**model.state_dict(), 'more': torch.zeros(1)}
    assert match(everything, model, strict=False) == []
    assert match(everything, model) == ['1 of its 10 are unexpected (more)']


def test_a_whole_model():
    model = nn.ModuleDict(dict(
        a=nn.Linear(2, 2), b=nn.BatchNorm1d(2, affine=False),
        auxiliary_head=nn.Linear(2, 2)))
    weights = {'a.weight': torch.zeros(2, 2), 'a.bias': torch.zeros(2),
               'b.running_mean': torch.zeros(2),
               'b.running_var': torch.ones(2)}
    for content in (dict(state_dict=weights), weights | {'x': 1},
                    {f'module.{k}': v for k, v in weights.items()}):
        nn.init.ones_(model['a'].weight)
        check_matches(content, model, 'a.pth')
        assert (model['a'].weight == 0).all()
    with pytest.raises(UserError, match="'a.pth' is of another model: it has "
                       r'nothing for 4 of the 7 tensors .*\(a\.bias, a\.w'):
        check_matches(dict(state_dict={}), model, 'a.pth')


def test_another_kind_and_weights_only():
    model, other = nn.Linear(2, 2), dict(decoder=torch.zeros(1))
    check_shares({'module.weight': torch.zeros(2, 2), **other}, model, 'a')
    with pytest.raises(UserError, match=r"'a\.pth' is of another kind .*"
                       r'\(decoder\) has a name .*\(bias, weight\)'):
        check_shares(dict(state_dict=other), model, 'a.pth')
    weights = dict(state_dict={}, meta=dict(epoch=1, iter=2))
    check_resumable(dict(weights, message_hub={}, optimizer={}), 'a.pth')
    with pytest.raises(UserError, match='has no message_hub, optimizer, .*'
                       r'load_from=a\.pth'):
        check_resumable(weights, 'a.pth')


def classifier(path, frozen_stages=4, **options):
    """A tiny CAST that starts from a file, inside of another module."""
    init_cfg = dict(
        type='Pretrained', checkpoint=str(path), prefix='backbone.')
    backbone = tiny_cast(
        frozen_stages=frozen_stages, init_cfg=init_cfg, **options)
    return nn.ModuleDict(dict(backbone=backbone, head=nn.Linear(48, 2)))


def save_backbone(path, leave_out='-', **options):
    return saved(path, dict(state_dict={
        f'backbone.{name}': value
        for name, value in tiny_cast(seed=1, **options).state_dict().items()
        if not name.startswith(leave_out)
    }))


def test_initial_weights_that_fit(tmp_path):
    path = save_backbone(tmp_path / 'a.pth')
    check_initial_weights(classifier(path))
    # Another image size: positions are resized.
    check_initial_weights(classifier(path, img_size=96))
    # Nothing to check: no file, or none of this machine.
    check_initial_weights(tiny_cast())
    check_initial_weights(classifier('https://example.org/a.pth'))


@pytest.mark.parametrize('options, message', [
    (dict(leave_out='norm'), r'which is frozen: it has nothing .*norm\.bias'),
    (dict(arch=dict(embed_dims=24, depths=(2, 1, 1, 1), num_heads=4)),
     'backbone, which is frozen: .*size mismatch'),
])
def test_a_frozen_module_needs_all_of_its_weights(tmp_path, options, message):
    path = save_backbone(tmp_path / 'a.pth', **options)
    with pytest.raises(UserError, match=message):
        check_initial_weights(classifier(path))
    # A module that is trained may start from a part of them.
    check_initial_weights(classifier(path, frozen_stages=-1))


def test_initial_weights_of_something_else(tmp_path):
    path = saved(tmp_path / 'vit.pth', dict(
        state_dict={'backbone.layers.0.ln1.bias': torch.zeros(1)}))
    with pytest.raises(UserError, match=r"vit\.pth' cannot initialise "
                       r"backbone: it has no tensor under 'backbone\.' with"):
        check_initial_weights(classifier(path, -1))


def load_backbone(model, path):
    load_weights(model, path, 'backbone.', ('norm.*', 'fusion.*'))


def test_loads_a_part_and_nothing_else(tmp_path):
    source = tiny_cast(seed=3)
    weights = source.state_dict(prefix='backbone.')
    path = saved(tmp_path / 'a.pth', dict(
        state_dict={**weights, 'neck.fc.weight': torch.zeros(2)}))
    model = tiny_cast(seed=9)
    load_backbone(model, path)
    assert fingerprint(model) == fingerprint(source)
    # A classifier's weights show the hierarchy in a segmentor.
    segmentor = tiny_cast(seed=9, out_type='featmap')
    load_backbone(segmentor, path)
    assert torch.equal(segmentor.cls_token, source.cls_token)
    with pytest.raises(ValueError, match='no weights under `head.`; it holds '
                       'backbone.cls_token'):
        load_weights(model, path, 'head.')
    deeper = tiny_cast(
        arch=dict(embed_dims=48, depths=(2, 2, 1, 1), num_heads=4))
    with pytest.raises(ValueError, match=r'(?s)does not fit.*\(stages\.1\.1'):
        load_backbone(deeper, path)
    with pytest.raises(FileNotFoundError, match="'no.pth' does not exist"):
        load_backbone(model, 'no.pth')


def test_fingerprints_tell_weights_apart():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    first = fingerprint(module.eval())
    # Of any layout in memory.
    module[0].weight.data = module[0].weight.data.t().contiguous().t()
    assert fingerprint(module) == first
    prints = {first}
    module[1].running_mean += 1e-7
    prints.add(fingerprint(module))
    prints.add(fingerprint(module.half()))
    prints.add(fingerprint(nn.ModuleDict(dict(a=module))))
    assert len(prints) == 4


RETRIEVAL = dict(
    type='mmhierseg.RetrievalSegmentor',
    embedder=dict(
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(type='mmseg.ResNet', depth=18, base_channels=4,
                      stem_channels=4)),
    num_classes=2,
    kmeans=dict(num_clusters=2))


@pytest.mark.parametrize('first, second', [
    ('encoder_q.', 'encoder_k.'),
    ('module.base_encoder.', 'module.momentum_encoder.'),
    ('student.backbone.', 'teacher.backbone.'),
    ('', 'momentum_encoder.module.0.'),
])
def test_of_two_the_one_that_was_trained(first, second):
    parts = draw_resnet()
    names = [prefix + key for prefix in (second, first) for key in parts]
    others = ['encoder_q.fc.0.weight', 'queue', 'layer1', 'epoch']
    assert resnet_names([*others, *names]) == {
        first + key: key for key in parts
    }


def test_none_or_too_many():
    assert resnet_names(['patch_embed.proj.weight', 'blocks.0.norm.bias',
                         'stem.conv1.weight']) == {}
    names = [prefix + key for prefix in ('b.', 'a.') for key in draw_resnet()]
    with pytest.raises(ValueError, match=r"under \['a.', 'b.'\]: leave one"):
        resnet_names(names)


@pytest.mark.parametrize('prefix', [
    '', 'encoder_q.', 'backbone.', 'embedder.backbone.'
])
def test_retrieval_takes_it(prefix):
    weights = draw_resnet()
    model = MODELS.build(RETRIEVAL)
    given = {prefix + key: value for key, value in weights.items()}
    before = list(given)
    # With MMEngine's function, which the tools use.
    load_state_dict(model, dict(given, queue=torch.zeros(2)))
    for key, value in model.embedder.backbone.state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert list(given) == before
    # In a larger model, only names under its own are taken.
    parts = nn.ModuleDict(dict(a=model))
    result = parts.load_state_dict(
        {f'a.{key}': value for key, value in given.items()}, strict=False)
    assert not result.missing_keys and not result.unexpected_keys
    result = parts.load_state_dict(given, strict=False)
    assert len(result.unexpected_keys) == len(given)
