"""Nothing in a file is executed, however it is read."""

import json
import os
import pickle
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from helpers.cast import TINY
from helpers.demo import CAST_RETRIEVAL
from helpers.disk import Executes
from helpers.scripts import run_main
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    get_mmcls_models,
    get_torchvision_models,
    load_checkpoint,
)
from torch import nn

from benchmarks.models import build_model
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.apis import ContextRetriever, HierarchyInferencer
from mmhierseg.checkpoints import load_weights, read_checkpoint
from mmhierseg.cli.options import read_config
from mmhierseg.evaluation import MemoryBank


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / 'bad.pth'
    call = Executes(os.system, f'touch {tmp_path / "executed"}')
    torch.save(dict(state_dict={}, a=call), path)
    yield str(path)
    assert not (tmp_path / 'executed').exists()


URL = 'https://example.org/bad.pth'


@pytest.fixture
def cached(bad, tmp_path, monkeypatch):
    """The bad file, as if it had been downloaded from all addresses."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    folder = tmp_path / 'hub/checkpoints'
    folder.mkdir(parents=True)
    for url in (URL, get_torchvision_models()['resnet18'],
                get_mmcls_models()['vgg11']):
        shutil.copy(bad, folder / os.path.basename(url))
    (tmp_path / 'open_mmlab.json').write_text(json.dumps(dict(bad=bad)))
    monkeypatch.setitem(
        CheckpointLoader._schemes, 'own://',
        lambda name, map_location: torch.load(bad, weights_only=False))
    CheckpointLoader._schemes.move_to_end('own://', last=False)


def pretrained(path):
    return dict(type='Pretrained', checkpoint=path)


def cast(path=None, **options):
    backbone = dict(type='mmhierseg.CAST', **TINY, **options)
    if path is not None:
        backbone['init_cfg'] = pretrained(path)
    return dict(model=dict(type='MoCoV3', backbone=backbone))


def infer(path):
    HierarchyInferencer(cast(path), device='cpu')


RETRIEVAL = dict(model=CAST_RETRIEVAL)
WHOLE = dict(model=dict(
    CAST_RETRIEVAL,
    init_cfg=[dict(type='Normal', layer='Linear'), pretrained('bad.pth')]))
#: All readers of checkpoints other than training and testing.
ENTRIES = dict(
    read_checkpoint=read_checkpoint,
    load_weights=lambda path: load_weights(nn.Linear(1, 1), path),
    memory_bank=MemoryBank.load,
    inferencer=lambda path: HierarchyInferencer(cast(), path, device='cpu'),
    init_cfg=infer,
    init_cfg_list=lambda path: ContextRetriever(WHOLE, device='cpu'),
    retriever=lambda path: ContextRetriever(RETRIEVAL, path, device='cpu'),
    bank=lambda path: ContextRetriever(RETRIEVAL, device='cpu').load(path),
    benchmark=lambda path: build_model(cast(path)['model']['backbone']),
    **{
        name: lambda path, name=name: run_main(
            f'model_converters/{name}.py', path, 'out.pth')
        for name in ('cast2mmhierseg', 'hsg2mmhierseg', 'fuse_stem')
    })


@pytest.mark.parametrize('entry', ENTRIES.values(), ids=list(ENTRIES))
def test_entries(entry, bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='wants to make a posix.system'):
        entry('bad.pth')


INIT = 'model.{0}.init_cfg.type=Pretrained model.{0}.init_cfg.checkpoint={{}}'


@pytest.mark.parametrize('program, words', [
    ('train', '--resume {}'),
    ('train', '--resume'),
    ('train', '--cfg-options load_from={}'),
    ('train', f'--cfg-options {INIT.format("backbone")}'),
    ('train', f'--cfg-options {INIT.format("head")}'),
    ('train', f'--cfg-options {INIT.format("backbone")}'.replace('{}', URL)),
    ('train', f'--cfg-options load_from={URL}'),
    ('train', f'--cfg-options runner_type=FlexibleRunner '
     'strategy.type=SingleDeviceStrategy env_cfg.cudnn_benchmark=False '
     f'load_from={URL}'),
    ('train', f'--cfg-options model.init_cfg.type=Pretrained '
     f'model.init_cfg.checkpoint={URL}'),
    ('test', '{}'),
    ('test', URL),
])
def test_training_and_testing(program, words, bad, tool, classifier_config,
                              tmp_path, cached):
    (tmp_path / 'last_checkpoint').write_text(bad)
    words = words.format(bad).split()
    at = len(words) if program == 'train' else 1
    output = tool(f'{program}.py', classifier_config, *words[:at],
                  '--work-dir', tmp_path, *words[at:], status=1)
    assert 'wants to make a posix.system' in output
    assert 'Traceback' not in output
    assert 'Falling back' not in output


@pytest.mark.parametrize('name', [
    URL, 'torchvision://resnet18', 'mmcls://vgg11', 'open-mmlab://bad',
    'own://bad'
])
def test_schemes(name, cached):
    with pytest.raises(ValueError, match='wants to make a posix.system'):
        infer(name)


def test_nothing_changes_for_other_code(bad, tmp_path):
    """Neither by importing, nor by using, nor in other threads meanwhile."""
    own = pickle.dumps(Executes)
    before = torch.load, dict(CheckpointLoader._schemes)
    safe = set(torch.serialization.get_safe_globals())
    assert not hasattr(torch.load, '__wrapped__')
    assert {loader.__module__ for prefix, loader in before[1].items()
            if prefix != 'mmhierseg://'} == {CheckpointLoader.__module__}
    path = tmp_path / 'own.pth'
    torch.save(dict(state_dict={}, kind=Executes), path)
    yaml = tmp_path / 'own.yaml'
    yaml.write_text('a: !!python/name:os.getcwd\n')
    found = []

    def read():
        load_checkpoint(nn.Linear(1, 1), str(path))
        found.extend([torch.load(path, weights_only=False)['kind'],
                      Config.fromfile(yaml).a, pickle.loads(own)])

    with safe_reading():
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        with pytest.raises(ValueError, match='wants to make'):
            load_checkpoint(nn.Linear(1, 1), bad)
    read()
    assert found == 2 * [Executes, os.getcwd, Executes]
    assert before == (torch.load, CheckpointLoader._schemes)
    assert safe == set(torch.serialization.get_safe_globals())


def test_threads(tmp_path):
    """MMEngine changes PyTorch's list of safe names while it reads.

    So its own reader fails now and then in threads; that of this package must
    not.
    """
    hub = MessageHub.get_instance('test_threads')
    hub.update_scalar('train/loss', 0.5)
    good = str(tmp_path / 'good.pth')
    torch.save(dict(state_dict={}, message_hub=hub.state_dict(),
                    array=np.arange(3)), good)
    mmengine = partial(load_checkpoint, nn.Linear(1, 1))
    with ThreadPoolExecutor(8) as pool:
        results = []
        for _ in range(32):
            pool.submit(mmengine, good)
            results += [pool.submit(read_checkpoint, good),
                        pool.submit(safe_reading()(mmengine), good)]
        for result in results:
            assert 'state_dict' in result.result()


@pytest.mark.parametrize('tag', [
    'object/apply:os.system ["touch {0}"]',
    'object/new:os.system ["touch {0}"]', 'name:os.system', 'module:os',
    'object:tests.X {{}}'
])
def test_python_tags_in_yaml(tag, tmp_path):
    mark = tmp_path / 'executed'
    (tmp_path / 'base.yaml').write_text(
        f'model: !!python/{tag.format(mark)}\n')
    (tmp_path / 'a.yml').write_text('_base_: base.yaml\n')
    (tmp_path / 'b.py').write_text('_base_ = "a.yml"\n')
    for name in ('base.yaml', 'a.yml', 'b.py'):
        for reader in (read_config, HierarchyInferencer):
            with pytest.raises(ValueError, match='!!python/.* in line 1: .*'
                               'could execute'):
                reader(str(tmp_path / name))
    assert not mark.exists()


def test_yaml_that_mmengine_writes(tmp_path):
    cfg = Config(dict(model=dict(depths=(1, (2, 3)), rate=1e-3)))
    cfg.dump(tmp_path / 'a.yaml')
    assert read_config(str(tmp_path / 'a.yaml')).model == cfg.model
