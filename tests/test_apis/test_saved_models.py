"""Models in folders and on the hub, and published ones in the inferencer."""

import json
import warnings
from pathlib import Path

import cv2
import mmpretrain
import numpy as np
import pytest
import torch
from helpers.cast import DATA
from helpers.configs import ROOT, load_config
from helpers.demo import picture
from helpers.hub import offline, serving, tiny
from mmengine.config import Config
from mmpretrain.apis import ModelHub
from safetensors.torch import load_file

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.apis import (
    HierarchyInferencer,
    get_model,
    push_to_hub,
    save_pretrained,
)
from mmhierseg.checkpoints import convert_cast_checkpoint, find_weights
from mmhierseg.checkpoints.published import (
    ModelEntry,
    apply_options,
    read_entries,
)

SHIPPED = 'cast-t_imagenette'


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving(monkeypatch, tmp_path) as hub:
        yield hub


def levels(inferencer, image, **options):
    result = inferencer(image, return_vis=False, **options)
    return [p['label_maps'] for p in result['predictions']]


def assert_same(one, other):
    for maps, others in zip(one, other, strict=True):
        for labels, expected in zip(maps, others, strict=True):
            np.testing.assert_array_equal(labels, expected)


# ----------------------------------------------------------------- own models


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A saved model."""
    folder = tmp_path_factory.mktemp('saved') / 'model'
    save_pretrained(get_model(SHIPPED, device='cpu'), folder)
    return folder


def test_saved_model_is_the_same(folder):
    """Weights, mode, and how images are prepared."""
    model, saved = get_model(SHIPPED, device='cpu'), get_model(
        folder, device='cpu')
    assert not saved.training
    weights = saved.state_dict()
    assert all(torch.equal(value, weights[key])
               for key, value in model.state_dict().items()
               if not key.startswith('momentum_encoder.'))
    image = picture(96, 128)
    own = HierarchyInferencer(folder, device='cpu', show_progress=False)
    shipped = HierarchyInferencer(device='cpu', show_progress=False)
    assert own.settings.superpixels == shipped.settings.superpixels
    assert_same(levels(own, image), levels(shipped, image))


def test_superpixels_of_a_pipeline_are_saved(tmp_path):
    """The pipeline itself is not."""
    cfg = load_config(ROOT / 'configs/cast/cast-s_in1k.py')
    model = get_model(SHIPPED, pretrained=False, device='cpu')
    save_pretrained(model, tmp_path, cfg)
    content = json.loads((tmp_path / 'config.json').read_bytes())
    assert content['hierarchy_inferencer']['superpixels']['type'] == 'SEEDS'
    assert set(content) == {'default_scope', 'hierarchy_inferencer', 'model',
                            'mmhierseg_version'}


def test_hub_and_back(hub, monkeypatch):
    model = get_model(SHIPPED, device='cpu')
    address = push_to_hub(model, 'someone/cast', token='hf_secret',
                          commit_message='First')
    assert address.startswith(f'{hub.url}/someone/cast/commit/')
    assert {path for _, path in hub.files} == {
        'config.json', 'model.safetensors'}
    for _ in range(2):
        again = get_model('someone/cast', device='cpu')
        assert torch.equal(again.backbone.cls_token, model.backbone.cls_token)
        offline(monkeypatch)
    with pytest.raises(UserError, match='HF_HUB_OFFLINE'):
        HierarchyInferencer('someone/other')


EVIL = 'os.system'


@pytest.mark.parametrize('changes, message', [
    (dict(model=dict(type=EVIL)), "`model.type` is 'os.system', which is not"),
    (dict(model=dict(type='torch.hub.load')), "'torch.hub.load', which is no"),
    (dict(model=dict(type='mmcv.os.BN')), "'mmcv.os.BN', which is not among"),
    (dict(model=dict(type='BN', a=[[dict(b=dict(type='Evil'))]])), "'Evil'"),
    (dict(model=dict(type=['BN'])), 'which is not among'),
    (dict(model=dict(type=dict(type='a.b'))), 'which is not among'),
    (dict(data_preprocessor=dict(type=EVIL)), '`data_preprocessor.type`'),
    (dict(hierarchy_inferencer=dict(superpixels=dict(type=EVIL))),
     '`hierarchy_inferencer.superpixels.type`'),
    (dict(custom_imports=dict(imports=['evil'])), 'got custom_imports'),
    (dict(_base_='evil.py'), 'got _base_'),
    (dict(load_from='evil.pth'), 'got load_from'),
    (dict(model=dict(type='BN', _base_='x')), '`model._base_` is refused'),
    (dict(model=dict(type='BN', custom_imports='x')), 'is refused'),
    (dict(model=dict(a=[dict(init_cfg=dict(type='Pretrained'))])),
     '`model.a.init_cfg` is refused'),
    (dict(model=dict(pretrained='http://evil')), '`model.pretrained` is ref'),
    (dict(default_scope='evil'), "a scope must be one of .* got 'evil'"),
    (dict(model=dict(_scope_='evil')), 'a scope must be one of'),
    (dict(model=[]), 'must be a dict with a dict `model`'),
    ([], 'must be a dict with a dict `model`'),
    (None, 'was not read: Expecting value'),
])
def test_malicious_configs(changes, message, folder, tmp_path):
    content = json.loads((folder / 'config.json').read_bytes())
    (tmp_path / 'model.safetensors').write_bytes(b'')
    content = {**content, **changes} if changes else changes
    (tmp_path / 'config.json').write_text(
        '' if content is None else json.dumps(content))
    for load in (get_model, HierarchyInferencer):
        with pytest.raises(UserError, match=message):
            load(tmp_path)


def test_deep_config(tmp_path):
    (tmp_path / 'model.safetensors').write_bytes(b'')
    (tmp_path / 'config.json').write_text(
        '{"model":' * 100000 + '1' + '}' * 100000)
    with pytest.raises(UserError, match='was not read'):
        get_model(tmp_path)


def test_mistakes(tmp_path, hub):
    with pytest.raises(UserError, match='holds no model: it has no config.j'):
        get_model(tmp_path)
    with pytest.raises(UserError, match='has no .*check the name'):
        get_model('someone/nothing')
    model = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match='give its `config`'):
        save_pretrained(model, tmp_path)
    with pytest.raises(UserError, match='cannot be saved as data.*MyModel'):
        save_pretrained(model, tmp_path, dict(model=dict(type='MyModel')))
    with pytest.raises(UserError, match='cannot write to'):
        save_pretrained(model, Path(__file__) / 'x',
                        dict(model=dict(type='MoCo')))


# ----------------------------------------------------------- published models


@pytest.fixture
def published(hub, monkeypatch, tmp_path):
    """`cast-b_in1k`, of the size of a fixture."""
    name = 'cast-b_in1k'
    content = DATA / 'cast_moco.pth.tar'
    entry = read_entries()[name]
    hub.put(entry.published['File'], content.read_bytes())
    options = tiny(
        convert_cast_checkpoint(load_plain_checkpoint(content)).state_dict)
    path = tmp_path / 'tiny.py'
    path.write_text(f"_base_ = '{entry.config}'\nmodel = {options!r}\n")
    monkeypatch.setitem(read_entries(), name,
                        ModelEntry(name, path, entry.published))
    return name


def test_one_line_segments_as_the_authors_do(published, monkeypatch):
    """SEEDS as in training, no masks, one image at a time."""
    images = [picture(64, 64, seed=i) for i in range(3)]
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='.*not exactly')
        inferencer = HierarchyInferencer(
            published, device='cpu', show_progress=False, exact=False)
    assert not inferencer.model.mask_empty
    seeds = inferencer.settings.superpixels
    assert (seeds['type'], seeds['histogram_bins'], seeds['num_iterations'],
            seeds['segment_size']) == ('SEEDS', 15, 20, 64 / 14)
    together = levels(inferencer, images, batch_size=3)
    assert_same(together, levels(inferencer, images))


def test_options_are_for_the_published_weights_only(published, tmp_path):
    """Weights that were trained here had masks."""
    path = find_weights(published)
    other = tmp_path / 'other.safetensors'
    other.write_bytes(path.read_bytes())
    model = HierarchyInferencer(published, str(other), device='cpu').model
    assert model.mask_empty
    model = get_model(published, pretrained=False, device='cpu')
    assert model.backbone.mask_empty


def test_options_of_a_config_that_takes_the_weights():
    """As `tools/test.py` applies them, also inside an embedder."""
    for name in ('cast-s_retrieval_voc12-512', 'cast-s_linear_in1k'):
        model = load_config(ROOT / f'configs/cast/{name}.py').model
        apply_options(model, 'mmhierseg://cast-s_coco_e150')
        assert not model.get('embedder', model).backbone.mask_empty
        apply_options(model, 'work_dirs/x.pth')


def test_mmpretrain_gets_the_converted_file(published, hub):
    weights = load_file(find_weights(published))
    cfg = Config.fromfile(read_entries()[published].config)
    model = mmpretrain.get_model(cfg, pretrained=f'mmhierseg://{published}')
    assert torch.equal(model.backbone.cls_token,
                       weights['backbone.cls_token'])
    assert ModelHub.get(published).weights == f'mmhierseg://{published}'


def test_without_opencv_contrib(published, monkeypatch):
    """The message has the pip line; other superpixels are marked."""
    monkeypatch.delattr(cv2.ximgproc, 'createSuperpixelSEEDS')
    with pytest.raises(ImportError, match='pip install .*opencv-contrib-py'):
        HierarchyInferencer(published, device='cpu')
    with pytest.warns(UserWarning, match="TorchSLIC's.*SEEDS's.*not exactly"):
        inferencer = HierarchyInferencer(
            published, device='cpu', superpixels='TorchSLIC')
    assert inferencer.settings.superpixels == dict(
        type='TorchSLIC', segment_size=64 / 14)
    assert len(levels(inferencer, picture(64, 64))[0]) == 5


def test_superpixels_in_place_of_the_configs():
    own = HierarchyInferencer(device='cpu')
    same = dict(own.settings.superpixels)
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='.*not exactly')
        HierarchyInferencer(device='cpu', superpixels=same)
    with pytest.warns(UserWarning, match='not exactly'):
        grid = HierarchyInferencer(
            device='cpu', superpixels=dict(type='Grid', segment_size=32))
    maps, = levels(grid, picture(224, 224))
    assert maps[0].max() + 1 == 49
    with pytest.raises(ValueError, match="one of Grid, SEEDS.* got 'Voronoi'"):
        HierarchyInferencer(device='cpu', superpixels='Voronoi')
    with pytest.raises(ValueError, match='this model takes none: leave them'):
        HierarchyInferencer('hsg_r50_stage2_coco-448x448', superpixels='Grid')
