"""CAST as the backbone in configs of MMSegmentation."""

import copy
import functools
import re
from pathlib import Path

import pytest
import torch
from helpers.config_runs import (
    cases,
    measure,
    train,
    train_and_resume,
    unformatted,  # noqa: F401
    write,
)
from helpers.configs import save_weights
from helpers.dense import CROP
from helpers.segmentation_data import COUNTS, make_segmentation_data
from helpers.swap import (
    MASK2FORMER,
    STRIDE,
    SWAP_PATHS,
    SWAPS,
    batch_for,
    build_swap,
    shrink_swap,
    without_scopes,
)
from mmengine.config import Config
from mmengine.utils import get_installed_path
from torch import nn

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.registry import MODELS

UPERNET = 'cast-s_upernet_ade20k-512x512'
#: Models on which a property is tested: the fast tier takes one.
TESTED = cases(SWAPS, [UPERNET])
SIZES = [CROP, (40, 64), (48, 33)]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Tiny datasets in the real layouts."""
    root = tmp_path_factory.mktemp('swap')
    make_segmentation_data(root, ('voc', 'ade20k', 'cityscapes'))
    return root


@pytest.fixture
def in_folder(data, monkeypatch):
    monkeypatch.chdir(data)


@functools.cache
def built(name):
    """A tiny model, which tests leave as it is."""
    return build_swap(name)


# ----------------------------------------------- differences from the original


def both(name):
    """A config and the one that it inherits from."""
    path = SWAP_PATHS[name]
    base, = re.findall(r"'mmseg::([\w./-]+)'", path.read_text())
    package = Path(get_installed_path('mmseg'))
    return [without_scopes(Config.fromfile(str(file))) for file in (
        path, package / '.mim/configs' / base)]


def changed(own, theirs):
    """Keys of a dict that the other does not have or has otherwise."""
    return {key for key in own if own[key] != theirs.get(key)}


@pytest.mark.parametrize('name', SWAPS)
def test_nothing_else_is_changed(name):
    own, theirs = both(name)
    assert set(theirs) <= set(own)
    assert changed(own, theirs) <= {
        'custom_imports', 'default_hooks', 'model', 'superpixels',
        'train_pipeline', 'test_pipeline', 'tta_pipeline', 'train_dataloader',
        'val_dataloader', 'test_dataloader'
    }
    assert changed(own['default_hooks'],
                   theirs['default_hooks']) == {'random_state'}
    models = own['model'], theirs['model']
    assert changed(*models) <= {
        'data_preprocessor', 'pretrained', 'backbone', 'neck', 'decode_head',
        'auxiliary_head', 'test_cfg'
    }
    for part in changed(*models) & {'decode_head', 'auxiliary_head'}:
        assert changed(*(model[part] for model in models)) <= {
            'in_channels', 'in_index', 'c1_in_channels'
        }


@pytest.mark.parametrize('name', SWAPS)
def test_pipelines_are_the_same_but_for_superpixels(name):
    own, theirs = both(name)
    in_loader = 'superpixels' not in own['model']['data_preprocessor']
    made = ['mmhierseg.GenerateSuperpixels'] * in_loader
    for field in ('train', 'val', 'test'):
        ours, base = (cfg[f'{field}_dataloader']['dataset']
                      for cfg in (own, theirs))
        for one, other in zip(
                ours.get('datasets', [ours]), base.get('datasets', [base])):
            steps = one['pipeline']
            types = [step['type'] for step in steps]
            # Of the image alone, right before packing.
            assert types[len(steps) - 1 - len(made):-1] == made
            assert [step for step in steps if step['type'] not in made] == [
                step for step in other['pipeline'] if step['type'] != 'Pad'
            ]
    branch = own['tta_pipeline'][1]['transforms'][-2]
    assert (branch[0]['type'] in made) == in_loader


@pytest.mark.parametrize('name', sorted(SWAP_PATHS))
def test_superpixels_and_clusters_fit_the_crop(name):
    """A third of the papers' 16 x 16 pixels, then half, half and half."""
    cfg = Config.fromfile(
        str(SWAP_PATHS[name]), import_custom_modules=False)
    backbone = cfg.model.backbone
    size = backbone.img_size
    height, width = size if isinstance(size, (list, tuple)) else (size, ) * 2
    assert cfg.crop_size == (height, width)
    assert [n * 512**2 for n in backbone.num_clusters] == [
        n * height * width for n in (320, 160, 80, 40)]
    # Windows where the test images are larger than crops.
    if 'cityscapes' in name:
        assert cfg.model.test_cfg.mode == 'slide'
        assert tuple(cfg.model.test_cfg.crop_size) == cfg.crop_size
    assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53]


# -------------------------------------------------------- training and testing


@pytest.mark.parametrize('name', cases(SWAP_PATHS, [UPERNET]))
def test_trains_validates_and_tests(name, in_folder, tmp_path):
    if name == MASK2FORMER:
        pytest.importorskip('mmdet.models', exc_type=ImportError)
    config = write(shrink_swap(SWAP_PATHS[name]), tmp_path)
    work = tmp_path / 'work'
    log = train_and_resume(config, work)
    score = re.search(rf'Iter\(val\) \[{COUNTS[1]}/.*\] .* mIoU: ([\d.]+)',
                      log)[1]
    # Validation has measured the same weights.
    metrics = measure(config, work / 'iter_2.pth', tmp_path / 'test')
    assert metrics['mIoU'] == pytest.approx(float(score), abs=1e-4)
    # Twelve views of each image, each with superpixels of its own.
    metrics = measure(config, work / 'iter_2.pth', tmp_path / 'tta',
                      flags=['--tta'])
    assert 0 <= metrics['mIoU'] <= 100


def test_starts_from_pretrained_weights(in_folder, tmp_path):
    """With the options that docs/swap.md gives."""
    cfg = shrink_swap(SWAP_PATHS[UPERNET])
    options = dict(cfg.model.backbone, out_type='cls_token', img_size=32)
    weights = MODELS.build(options).state_dict()
    checkpoint = tmp_path / 'pretrained.pth'
    save_weights(checkpoint,
                 {f'backbone.{k}': v for k, v in weights.items()})
    path = 'model.backbone.init_cfg'
    train(
        write(cfg, tmp_path), tmp_path / 'work', f'{path}.type=Pretrained',
        f'{path}.checkpoint={checkpoint}', f'{path}.prefix=backbone.',
        'optim_wrapper.optimizer.lr=0.', 'param_scheduler.0.eta_min=0.',
        flags=['--no-validate'])
    read_safely()
    state = read_checkpoint(str(tmp_path / 'work/iter_2.pth'))['state_dict']
    # Nothing was trained, so the loaded weights remain.
    key = 'stages.0.0.attn.qkv.weight'
    assert torch.equal(state[f'backbone.{key}'], weights[key])


# ----------------------------------------------------------- sizes and windows


@pytest.mark.parametrize('name', SWAPS)
def test_images_of_different_sizes_in_a_batch(name):
    """Padding has no superpixel, no label, and everything a gradient."""
    model = copy.deepcopy(built(name)).train()
    data = model.data_preprocessor(batch_for(model, SIZES), training=True)
    assert data['inputs'].shape == (3, 4, *CROP)
    for labels, (height, width) in zip(data['inputs'][:, 3], SIZES):
        inside = torch.zeros(CROP, dtype=torch.bool)
        inside[:height, :width] = True
        assert torch.equal(labels >= 0, inside)
    loss, _ = model.parse_losses(model.loss(**data))
    loss.backward()
    assert loss.isfinite()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key


@pytest.mark.parametrize('name', TESTED)
def test_batch_mates_do_not_matter(name):
    model = built(name)
    # MMSegmentation pads images of different sizes in training only.
    inputs = model.data_preprocessor(
        batch_for(model, SIZES), training=True)['inputs']
    with torch.no_grad():
        together = model(inputs, mode='tensor')
        for i in range(len(SIZES)):
            torch.testing.assert_close(
                model(inputs[i:i + 1], mode='tensor'), together[i:i + 1],
                rtol=1e-3, atol=1e-4)
    assert together.isfinite().all()


@pytest.mark.parametrize('name', TESTED)
def test_windows(name, monkeypatch):
    """Where only one window contributes, the map is that of the window."""
    model = built(name)
    batch = batch_for(model, [(64, 96)] * 2)
    inputs = model.data_preprocessor(batch)['inputs']
    slide = Config(dict(mode='slide', crop_size=CROP, stride=STRIDE))
    found = []
    for cfg, (height, width) in ((slide, (64, 96)),
                                 (Config(dict(mode='whole')), CROP)):
        monkeypatch.setattr(model, 'test_cfg', cfg)
        metas = [dict(img_shape=(height, width),
                      ori_shape=(height, width))] * 2
        with torch.no_grad():
            found.append(
                model.inference(inputs[..., :height, :width], metas))
    slid, corner = found
    assert slid.shape == (2, model.num_classes, 64, 96)
    # The next windows begin 16 rows down and 32 columns to the right.
    torch.testing.assert_close(
        slid[..., :16, :32], corner[..., :16, :32], rtol=1e-3, atol=1e-4)


def test_bfloat16():
    """Losses, gradients and predictions are nearly those of float32."""
    results = []
    for enabled in (False, True):
        model = copy.deepcopy(built(UPERNET))
        data = model.data_preprocessor(
            batch_for(model, SIZES[:2]), training=True)
        # Labels are exact in float32 only, and stay in it.
        assert data['inputs'].dtype == torch.float32
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            loss, _ = model.parse_losses(model.loss(**data))
            with torch.no_grad():
                logits = model(data['inputs'], mode='tensor').float()
        loss.backward()
        gradients = torch.cat([
            p.grad.flatten() for p in model.backbone.parameters()
            if p.grad is not None
        ])
        assert all(p.grad is None or p.grad.dtype == torch.float32
                   for p in model.parameters())
        results.append((loss.item(), logits, gradients))
    (loss, logits, gradient), (half_loss, half_logits, half) = results
    assert half_loss == pytest.approx(loss, rel=0.02)
    assert (half_logits - logits).abs().mean() < 0.1 * logits.std()
    assert nn.functional.cosine_similarity(gradient, half, dim=0) > 0.9
