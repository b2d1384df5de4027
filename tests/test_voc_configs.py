"""VOC as CAST's authors prepare it: images, superpixels, positions, head."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.configs import ROOT, load_config, without_weights
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmhierseg.models import CAST
from mmhierseg.registry import MODELS

FINE_TUNING, RETRIEVAL, SEGMENTER = (
    load_config(ROOT / f'configs/cast/cast-s_{name}.py') for name in (
        'voc12aug-512x512', 'retrieval_voc12-512',
        'segmenter_ade20k-512x512'))
#: (height, width), and with a longer side of 512.
SIZES = {(375, 500): (384, 512), (500, 333): (512, 340)}
MEAN = [103.53, 116.28, 123.675]


@pytest.fixture(params=SIZES, ids=str)
def sample(request, tmp_path):
    """A smooth image, kept exactly, and its ground truth."""
    rng = np.random.default_rng(0)
    size = request.param
    image = cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8),
                       size[::-1], interpolation=cv2.INTER_CUBIC)
    truth = rng.choice(np.array([0, 3, 20, 255], np.uint8), size)
    Image.fromarray(image[..., ::-1]).save(tmp_path / 'image.png')
    Image.fromarray(truth).save(tmp_path / 'truth.png')
    paths = dict(img_path=str(tmp_path / 'image.png'),
                 seg_map_path=str(tmp_path / 'truth.png'))
    return image, truth, paths


def run(steps, paths, **changes):
    """Apply a pipeline; ``changes`` are of its steps, by type."""
    init_default_scope('mmseg')
    steps = [{**step, **changes.get(step.type.split('.')[-1], {})}
             for step in steps]
    return Compose([TRANSFORMS.build(step) for step in steps])(dict(
        paths, label_map=None, reduce_zero_label=False, seg_fields=[]))


def seeds(image):
    """SEEDS by OpenCV, called directly; of a BGR image."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    method = cv2.ximgproc.createSuperpixelSEEDS(
        image.shape[1], image.shape[0], 3, num_superpixels=1024, num_levels=1,
        prior=2, histogram_bins=5, double_step=False)
    method.iterate(lab, num_iterations=15)
    return method.getLabels()


def resize(array, size, method):
    return cv2.resize(array, size[::-1], interpolation=method)


def types(steps):
    return [step.type.split('.')[-1] for step in steps]


@pytest.mark.parametrize('steps, truth_size', [
    (FINE_TUNING.test_dataloader.dataset.pipeline, 'own'),
    (RETRIEVAL.test_dataloader.dataset.pipeline, 'own'),
    (RETRIEVAL.custom_hooks[0].dataloader.dataset.datasets[1].pipeline,
     'resized')], ids=['fine-tuned', 'retrieval', 'bank'])
def test_testing(steps, truth_size, sample):
    """1024 superpixels of the image as it is, resized together with it."""
    image, truth, paths = sample
    packed = run(steps, paths)
    size = SIZES[truth.shape]
    inputs = packed['inputs'].numpy().transpose(1, 2, 0)
    assert inputs.shape == (*size, 4)
    labels = seeds(image)
    assert 600 < labels.max() < 1024
    assert (inputs[..., 3] == resize(labels, size, cv2.INTER_NEAREST)).all()
    np.testing.assert_allclose(
        inputs[..., :3],
        resize(image.astype(np.float32), size, cv2.INTER_LINEAR), atol=1e-3)
    if truth_size == 'resized':
        truth = resize(truth, size, cv2.INTER_NEAREST)
    assert (packed['data_samples'].gt_sem_seg.data[0].numpy() == truth).all()
    assert types(steps) == ['LoadImageFromFile'] + ['LoadAnnotations'] * (
        truth_size == 'resized') + [
        'GenerateSuperpixels', 'ResizeOwnSize', 'AttachSegmentMap'] + [
        'LoadAnnotations'] * (truth_size == 'own') + ['PackSegInputs']


@pytest.mark.parametrize('ratio', [0.73, 1.2])
def test_training(ratio, sample):
    """Padding has superpixels, too; they are of half the resolution."""
    image, truth, paths = sample
    steps = FINE_TUNING.train_dataloader.dataset.datasets[0].pipeline
    assert types(steps) == [
        'LoadImageFromFile', 'LoadAnnotations', 'RandomFlip',
        'ResizeOwnSize', 'Pad', 'RandomCrop', 'GenerateSuperpixels',
        'PackSegInputs']
    assert steps[3].ratio_range == (0.5, 1.5) and steps[2].prob == 0.5
    packed = run(steps, paths, RandomFlip=dict(prob=1.),
                 ResizeOwnSize=dict(ratio_range=(ratio, ratio)))
    inputs = packed['inputs'].numpy().transpose(1, 2, 0)
    found = packed['data_samples'].gt_sem_seg.data[0].numpy()
    assert inputs.shape == (512, 512, 4) and found.shape == (512, 512)
    # Flipped, sides truncated; then padded on the right and at the bottom.
    size = tuple(int(ratio * side) for side in truth.shape)
    expected = np.full((600, 600, 3), MEAN, np.float32)
    labels = np.full((600, 600), 255)
    expected[:size[0], :size[1]] = resize(
        image[:, ::-1].astype(np.float32), size, cv2.INTER_LINEAR)
    labels[:size[0], :size[1]] = resize(
        truth[:, ::-1], size, cv2.INTER_NEAREST)
    offsets = [(y, x) for y in range(max(size[0] - 512, 0) + 1)
               for x in range(max(size[1] - 512, 0) + 1)
               if (labels[y:y + 512, x:x + 512] == found).all()]
    (y, x), = offsets
    crop = inputs[..., :3]
    np.testing.assert_allclose(
        crop, expected[y:y + 512, x:x + 512], atol=1e-3)
    halved = resize(crop.astype(np.uint8), (256, 256), cv2.INTER_LINEAR)
    labels = seeds(halved).repeat(2, 0).repeat(2, 1)
    assert (inputs[..., 3] == labels).all() and labels.max() == 1023


@pytest.mark.parametrize('size', SIZES.values(), ids=str)
@pytest.mark.parametrize('config, grids', [
    (FINE_TUNING.model.backbone, [(64, 64)]),
    (RETRIEVAL.model.embedder.backbone, [(64, 64)]),
    (SEGMENTER.model.backbone, [])], ids=['fine-tuned', 'retrieval', 'deit'])
def test_positions(config, grids, size):
    """From 28 x 28 to 64 x 64, and from there to the pixels; not Segmenter."""
    options = dict(without_weights(config), type=CAST, arch=dict(
        embed_dims=48, depths=(1, ) * 4, num_heads=4))
    source = MODELS.build(dict(options, img_size=224))
    model = MODELS.build(options)
    model.load_state_dict(source.state_dict())
    for parameter in model.tokenizer.stem.parameters():
        torch.nn.init.zeros_(parameter)
    torch.manual_seed(0)
    labels = torch.randint(0, 9, (1, *size))
    tokens = model.tokenizer(torch.zeros(1, 3, *size), labels, 9).tokens[0]
    table = source.tokenizer.pos_embed[:, 1:].transpose(1, 2)
    table = table.unflatten(2, (28, 28))
    for grid in (*grids, size):
        table = F.interpolate(table, grid, mode='bicubic')
    expected = [table[0, :, labels[0] == i].mean(1) for i in range(9)]
    torch.testing.assert_close(
        tokens, torch.stack(expected), rtol=0, atol=5e-5)


@pytest.mark.parametrize('name', [
    'cast/cast-s_voc12aug-512x512', 'baselines/vit-conv-s_voc12aug-512x512'])
def test_head(name):
    """PyTorch's initialisation, no dropout, one bias."""
    cfg = load_config(ROOT / f'configs/{name}.py')
    head = MODELS.build(cfg.model.decode_head)
    torch.manual_seed(0)
    head.init_weights()
    found = dict(head.named_parameters())
    assert set(found) == {
        'convs.0.conv.weight', 'convs.0.bn.weight', 'convs.0.bn.bias',
        'conv_seg.weight', 'conv_seg.bias'}
    bound = 384**-0.5
    for key in ('convs.0.conv.weight', 'conv_seg.weight', 'conv_seg.bias'):
        values = found[key].detach()
        assert values.abs().max() <= bound, key
        assert values.std().item() == pytest.approx(
            bound / 3**0.5, rel=0.3 if 'bias' in key else 0.02), key
    assert head.dropout is None
