"""CAST in the place of the backbone of MMSegmentation's configs."""

import copy
import re

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
from helpers.configs import ROOT
from helpers.dense import CROP, WIDTH
from helpers.segmentation_data import COUNTS, make_segmentation_data
from helpers.swap import (
    MASK2FORMER,
    STRIDE,
    SWAP_PATHS,
    SWAPS,
    batch_for,
    build_swap,
    has_mmdet,
    original,
    shrink_swap,
    without_scopes,
)
from mmengine.config import Config
from torch import nn

from mmhierseg.checkpoints.match import read_checkpoint, read_safely
from mmhierseg.registry import MODELS

#: Heads and where they are trained: every data set that `docs/swap.md` names.
HEADS = {
    'cast-s_upernet_ade20k-512x512': 'UPerHead',
    'cast-s_fcn_voc12aug-512x512': 'FCNHead',
    'cast-s_fpn_cityscapes-512x1024': 'FPNHead',
    'cast-s_segformer_ade20k-512x512': 'SegformerHead',
    'cast-s_deeplabv3plus_cityscapes-512x1024': 'DepthwiseSeparableASPPHead',
    'cast-s_segmenter_ade20k-512x512': 'SegmenterMaskTransformerHead',
    MASK2FORMER: 'Mask2FormerHead',
}
UPERNET = 'cast-s_upernet_ade20k-512x512'
#: Models on which a property is tested: the fast tier takes one.
TESTED = cases(SWAPS, [UPERNET])
SIZES = [CROP, (40, 64), (48, 33)]
needs_mmdet = pytest.mark.skipif(
    not has_mmdet(), reason='MMDetection, or an operator of MMCV, is missing')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny data under data/, in the real layouts."""
    root = tmp_path_factory.mktemp('swap')
    make_segmentation_data(root, ('voc', 'ade20k', 'cityscapes'))
    return root


@pytest.fixture(scope='module')
def built():
    """Tiny models by name, each built once; tests leave them as they are."""
    models = {}

    def get(name):
        if name not in models:
            models[name] = build_swap(name)
        return models[name]

    return get


# ----------------------------------------------- differences from the original


def test_heads_and_batches():
    assert set(HEADS) == set(SWAP_PATHS)
    for name, head in HEADS.items():
        assert original(SWAP_PATHS[name]).model.decode_head.type == head
        text = SWAP_PATHS[name].read_text()
        # The name of the base gives the batch: 4xb2 is 4 GPUs, 2 images.
        gpus, batch = re.search(r'_(\d)xb(\d)-', text).groups()
        assert f'Hardware: {gpus} GPUs, {batch} image' in text


@pytest.mark.parametrize('name', SWAPS)
def test_nothing_else_is_changed(name):
    own, theirs = _both(name)
    changed = {key for key in own if own[key] != theirs.get(key)}
    assert changed <= {
        'custom_imports', 'default_hooks', 'model', 'superpixels',
        'train_pipeline', 'test_pipeline', 'tta_pipeline', 'train_dataloader',
        'val_dataloader', 'test_dataloader'
    }
    assert set(theirs) <= set(own)
    assert own['default_hooks'] == dict(
        theirs['default_hooks'],
        random_state=dict(type='mmhierseg.RandomStateHook'))
    own, theirs = own['model'], theirs['model']
    parts = {key for key in own if own[key] != theirs.get(key)}
    assert parts <= {
        'data_preprocessor', 'pretrained', 'backbone', 'neck', 'decode_head',
        'auxiliary_head', 'test_cfg'
    }
    for part in parts & {'decode_head', 'auxiliary_head'}:
        assert {
            key for key in own[part]
            if own[part][key] != theirs[part].get(key)
        } <= {'in_channels', 'in_index', 'c1_in_channels'}


@pytest.mark.parametrize('name', SWAPS)
def test_pipelines_are_the_same_but_for_superpixels(name):
    own, theirs = _both(name)
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


def _both(name):
    """A config and the one that it inherits from."""
    path = SWAP_PATHS[name]
    return (without_scopes(Config.fromfile(str(path))),
            without_scopes(original(path)))


def test_the_first_one_is_the_example():
    own = Config.fromfile(
        str(SWAP_PATHS['cast-s_upernet_ade20k-512x512'])).to_dict()
    shown = Config.fromfile(str(ROOT / 'docs/examples/upernet_cast-s.py'))
    assert own == shown.to_dict()


@pytest.mark.parametrize('name', sorted(SWAP_PATHS))
def test_superpixels_and_clusters_fit_the_crop(name):
    """A third of the papers' 16 x 16 pixels, then half, half and half."""
    cfg = Config.fromfile(
        str(SWAP_PATHS[name]), import_custom_modules=False)
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    size = backbone.img_size
    height, width = size if isinstance(size, (list, tuple)) else (size, ) * 2
    assert cfg.crop_size == (height, width)
    scale = height * width // 512**2
    assert tuple(backbone.num_clusters) == tuple(
        scale * n for n in (320, 160, 80, 40))
    # Windows where the test images are larger than crops.
    if 'cityscapes' in name:
        assert cfg.model.test_cfg.mode == 'slide'
        assert tuple(cfg.model.test_cfg.crop_size) == cfg.crop_size
    assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert 384 in (head.in_channels if isinstance(head.in_channels, list)
                   else [head.in_channels]) or cfg.model.get('neck')


# -------------------------------------------------------- training and testing


@pytest.fixture
def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.parametrize('name', [*TESTED, pytest.param(
    MASK2FORMER, marks=[needs_mmdet, pytest.mark.slow])])
def test_trains_validates_and_tests(name, in_folder, tmp_path):
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
    torch.save(
        dict(
            state_dict={f'backbone.{k}': v for k, v in weights.items()},
            meta={}), checkpoint)
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
def test_images_of_different_sizes_in_a_batch(name, built):
    """Padding has no superpixel, no label, and everything a gradient."""
    model = copy.deepcopy(built(name)).train()
    data = model.data_preprocessor(batch_for(model, SIZES), training=True)
    assert data['inputs'].shape == (3, 4, *CROP)
    for labels, (height, width) in zip(data['inputs'][:, 3], SIZES):
        assert (labels[:height, :width] >= 0).all()
        inside = torch.zeros(CROP, dtype=torch.bool)
        inside[:height, :width] = True
        assert (labels[~inside] == -1).all()
    losses = model.loss(**data)
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key


@pytest.mark.parametrize('name', TESTED)
def test_batch_mates_do_not_matter(name, built):
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
def test_predicts_a_batch(name, built):
    """Of more than one image, of another size than the crop."""
    model = built(name)
    first, second = model.test_step(batch_for(model, [(50, 70)] * 2))
    for sample in (first, second):
        assert sample.seg_logits.shape == (50, 70)
        assert sample.pred_sem_seg.data.max() < model.num_classes
    assert not torch.equal(first.seg_logits.data, second.seg_logits.data)


@pytest.mark.parametrize('name', TESTED)
def test_windows(name, built):
    """Where there is one window only, its map is what the window gives."""
    model = built(name)
    batch = batch_for(model, [(64, 96)] * 2)
    inputs = model.data_preprocessor(batch)['inputs']
    before = model.test_cfg
    try:
        model.test_cfg = Config(
            dict(mode='slide', crop_size=CROP, stride=STRIDE))
        with torch.no_grad():
            slid = model.inference(inputs, _metas(64, 96))
            model.test_cfg = Config(dict(mode='whole'))
            whole = model.inference(inputs, _metas(64, 96))
            corner = model.inference(inputs[..., :48, :64], _metas(*CROP))
    finally:
        model.test_cfg = before
    assert slid.shape == whole.shape == (2, model.num_classes, 64, 96)
    # The next windows begin 16 rows down and 32 columns to the right.
    torch.testing.assert_close(
        slid[..., :16, :32], corner[..., :16, :32], rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------- mixed precision


@pytest.mark.parametrize('name', TESTED)
def test_bfloat16(name, built):
    """Losses, gradients and predictions are those of float32, nearly."""
    results = []
    for enabled in (False, True):
        model = copy.deepcopy(built(name))
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
    scale = logits.std()
    assert (half_logits - logits).abs().mean() < 0.1 * scale
    assert nn.functional.cosine_similarity(gradient, half, dim=0) > 0.9


def _metas(height, width):
    return [
        dict(img_shape=(height, width), ori_shape=(height, width))
        for _ in range(2)
    ]


def test_features_have_the_width_of_the_tiny_backbone(built):
    """So that a width that is not the backbone's cannot go unnoticed."""
    model = built('cast-s_upernet_ade20k-512x512')
    assert model.backbone.embed_dims == WIDTH != 384
    assert set(model.decode_head.in_channels) == {WIDTH}
