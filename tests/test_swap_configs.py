"""CAST as the backbone in configs of MMSegmentation."""

import re
from pathlib import Path

import pytest
import torch
from helpers.config_runs import (
    cases,
    measure,
    train_and_resume,
    unformatted,  # noqa: F401
    write,
)
from helpers.configs import pruned
from helpers.dense import CROP
from helpers.segmentation_data import COUNTS, make_segmentation_data
from helpers.swap import (
    MASK2FORMER,
    SWAP_PATHS,
    SWAPS,
    shrink_swap,
)
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmengine.utils import get_installed_path
from mmseg.structures import SegDataSample

from mmhierseg.registry import MODELS

UPERNET = 'cast-s_upernet_ade20k-512x512'
SIZES = [CROP, (40, 64), (48, 33)]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Tiny datasets in the real layouts."""
    root = tmp_path_factory.mktemp('swap')
    make_segmentation_data(root, ('voc', 'ade20k', 'cityscapes'))
    return root


# ----------------------------------------------- differences from the original


def both(name):
    """A config and the one that it inherits from."""
    path = SWAP_PATHS[name]
    base, = re.findall(r"'mmseg::([\w./-]+)'", path.read_text())
    package = Path(get_installed_path('mmseg'))
    return [
        # Without what MMEngine adds.
        pruned(Config.fromfile(str(file)), lambda key, _: key == '_scope_')
        for file in (path, package / '.mim/configs' / base)]


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
def test_trains_validates_and_tests(name, data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
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


@pytest.mark.parametrize('name', SWAPS)
def test_images_of_different_sizes_in_a_batch(name):
    """Padding has no superpixel, no label, and everything a gradient."""
    cfg = shrink_swap(SWAP_PATHS[name])
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
    inputs, samples = [], []
    for height, width in SIZES:
        image = torch.randint(0, 256, (3, height, width)).float()
        if model.data_preprocessor.superpixels is None:
            labels = torch.arange(height)[:, None] // 16 * 4 + torch.arange(
                width) // 16
            image = torch.cat([image, labels[None]])
        inputs.append(image)
        samples.append(SegDataSample(gt_sem_seg=PixelData(
            data=torch.randint(0, model.num_classes, (1, height, width)))))
    data = model.data_preprocessor(
        dict(inputs=inputs, data_samples=samples), training=True)
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
