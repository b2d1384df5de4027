from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cast import TINY
from mmengine.config import Config
from mmengine.device import get_device

from mmhierseg.apis.loading import (
    find_device,
    load_model,
    read_config,
    read_settings,
)

ROOT = Path(__file__).resolve().parents[2]
CAST = dict(type='mmhierseg.CAST', arch='small')


def settings_of(model, img_size=None, segment_size=None, **others):
    cfg = Config(dict(model=dict(dict(backbone=CAST), **model), **others))
    return read_settings(cfg, img_size, segment_size)


def test_superpixels_in_order_of_preference():
    backbone = dict(CAST, superpixels=dict(type='Grid', segment_size=4))
    views = [[dict(type='RandomFlip'),
              dict(type='mmhierseg.GenerateSuperpixels',
                   superpixels=dict(type='SEEDS', segment_size=8))]]
    loader = dict(dataset=dict(pipeline=[
        dict(type='MultiView', transforms=views)]))
    preprocessor = dict(superpixels=dict(type='SLIC', segment_size=32),
                        type='mmhierseg.SuperpixelClsDataPreprocessor')
    found = [
        settings_of({}),
        settings_of(dict(backbone=backbone)),
        settings_of(dict(backbone=backbone), train_dataloader=loader),
        settings_of(
            dict(backbone=backbone, data_preprocessor=preprocessor),
            train_dataloader=loader),
    ]
    assert [settings.superpixels for settings in found] == [
        dict(type='TorchSLIC', segment_size=16),
        dict(type='Grid', segment_size=4),
        dict(type='SEEDS', segment_size=8),
        dict(type='SLIC', segment_size=32)
    ]
    # The data preprocessor makes them if it can, else the backbone.
    assert 'superpixels' not in found[2].preprocessor
    assert found[2].model.superpixels.type == 'SEEDS'
    assert found[3].preprocessor.superpixels.type == 'SLIC'
    assert found[3].model.superpixels.type == 'Grid'


@pytest.mark.parametrize('img_size, count, side', [
    (224, 196, 16),  # 14 x 14 segments
    ((64, 256), 64, 16),  # 4 x 16
])
def test_number_of_superpixels_becomes_their_size(img_size, count, side):
    settings = settings_of(
        dict(backbone=dict(
            CAST, img_size=img_size,
            superpixels=dict(type='SEEDS', num_segments=count, prior=1))))
    assert settings.superpixels == dict(
        type='SEEDS', segment_size=side, prior=1)
    assert settings.img_size == (224 if img_size == 224 else 64)


@pytest.mark.parametrize('preprocessor, first', [
    # ImageNet's if there is none.
    (None, [(8 - 123.675) / 58.395, (6 - 116.28) / 57.12,
            (4 - 103.53) / 57.375]),
    # MMPretrain's and MMSegmentation's words; padding is left out.
    (dict(mean=[1, 2, 3], std=[2, 2, 2], to_rgb=True, pad_size_divisor=32),
     [3.5, 2, .5]),
    (dict(type='mmseg.SegDataPreProcessor', mean=[1, 2, 3], std=[2, 2, 2],
          bgr_to_rgb=True, test_cfg=dict(size=(64, 64))), [3.5, 2, .5]),
    (dict(type='mmhierseg.SuperpixelSegDataPreProcessor', mean=[1, 2, 3],
          std=[2, 2, 2], bgr_to_rgb=True), [3.5, 2, .5, 0]),
])
def test_inputs_are_those_of_the_data_preprocessor(preprocessor, first):
    settings = settings_of(
        dict(backbone=dict(CAST, **TINY)), data_preprocessor=preprocessor)
    with pytest.warns(UserWarning, match='the model is random'):
        loaded = load_model(settings, None, torch.device('cpu'))
    image = np.full((24, 40, 3), (8, 6, 4), np.uint8)
    inputs = loaded.inputs([image, image])
    assert inputs.shape == (2, len(first), 24, 40)
    torch.testing.assert_close(inputs[1, :, 0, 0], torch.tensor(first).float())


def test_defaults_of_the_config_give_way_to_arguments():
    defaults = dict(img_size=100, segment_size=5)
    settings = settings_of({}, hierarchy_inferencer=defaults)
    assert settings.img_size == 100
    assert settings.superpixels['segment_size'] == 5
    settings = settings_of({}, 'original', 7, hierarchy_inferencer=defaults)
    assert settings.img_size == 'original'
    assert settings.superpixels['segment_size'] == 7


def test_config_by_path_name_and_object():
    path = ROOT / 'configs/cast/cast-s_in1k.py'
    by_path = read_config(path)
    assert read_config(str(path)).model == by_path.model
    assert read_config('cast-s_in1k').model == by_path.model
    copy = read_config(by_path)
    assert copy is not by_path and copy.model == by_path.model


@pytest.mark.parametrize('model, error, message', [
    ('no/such/config.py', FileNotFoundError, "config 'no/such/config.py'"),
    ('cast-xxl', ValueError, "nor a model 'cast-xxl'; models: .*cast-"),
    (3, TypeError, 'must be a config, its path, or the name.*int'),
    ('mmhierseg::cast/none.py', ValueError, 'cast/none.py. cannot be read'),
    ('no_such_package::x.py', ValueError, 'package::x.py. cannot be read'),
    ('open.py', ValueError, "open.py' cannot be read: SyntaxError: .*; corr"),
])
def test_unknown_configs(model, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('open.py').write_text('model = (')
    with pytest.raises(error, match=f'(?s){message}'):
        read_config(model)


def test_hsg_is_built_whole():
    cfg = read_config(ROOT / 'configs/hsg/hsg_r50_stage2_coco-448x448.py')
    settings = read_settings(cfg)
    assert settings == read_settings(cfg, retrieval=True)
    assert settings.model.type == 'mmhierseg.HSG'
    assert settings.superpixels is None and settings.img_size == 384
    with pytest.raises(ValueError, match='this model takes none: leave it'):
        read_settings(cfg, segment_size=16)


@pytest.mark.parametrize('name, superpixels', [
    ('cast/cast-s_retrieval_voc12-512', 'SEEDS'),  # of the pipeline
    ('baselines/cast-s-grid_retrieval_voc12-512', 'Grid'),
    ('baselines/vit-s_retrieval_voc12-512', None),
])
def test_models_of_retrieval(name, superpixels):
    cfg = read_config(ROOT / f'configs/{name}.py')
    settings = read_settings(cfg, retrieval=True)
    found = settings.superpixels
    assert (found and found['type']) == superpixels
    assert superpixels is None or found['segment_size'] == 16
    assert settings.model.type == 'mmhierseg.RetrievalSegmentor'
    assert settings.img_size == 384
    with pytest.raises(ValueError, match="'mmhierseg.CAST', got None"):
        read_settings(cfg)
    other = Config(dict(model=dict(type='MoCoV3')))
    with pytest.raises(ValueError, match="RetrievalSegmentor', got 'MoCoV3'"):
        read_settings(other, retrieval=True)


# 'meta' exists, but computes nothing; 99 GPUs are in no machine.
@pytest.mark.parametrize('device', ['foo', 'cuda:99', 'meta', 3.5])
def test_devices(device):
    assert find_device(None).type == torch.device(get_device()).type
    with pytest.raises(ValueError, match='`device` must be one of this '
                       f"machine, e.g. 'cpu'.* or None, got '{device}'"):
        find_device(device)
