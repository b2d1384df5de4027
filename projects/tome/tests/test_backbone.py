from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cast import block_labels, random_inputs
from helpers.configs import load_config, make_data, run_tool
from mmpretrain.registry import MODELS

from mmhierseg.models import CAST
from projects.tome.tome import SuperpixelToMe

CONFIG = Path(__file__).parents[1] / 'configs/tome-s_in100.py'
TINY = dict(
    arch=dict(embed_dims=16, depths=(2, 1), num_heads=2), img_size=64)


def tiny(num_merged=4, seed=0, **options):
    torch.manual_seed(seed)
    return SuperpixelToMe(**{**TINY, **options}, num_merged=num_merged).eval()


def test_without_merging_it_equals_cast_without_pooling():
    model = tiny(num_merged=0)
    cast = CAST(
        dict(embed_dims=16, depths=(3, ), num_heads=2), img_size=64,
        num_clusters=()).eval()
    cast.load_state_dict(model.state_dict())
    inputs = random_inputs()
    torch.testing.assert_close(model(inputs)[0], cast(inputs)[0])
    assert not torch.allclose(tiny()(inputs)[0], cast(inputs)[0])


def test_nested_hierarchy_with_16_tokens_fewer_after_each_block():
    model = SuperpixelToMe(
        dict(embed_dims=24, depths=(3, 3, 3, 2), num_heads=2)).eval()
    output = model.forward_hierarchy(random_inputs(2, 224, 224))
    maps = [output.hierarchy.label_map(level) for level in range(5)]
    for image in range(2):
        assert [level[image].unique().numel() for level in maps] == [
            196, 148, 100, 52, 20]
        for fine, coarse in zip(maps, maps[1:]):
            pairs = torch.stack([fine[image], coarse[image]]).flatten(1)
            assert pairs.unique(dim=1).size(1) == fine[image].max() + 1
    assert [tokens.size(1) for tokens in output.centroids] == [
        148, 100, 52, 20]


def uneven_inputs():
    """24 segments, 6 with one between the stem's cells, and none."""
    inputs = random_inputs(3, 64, 96)
    inputs[1, 3] = block_labels(64, 96, 32) + 1
    # Between the sampled pixels, and numbered before the others.
    inputs[1, 3, 1:4, 1:4] = 0
    inputs[2, 3] = -1
    return inputs


def test_independent_of_other_images():
    model, inputs = tiny(), uneven_inputs()
    both = model.forward_hierarchy(inputs)
    for i in range(3):
        alone = model.forward_hierarchy(inputs[i:i + 1])
        torch.testing.assert_close(alone.cls_token[0], both.cls_token[i])
        for level in range(3):
            np.testing.assert_array_equal(
                alone.hierarchy.label_map(level)[0],
                both.hierarchy.label_map(level)[i])
    # Pixels have ancestors if and only if they have a label.
    for level in range(3):
        assert torch.equal(both.hierarchy.label_map(level) < 0,
                           inputs[:, 3] < 0)


def test_every_parameter_is_trained():
    model = tiny().train()
    model(random_inputs())[0].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_bad_options():
    with pytest.raises(ValueError, match='`num_merged`'):
        tiny(-1)
    with pytest.raises(ValueError, match="`arch` must be one .*'large'"):
        tiny(arch='large')


@pytest.mark.parametrize('name', ['in100', 'linear_in100'])
def test_config_differs_from_that_of_cast_in_the_backbone_only(name):
    cfg, cast = map(load_config, (
        CONFIG.with_name(f'tome-s_{name}.py'),
        CONFIG.parents[3] / f'configs/cast/cast-s_{name}.py'))
    backbone = cfg.model.pop('backbone')
    cast.model.pop('backbone')
    cfg.pop('custom_imports'), cast.pop('custom_imports')
    assert cfg.to_dict() == cast.to_dict()
    weights = backbone.pop('init_cfg', None)
    model = MODELS.build(backbone)
    assert type(model) is SuperpixelToMe
    if 'linear' in name:
        assert weights.checkpoint == 'work_dirs/tome-s_in100/epoch_200.pth'
        assert not any(p.requires_grad for p in model.parameters())
        assert not any(m.training for m in model.train().stages.modules())
    assert model.num_merged == 16 and sum(model.depths) == 11


@pytest.mark.slow
def test_trains_with_the_tool(tmp_path):
    """Parts of MMPretrain are found although the base is of mmhierseg."""
    make_data(tmp_path)
    config = tmp_path / 'tiny.py'
    config.write_text(f"""
_base_ = [{str(CONFIG)!r}]
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=16, depths=(1, 1, 1, 1),
            num_heads=2)),
    neck=dict(in_channels=16, hid_channels=32, out_channels=16),
    head=dict(predictor=dict(
        in_channels=16, hid_channels=32, out_channels=16)))
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
""")
    output = run_tool(
        'train.py', config, '--work-dir', tmp_path / 'run', cwd=tmp_path)
    assert 'Epoch(train) [1][2/2]' in output and 'loss: nan' not in output
    assert 'WARNING - Failed' not in output
    assert (tmp_path / 'run/epoch_1.pth').is_file()
