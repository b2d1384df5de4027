import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.cast import random_inputs, tiny_cast
from helpers.configs import ROOT, load_config
from helpers.moco import tiny_moco
from mmengine.registry import MODELS
from torch import nn

from mmhierseg.apis import HierarchyInferencer
from mmhierseg.models import FeatureMapEmbedder, SegmentEmbedder
from mmhierseg.ops import kmeans_hierarchy

NECK = dict(
    type='mmpretrain.NonLinearNeck', in_channels=48, hid_channels=32,
    out_channels=16, num_layers=2, with_bias=False, with_last_bn=True,
    with_last_bn_affine=False, with_last_bias=False, with_avg_pool=False,
    norm_cfg=dict(type='BN1d'))
VIT = dict(
    type='mmpretrain.MoCoV3ViT', img_size=64, patch_size=16,
    out_type='featmap',
    arch=dict(embed_dims=48, num_layers=1, num_heads=4,
              feedforward_channels=32))
RESNET = dict(type='mmseg.ResNetV1c', depth=18, strides=(1, 2, 1, 1),
              dilations=(1, 1, 2, 4))


def make_embedder(seed=0):
    torch.manual_seed(seed)
    return SegmentEmbedder(tiny_cast(out_type='segments'), NECK).eval()


def test_embeddings_are_normalised_projections_of_tokens():
    """Zero for empty segments, of the image with fewer of them."""
    model = make_embedder()
    inputs = random_inputs()
    inputs[0, 3].clamp_(max=5)
    result = model(inputs)
    segments, = model.backbone(inputs)
    assert torch.equal(result.empty, segments.empty) and result.empty.any()
    tokens = segments.tokens
    rows, = model.neck((tokens.flatten(0, 1), ))
    expected = F.normalize(rows.view(*tokens.shape[:2], 16), dim=2)
    torch.testing.assert_close(
        result.embeddings, expected.masked_fill(segments.empty[..., None], 0))
    assert torch.equal(result.hierarchy.labels, segments.labels)
    assert result.hierarchy.num_levels == 5
    torch.testing.assert_close(
        model(inputs[:1]).embeddings[0], result.embeddings[0, :6],
        rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('prefixes', [
    ('backbone.', 'neck.'),
    ('momentum_encoder.module.0.', 'momentum_encoder.module.1.')
])
def test_loads_a_checkpoint_of_pretraining(tmp_path, prefixes):
    """The trained encoder, or the momentum encoder."""
    moco = tiny_moco(out_type='avg_segments')
    with torch.no_grad():
        for parameter in moco.momentum_encoder.parameters():
            parameter.add_(1)
    weights = moco.state_dict()
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(dict(state_dict=weights, meta={}), path)
    embedder = make_embedder(seed=1)
    pretrained = dict(type='Pretrained', checkpoint=path)
    parts = embedder.backbone, embedder.neck
    if prefixes[0] == 'backbone.':
        embedder.init_cfg = pretrained
    else:
        for part, prefix in zip(parts, prefixes):
            part.init_cfg = dict(pretrained, prefix=prefix)
    embedder.init_weights()
    for part, prefix in zip(parts, prefixes):
        for name, value in part.state_dict().items():
            assert torch.equal(value, weights[prefix + name]), name


@pytest.mark.parametrize('config, stride', [(VIT, 16), (RESNET, 8)])
@torch.no_grad()
def test_backbones_of_both_packages(config, stride):
    model = MODELS.build(
        dict(type='mmhierseg.FeatureMapEmbedder', backbone=config)).eval()
    inputs = torch.randn(2, 3, 64, 96)
    embeddings, hierarchy, empty = model(inputs)
    features = F.normalize(model.backbone(inputs)[-1], dim=1)
    assert empty is None and hierarchy.num_levels == 1
    # Read off at the central pixel of each cell.
    half = stride // 2
    torch.testing.assert_close(
        hierarchy.scatter(embeddings, 0)[:, :, half::stride, half::stride],
        features)


def test_cells_of_sizes_that_do_not_divide():
    """Each pixel is in the cell that its centre lies in."""
    model = FeatureMapEmbedder(nn.AdaptiveAvgPool2d((3, 4)))
    labels = model(torch.randn(1, 5, 10, 14)).hierarchy.labels[0]
    for y in range(10):
        for x in range(14):
            row, column = int((y + .5) * 3 / 10), int((x + .5) * 4 / 14)
            assert labels[y, x] == 4 * row + column


def test_patches_are_whole():
    """Of a resized image; pixels are in the cells that cover them."""
    seen = []

    def backbone(images):
        seen.append(tuple(images.shape[2:]))
        return F.avg_pool2d(images, 4)

    model = FeatureMapEmbedder(nn.AvgPool2d(4), size_divisor=4)
    model.backbone.forward = backbone
    labels = model(torch.randn(1, 5, 9, 15)).hierarchy.labels[0]
    assert seen == [(8, 16)]
    for y in range(9):
        for x in range(15):
            row, column = int((y + .5) * 2 / 9), int((x + .5) * 4 / 15)
            assert labels[y, x] == 4 * row + column
    model(torch.randn(1, 5, 1, 8))  # one patch at least
    model.size_divisor = 1
    model(torch.randn(1, 5, 9, 15))
    assert seen[1:] == [(4, 8), (9, 15)]
    with pytest.raises(ValueError, match='`size_divisor` must be at least 1'):
        FeatureMapEmbedder(nn.Identity(), size_divisor=0)


def test_at_pixels_behind_a_neck():
    """Interpolated, then of unit length, as in HSG."""
    inputs = torch.randn(2, 5, 16, 24)
    model = FeatureMapEmbedder(
        nn.AvgPool2d(4), nn.AvgPool2d(2), at='pixel')
    embeddings, hierarchy, _ = model(inputs)
    expected = F.interpolate(F.avg_pool2d(inputs, 8), (16, 24),
                             mode='bilinear', align_corners=False)
    torch.testing.assert_close(
        hierarchy.scatter(embeddings, 0), F.normalize(expected, dim=1))


def test_bad_input():
    with pytest.raises(ValueError, match="out_type='segments', got 'featmap'"):
        SegmentEmbedder(tiny_cast(out_type='featmap'), NECK)
    with pytest.raises(ValueError, match="`at` must be .* got 'cell'"):
        FeatureMapEmbedder(nn.Identity(), at='cell')
    with pytest.raises(TypeError, match="out_type='featmap'"):
        FeatureMapEmbedder(dict(VIT, out_type='cls_token'))(
            torch.randn(1, 3, 64, 64))


@torch.no_grad()
def test_hierarchy_of_a_vit(tmp_path):
    """Of patch tokens before the last norm, interpolated to the pixels."""
    cfg = load_config(
        ROOT / 'configs/baselines/vit-conv-b_hierarchy_part-imagenet.py')
    settings = cfg.model
    assert (settings.num_clusters, settings.num_iterations) == (
        (64, 32, 16, 8), 30)
    assert settings.backbone.arch == 'base'
    settings.backbone.arch = dict(VIT['arch'])
    settings.update(num_clusters=(12, 6, 3, 2), num_iterations=4)
    built = {k: v for k, v in settings.items() if k != 'data_preprocessor'}
    model = MODELS.build(dict(built, init_cfg=None)).eval()
    model.backbone.init_weights()
    path = tmp_path / 'model.pth'
    # As in pre-training: with the last norm and a projector.
    torch.save(dict(state_dict={
        **model.state_dict(), 'backbone.ln1.weight': torch.ones(48),
        'neck.fc0.weight': torch.ones(1)}, meta={}), path)
    image = np.random.default_rng(0).integers(
        0, 256, (224, 224, 3), dtype=np.uint8)
    inferencer = HierarchyInferencer(cfg, str(path), 'cpu')
    prediction, = inferencer(image, return_vis=False)['predictions']

    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1).float()
    mean, std = (torch.tensor(settings.data_preprocessor[k]).view(3, 1, 1)
                 for k in ('mean', 'std'))
    tokens, size = model.backbone.patch_embed(((rgb - mean) / std)[None])
    x = torch.cat([model.backbone.cls_token, tokens], dim=1)
    x = model.backbone.layers[0](x + model.backbone.pos_embed)[:, 1:]
    assert size == (14, 14)
    pixels = F.interpolate(x.transpose(1, 2).unflatten(2, size), (224, 224),
                           mode='bilinear').flatten(2).transpose(1, 2)
    labels, parents = kmeans_hierarchy(pixels, (12, 6, 3, 2), 4)
    assert len(prediction['label_maps']) == 4
    for found in prediction['label_maps']:
        agrees = found.ravel() == labels[0].numpy()
        assert agrees.mean() > 0.99  # k-means amplifies rounding errors
        labels = parents.pop(0)[0][labels] if parents else labels
