"""DINOv2's and DINOv3's files: converted weights compute the same."""

import sys

import numpy as np
import pytest
import torch
from helpers.configs import ALL_CONFIGS, ROOT, build_full, load_config
from helpers.dino import dino_features, dino_shapes, released_dino
from helpers.scripts import run_main

from mmhierseg._base.errors import UserError
from mmhierseg.apis import HierarchyInferencer
from mmhierseg.checkpoints import (
    convert_dino_checkpoint,
    load_weights,
    read_checkpoint,
)
from mmhierseg.checkpoints.matching import check_matches
from mmhierseg.cli.convert import convert
from mmhierseg.ops import kmeans_hierarchy
from mmhierseg.registry import MODELS

VERSIONS = ['2', '3']
#: Of images whose patches the tiny DINOv2 has positions for.
SIZES = {'2': (70, 70), '3': (64, 96)}


def need_timm(version='3'):
    if version == '3':
        pytest.importorskip('timm')


def tiny(version):
    """Two heads of 64 channels, two blocks."""
    return released_dino(version, 128, 2, 200, 5)


def build(converted):
    model = MODELS.build(converted.options)
    model.load_state_dict({
        key.removeprefix('backbone.'): value
        for key, value in converted.state_dict.items()})
    model.eval()  # MMPretrain's returns nothing
    return model


@pytest.mark.parametrize('version', VERSIONS)
@torch.no_grad()
def test_features(version):
    """Those of a plain implementation, by the names of the release."""
    need_timm(version)
    weights = tiny(version)
    converted = convert_dino_checkpoint(weights)
    assert converted.kind == f'dinov{version}'
    assert converted.unconverted == ['mask_token']
    assert converted.options['arch'] == dict(
        embed_dims=128, num_layers=2, num_heads=2, feedforward_channels=200)
    images = torch.randn(2, 3, *SIZES[version])
    found, = build(converted)(images)
    expected = dino_features(weights, images, 2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    # The comparison notices rotary positions.
    if version == '3':
        weights['rope_embed.periods'] *= 1.01
        other = dino_features(weights, images, 2)
        assert (other - expected).abs().max() > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize('version', VERSIONS)
@torch.no_grad()
def test_small_models_are_timms(version):
    """ViT-S of the released shapes; timm reads the release by itself."""
    timm = pytest.importorskip('timm')
    weights = released_dino(version)
    images = torch.randn(1, 3, 518, 518) if version == '2' else torch.randn(
        2, 3, 96, 160)
    found, = build(convert_dino_checkpoint(weights))(images)
    name = {'2': 'vit_small_patch14_dinov2',
            '3': 'vit_small_patch16_dinov3_qkvb'}[version]
    model = timm.create_model(name, num_classes=0).eval()
    module = sys.modules[type(model).__module__]
    model.load_state_dict(module.checkpoint_filter_fn(dict(weights), model))
    if version == '3':
        # Those of the file; timm's are not rounded.
        model.rope.periods.copy_(weights['rope_embed.periods'])
    expected, = model.forward_intermediates(
        images, indices=1, norm=True, intermediates_only=True)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('path', [
    pytest.param(path, id=path.stem) for path in ALL_CONFIGS
    if path.stem.startswith('dinov')])
def test_configs_have_the_released_sizes(path):
    version = path.stem[5]
    need_timm(version)
    dims = dict(s=384, b=768)[path.stem[7]]
    converted = convert_dino_checkpoint({
        name: torch.empty(shape, device='meta')
        for name, shape in dino_shapes(version, dims).items()})
    cfg = load_config(path)
    # KMeansHierarchy has none.
    cfg.model.pop('data_preprocessor')
    model = build_full(cfg)
    found = {name.removeprefix('embedder.'): value.shape
             for name, value in model.state_dict().items()}
    assert found == {name: value.shape
                     for name, value in converted.state_dict.items()}


@pytest.mark.parametrize('version', VERSIONS)
@torch.no_grad()
def test_hierarchy(version, tmp_path, capsys):
    """From the release to the segments of an image, by the config."""
    need_timm(version)
    weights = tiny(version)
    torch.save(weights, tmp_path / 'theirs.pth')
    paths = [str(tmp_path / name) for name in ('theirs.pth', 'ours.pth')]
    if version == '2':
        convert(*paths)
    else:
        run_main('model_converters/dino2mmhierseg.py', *paths)
    assert f'kind: dinov{version}; ' in capsys.readouterr().out
    cfg = load_config(
        ROOT / f'configs/baselines/dinov{version}-b_hierarchy_part-imagenet.py'
    )
    cfg.model.backbone.arch = convert_dino_checkpoint(weights).options['arch']
    cfg.model.update(num_clusters=(12, 6, 3), num_iterations=4)
    size = SIZES[version]
    if version == '2':
        cfg.model.backbone.img_size = size[0]
    inferencer = HierarchyInferencer(
        cfg, paths[1], 'cpu', img_size='original')
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    prediction, = inferencer(
        image, return_vis=False, channel_order='rgb')['predictions']
    settings = cfg.model.data_preprocessor
    pixels = (image - np.array(settings.mean)) / np.array(settings.std)
    features = dino_features(
        weights, torch.from_numpy(pixels).permute(2, 0, 1)[None].float(), 2)
    features = torch.nn.functional.interpolate(
        features, size, mode='bilinear').flatten(2).transpose(1, 2)
    labels, parents = kmeans_hierarchy(features, (12, 6, 3), 4)
    for found in prediction['label_maps']:
        # K-means amplifies rounding errors.
        assert (found.ravel() == labels[0].numpy()).mean() > 0.99
        labels = parents.pop(0)[0][labels] if parents else labels
    # Patches are not whole.
    image = rng.integers(0, 256, (50, 83, 3), dtype=np.uint8)
    prediction, = inferencer(image, return_vis=False)['predictions']
    assert 6 < prediction['num_segments'][0] <= 12
    assert prediction.levels[0].shape == (50, 83)


def test_files_that_are_not_converted():
    with pytest.raises(ValueError, match='DINOv2 or DINOv3: expected `cls_'):
        convert_dino_checkpoint(dict(state_dict={}))
    weights = tiny('2')
    with pytest.raises(ValueError, match='has registers'):
        convert_dino_checkpoint(
            weights | dict(register_tokens=torch.zeros(1, 4, 128)))
    weights = tiny('3')
    weights['rope_embed.periods'] = weights['rope_embed.periods'] * 2
    with pytest.raises(ValueError, match=r'base of 100, got \[2\.'):
        convert_dino_checkpoint(weights)


def test_the_release_itself_is_refused(tmp_path):
    """With the command that converts it, where it does not fit."""
    weights, path = tiny('2'), tmp_path / 'theirs.pth'
    torch.save(weights, path)
    model = MODELS.build(dict(
        type='mmhierseg.FeatureMapEmbedder',
        backbone=convert_dino_checkpoint(weights).options))
    message = f'dino2mmhierseg.py {path} CONVERTED.pth'
    with pytest.raises(ValueError, match=message):
        load_weights(model, path)
    with pytest.raises(UserError, match=message):
        check_matches(read_checkpoint(str(path)), model, str(path))
    # Another model that has these names reads it.
    class Plain(torch.nn.Module):
        pass
    check_matches(read_checkpoint(str(path)), Plain(), str(path))
    # Parts are missing.
    del weights['blocks.1.mlp.fc1.weight']
    torch.save(weights, path)
    with pytest.raises(UserError, match='do not make a whole VisionTransf'):
        convert(str(path), str(tmp_path / 'ours.pth'))
    assert not (tmp_path / 'ours.pth').exists()


def test_bad_input_of_the_backbone(monkeypatch):
    build = dict(type='mmhierseg.DINOv3ViT')
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'timm', None)
        with pytest.raises(ImportError, match=r'mmhierseg\[timm\]'):
            MODELS.build(build)
    need_timm()
    with pytest.raises(ValueError, match="`arch` must be one .* got 'tiny'"):
        MODELS.build(dict(build, arch='tiny'))
    model = MODELS.build(dict(
        build, final_norm=False,
        arch=dict(embed_dims=64, num_layers=1, num_heads=1)))
    assert not any('vit.norm' in name for name in model.state_dict())
    with pytest.raises(ValueError, match=r'multiples of 16, got \(32, 40\)'):
        model(torch.zeros(1, 3, 32, 40))
