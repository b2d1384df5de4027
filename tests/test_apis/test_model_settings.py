from pathlib import Path

import pytest
from mmengine.config import Config

from mmhierseg.apis.model_settings import (
    read_config,
    read_retrieval_settings,
    read_settings,
)

ROOT = Path(__file__).resolve().parents[2]
CAST = dict(type='mmhierseg.CAST', arch='small')


def _settings(model, img_size=None, segment_size=None, **others):
    cfg = Config(dict(model=dict(dict(backbone=CAST), **model), **others))
    return read_settings(cfg, img_size, segment_size)


def test_bare_backbone():
    settings = _settings({})
    assert settings.superpixels == dict(type='TorchSLIC', segment_size=16)
    assert settings.mean[0] == 123.675 and settings.rgb
    assert settings.img_size == 224


def test_superpixels_in_order_of_preference():
    backbone = dict(CAST, superpixels=dict(type='Grid', segment_size=4))
    views = [[dict(type='RandomFlip'),
              dict(type='mmhierseg.GenerateSuperpixels',
                   superpixels=dict(type='SEEDS', segment_size=8))]]
    loader = dict(dataset=dict(pipeline=[
        dict(type='MultiView', transforms=views)]))
    preprocessor = dict(superpixels=dict(type='SLIC', segment_size=32))
    found = [
        _settings(dict(backbone=backbone)),
        _settings(dict(backbone=backbone), train_dataloader=loader),
        _settings(
            dict(backbone=backbone, data_preprocessor=preprocessor),
            train_dataloader=loader),
    ]
    assert [settings.superpixels for settings in found] == [
        dict(type='Grid', segment_size=4),
        dict(type='SEEDS', segment_size=8),
        dict(type='SLIC', segment_size=32)
    ]


@pytest.mark.parametrize('img_size, count, side', [
    (224, 196, 16),  # 14 x 14 segments
    ((64, 256), 64, 16),  # 4 x 16
])
def test_number_of_superpixels_becomes_their_size(img_size, count, side):
    settings = _settings(
        dict(
            backbone=dict(CAST, img_size=img_size),
            data_preprocessor=dict(
                superpixels=dict(type='SEEDS', num_segments=count, prior=1))))
    assert settings.superpixels == dict(
        type='SEEDS', segment_size=side, prior=1)
    assert settings.img_size == (224 if img_size == 224 else 64)


def test_normalisation_of_either_package():
    pretrain = _settings({}, data_preprocessor=dict(
        mean=[1, 2, 3], std=[4, 5, 6], to_rgb=True))
    assert (pretrain.mean, pretrain.std) == ((1, 2, 3), (4, 5, 6))
    assert pretrain.rgb
    mmseg = _settings(
        dict(data_preprocessor=dict(
            mean=[1, 2, 3], std=[4, 5, 6], bgr_to_rgb=True)))
    assert mmseg.mean == (1, 2, 3) and mmseg.rgb
    # What is not asked for is not done in training either.
    plain = _settings(dict(data_preprocessor=dict(type='X')))
    assert (plain.mean, plain.std) == ((0, 0, 0), (1, 1, 1))
    assert not plain.rgb


def test_defaults_of_the_config_give_way_to_arguments():
    defaults = dict(img_size=100, segment_size=5)
    settings = _settings({}, hierarchy_inferencer=defaults)
    assert settings.img_size == 100
    assert settings.superpixels['segment_size'] == 5
    settings = _settings({}, 'original', 7, hierarchy_inferencer=defaults)
    assert settings.img_size == 'original'
    assert settings.superpixels['segment_size'] == 7


def test_config_by_path_name_and_object():
    path = ROOT / 'configs/cast/cast-s_in1k.py'
    by_path = read_config(path)
    assert read_config(str(path)).model == by_path.model
    assert read_config('cast-s_in1k').model == by_path.model
    copy = read_config(by_path)
    assert copy is not by_path and copy.model == by_path.model
    settings = read_settings(by_path)
    assert settings.superpixels['segment_size'] == 16
    assert settings.superpixels['type'] == 'SEEDS'


@pytest.mark.parametrize('model, error, message', [
    ('no/such/config.py', FileNotFoundError, "config 'no/such/config.py'"),
    ('cast-xxl', ValueError, "nor a model 'cast-xxl'; models: .*cast-s_in1k"),
    (3, TypeError, 'must be a config, its path, or the name.*int'),
])
def test_unknown_configs(model, error, message):
    with pytest.raises(error, match=message):
        read_config(model)


@pytest.mark.parametrize('name, content, message', [
    ('text.txt', 'hello', 'OSError: Only py/yml/yaml/json'),
    ('open.py', 'model = (', "SyntaxError: '.' was never closed"),
    ('lazy.py', 'with read_base():\n    from .x import *\n',
     'ConfigParsingError: .*x.py not found'),
    ('base.py', "_base_ = 'none.py'", 'FileNotFoundError: .*none.py'),
    ('name.py', 'model = backbone', "NameError: name 'backbone'"),
    ('import.py', "custom_imports = dict(imports=['no_such_module'])",
     'ImportError: .*no_such_module'),
    ('open.json', '{', 'JSONDecodeError: '),
    ('open.yaml', 'a: [1', 'ParserError: '),
])
def test_damaged_configs_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(
            ValueError,
            match=f"(?s)config '.*{name}' cannot be read: {message}.*; mend"):
        read_config(path)


@pytest.mark.parametrize('name', [
    'mmhierseg::cast/none.py', 'no_such_package::cast/none.py', 'mmhierseg::x'
])
def test_unknown_configs_of_packages(name):
    with pytest.raises(ValueError, match=f"config '{name}' cannot be read"):
        read_config(name)


def test_another_backbone():
    with pytest.raises(ValueError, match="'mmhierseg.CAST', got 'ResNet'"):
        _settings(dict(backbone=dict(type='ResNet', depth=18)))
    with pytest.raises(ValueError, match="'mmhierseg.CAST', got None"):
        read_settings(Config(dict()))


def test_hsg_is_built_whole():
    cfg = read_config(ROOT / 'configs/hsg/hsg_r50_stage2_coco-448x448.py')
    settings = read_settings(cfg)
    assert settings == read_retrieval_settings(cfg)
    assert settings.model == dict(cfg.model, type='mmhierseg.HSG')
    assert settings.superpixels is None and settings.rgb
    assert settings.img_size == 384
    assert read_settings(cfg, 'original').img_size == 'original'
    with pytest.raises(ValueError, match='this model takes none: leave it'):
        read_settings(cfg, segment_size=16)


@pytest.mark.parametrize('name, superpixels', [
    ('cast/cast-s_retrieval_voc12-512', 'SEEDS'),  # of the pipeline
    ('baselines/cast-s-grid_retrieval_voc12-512', 'Grid'),
    ('baselines/vit-s_retrieval_voc12-512', None),
    ('baselines/moco_r50_retrieval_voc12-512', None),
])
def test_models_of_retrieval(name, superpixels):
    cfg = read_config(ROOT / f'configs/{name}.py')
    settings = read_retrieval_settings(cfg)
    found = settings.superpixels
    assert (found and found['type']) == superpixels
    assert superpixels is None or found['segment_size'] == 16
    assert settings.model == dict(
        cfg.model, type='mmhierseg.RetrievalSegmentor')
    assert settings.img_size == 384
    with pytest.raises(ValueError, match="'mmhierseg.CAST', got None"):
        read_settings(cfg)


def test_cast_of_retrieval_without_superpixels_of_its_own():
    model = dict(type='RetrievalSegmentor', embedder=dict(backbone=CAST))
    settings = read_retrieval_settings(Config(dict(model=model)))
    assert settings.superpixels == dict(type='TorchSLIC', segment_size=16)


def test_models_without_retrieval():
    with pytest.raises(ValueError, match="RetrievalSegmentor', got 'MoCoV3'"):
        read_retrieval_settings(Config(dict(model=dict(type='MoCoV3'))))
