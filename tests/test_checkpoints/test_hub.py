"""Published weights: the real client against a small hub on loopback."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from helpers.cast import DATA, golden
from helpers.configs import ROOT
from helpers.hub import offline, serving, tiny
from huggingface_hub import constants
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import load_file

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.apis import get_model
from mmhierseg.checkpoints import convert_cast_checkpoint, find_weights
from mmhierseg.checkpoints.published import read_entries

NAME = 'cast-s_in1k'
FILE = read_entries()[NAME].published['File']
MOCO = (DATA / 'cast_moco.pth.tar').read_bytes()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving(monkeypatch, tmp_path) as hub:
        hub.put(FILE, MOCO)
        yield hub


def republish(monkeypatch, **options):
    """Change what the metafile says."""
    entry = read_entries()[NAME]
    monkeypatch.setitem(
        read_entries(), NAME,
        entry._replace(published={**entry.published, **options}))


def converted(content):
    return convert_cast_checkpoint(load_plain_checkpoint(content)).state_dict


# ------------------------------------------------------------------- one line


@pytest.mark.parametrize('name, fixture', [
    (NAME, 'cast_moco.pth.tar'), ('cast-s_deit_in1k', 'cast_deit.pth'),
    ('cast-s_coco_e150', 'cast_moco_seg_pretrain.pth.tar'),
])
def test_one_line_gives_the_authors_model(hub, name, fixture, monkeypatch,
                                          tmp_path):
    hub.put(read_entries()[name].published['File'],
            (DATA / fixture).read_bytes())
    expected = converted(DATA / fixture)
    model = get_model(name, device='cpu', **tiny(expected))
    state = model.state_dict()
    assert all(torch.equal(state[key], value)
               for key, value in expected.items())
    values, inputs = golden(fixture.split('.')[0])
    feature, = model.backbone(inputs)
    want = torch.from_numpy(values['feature'])
    assert (feature - want).abs().max() < 1e-4 * want.abs().max()
    # From now on without the hub, its cache and the client.
    shutil.rmtree(tmp_path / 'cache')
    offline(monkeypatch)
    seen = len(hub.requests)
    again = CheckpointLoader.load_checkpoint(f'mmhierseg://{name}')
    assert again['state_dict'].keys() == expected.keys()
    assert len(hub.requests) == seen


def test_record(hub, tmp_path):
    """Beside the weights lies where they are from; nothing else is there."""
    weights = find_weights(NAME)
    assert weights == tmp_path / f'home/{NAME}.safetensors'
    record = json.loads(weights.with_suffix('.json').read_bytes())
    digest = hashlib.sha256(MOCO).hexdigest()
    assert record.items() >= dict(
        repository='twke/CAST', file=FILE, commit=hub.commit, revision=None,
        etag=digest, sha256=digest, kind='moco', bytes=weights.stat().st_size,
        license='as stated at the source',
        source='https://huggingface.co/twke/CAST').items()
    assert {path.name for path in weights.parent.iterdir()
            if not path.name.startswith('.')} == {
                f'{NAME}.json', f'{NAME}.safetensors'}


def test_vit_as_initial_weights(hub):
    """`init_cfg` takes a name as any checkpoint."""
    name = 'vit-conv-s_in1k'
    hub.put(read_entries()[name].published['File'],
            (DATA / 'vit_conv_moco.pth.tar').read_bytes())

    class Norm(BaseModule):

        def __init__(self):
            super().__init__(dict(
                type='Pretrained', checkpoint=f'mmhierseg://{name}',
                prefix='backbone.'))
            self.ln1 = torch.nn.LayerNorm(48)

    norm = Norm()
    norm.init_weights()
    weights = load_file(find_weights(name))
    assert torch.equal(norm.ln1.bias, weights['backbone.ln1.bias'])


@pytest.mark.slow
def test_two_processes_at_once(hub, tmp_path):
    """By the environment, as users set it: one of them downloads."""
    program = ('import sys; from mmhierseg.checkpoints import find_weights; '
               "assert 'huggingface_hub' not in sys.modules; "
               f'print(find_weights({NAME!r}))')
    environment = {
        **os.environ, 'HF_ENDPOINT': hub.url, 'PYTHONPATH': str(ROOT),
        'HF_HOME': str(tmp_path / 'hf'), 'HF_HUB_DISABLE_TELEMETRY': '1'
    }
    jobs = [subprocess.Popen([sys.executable, '-c', program], text=True,
                             env=environment, stdout=subprocess.PIPE)
            for _ in range(2)]
    outputs = [job.communicate()[0].strip() for job in jobs]
    assert outputs == [str(tmp_path / f'home/{NAME}.safetensors')] * 2
    assert len(hub.downloads()) == 1
    assert load_file(outputs[0]).keys() == converted(
        DATA / 'cast_moco.pth.tar').keys()


# ------------------------------------------------------------------ downloads


def test_interrupted_download_goes_on(hub, monkeypatch):
    # Bytes per write to the unfinished file.
    monkeypatch.setattr(constants, 'DOWNLOAD_CHUNK_SIZE', 1000)
    hub.cuts = [1000, 500000]
    find_weights(NAME)
    starts = [request[2] for request in hub.downloads()]
    assert starts == [None, 'bytes=1000-', 'bytes=501000-']


@pytest.mark.parametrize('cached', [True, False])
def test_damaged_content_is_downloaded_again(hub, cached, tmp_path):
    """Whether it was damaged in the cache, or now."""
    etag = hashlib.sha256(MOCO).hexdigest()
    damaged = MOCO[:-100] + bytes(100)
    hub.store[etag] = damaged
    with pytest.raises(UserError, match=f'damaged on its way.*{etag}.*Try ag'):
        find_weights(NAME)
    assert len(hub.downloads()) == 2
    if not cached:
        shutil.rmtree(tmp_path / 'cache')
    hub.store.clear()
    assert load_file(find_weights(NAME))


def test_new_content_is_used_if_pinned(hub, monkeypatch):
    """A changed file changes nothing here, until the metafile asks for it."""
    weights = find_weights(NAME)
    content = (DATA / 'moco_steps_cls.pth.tar').read_bytes()
    hub.put(FILE, content)
    before = load_file(find_weights(NAME))
    assert len(hub.downloads()) == 1
    republish(monkeypatch, SHA256=hashlib.sha256(content).hexdigest())
    assert find_weights(NAME) == weights
    assert load_file(weights).keys() != before.keys()
    republish(monkeypatch, Revision=hub.commit)
    find_weights(NAME)
    assert len(hub.downloads()) == 2
    republish(monkeypatch, SHA256='0' * 64)
    with pytest.raises(UserError, match='has changed: its SHA-256.*newer ver'):
        find_weights(NAME)


def test_truncated_conversion_is_repaired(hub):
    weights = find_weights(NAME)
    content = weights.read_bytes()
    weights.write_bytes(content[:1000])
    assert find_weights(NAME).read_bytes() == content
    assert len(hub.downloads()) == 1  # still in the client's cache


def test_without_links_in_the_cache(hub, monkeypatch):
    """As on Windows: the ETag is asked for."""
    monkeypatch.setattr(constants, 'HF_HUB_DISABLE_SYMLINKS', True)
    record = find_weights(NAME).with_suffix('.json')
    assert json.loads(record.read_bytes())['etag'] == hashlib.sha256(
        MOCO).hexdigest()


def test_offline_from_the_cache_of_the_client(hub, monkeypatch, tmp_path):
    find_weights(NAME)
    shutil.rmtree(tmp_path / 'home')
    offline(monkeypatch)
    assert find_weights(NAME).is_file()
    assert len(hub.downloads()) == 1


# ------------------------------------------------------------------- mistakes


def lose_repository(hub, monkeypatch):
    hub.files.clear()


def lose_file(hub, monkeypatch):
    hub.files['twke/CAST', 'README.md'] = hub.files.pop(('twke/CAST', FILE))


def lose_revision(hub, monkeypatch):
    republish(monkeypatch, Revision='v7')


def go_offline(hub, monkeypatch):
    offline(monkeypatch)


def lose_network(hub, monkeypatch):
    monkeypatch.setattr(constants, 'ENDPOINT', 'http://127.0.0.1:9')
    monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE',
                        'http://127.0.0.1:9/{repo_id}/{revision}/{filename}')


def break_off(hub, monkeypatch):
    hub.cuts = [0] * 20


def be_another_kind(hub, monkeypatch):
    hub.put(FILE, (DATA / 'cast_deit.pth').read_bytes())


def be_another_method(hub, monkeypatch):
    hub.put(FILE, (DATA / 'hsg_coco.pth').read_bytes())


def be_a_program(hub, monkeypatch):
    hub.put(FILE, b'\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.')


def be_text(hub, monkeypatch):
    hub.put(FILE, b'<html>')


def fill_the_home(hub, monkeypatch):
    monkeypatch.setenv('MMHIERSEG_HOME', f'{__file__}/home')


def fill_the_cache(hub, monkeypatch):
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', f'{__file__}/cache')


@pytest.mark.parametrize('cause, message', [
    (lose_repository, 'has no .*checkpoint_0099.*see https://.*for where'),
    (lose_file, 'has no .*checkpoint_0099.*see https://.*for where'),
    (lose_revision, "has no .* at 'v7': see https"),
    (go_offline, 'not in the cache.*HF_HUB_OFFLINE forbids.*unset it once'),
    (lose_network, 'cannot be reached.*check the network'),
    (break_off, 'was interrupted.*try again'),
    (be_another_kind, "of the kind 'deit', expected 'moco'.*see https"),
    (be_another_method, 'no checkpoint of CAST.*see https'),
    (be_a_program, 'no checkpoint of CAST.*could execute a program'),
    (be_text, 'no checkpoint of CAST.*damaged'),
    (fill_the_home, 'cannot keep the weights.*Set MMHIERSEG_HOME'),
    (fill_the_cache, 'cannot be written to the cache.*Set HF_HOME'),
])
def test_failures_say_what_to_do(hub, monkeypatch, tmp_path, cause, message):
    cause(hub, monkeypatch)
    with pytest.raises(UserError, match=f'(?s){message}'):
        find_weights(NAME)
    assert not list(tmp_path.glob('home/*.safetensors'))


@pytest.mark.parametrize('name, message', [
    ('cast-s_in2k', "of a model 'cast-s_in2k'.*cast-s_in1k"),
    ('cast-s_coco', "no weights of 'cast-s_coco'.*cast-s_coco_e400"),
    ('hsg_r50_stage2_coco-448x448', 'get its file from the page.*its path'),
])
def test_names_without_weights(name, message):
    with pytest.raises(UserError, match=message):
        find_weights(f'mmhierseg://{name}')
