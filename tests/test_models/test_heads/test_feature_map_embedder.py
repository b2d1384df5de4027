import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import nn

from mmhierseg.models import FeatureMapEmbedder

BACKBONES = {
    'vit': (dict(
        type='mmpretrain.MoCoV3ViT',
        arch=dict(
            embed_dims=48, num_layers=1, num_heads=4,
            feedforward_channels=32),
        img_size=64,
        patch_size=16,
        out_type='featmap'), 16, 48),
    'mmpretrain': (dict(type='mmpretrain.ResNet', depth=18), 32, 512),
    'mmseg': (dict(
        type='mmseg.ResNetV1c',
        depth=18,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4)), 8, 512),
}


class Maps(nn.Module):
    """Returns two feature maps, at an eighth and at a quarter of the size."""

    def forward(self, x):
        return (F.avg_pool2d(x, 8), F.avg_pool2d(x, 4))


@pytest.mark.parametrize('name', BACKBONES)
@torch.no_grad()
def test_backbones_of_both_packages(name):
    config, stride, channels = BACKBONES[name]
    model = MODELS.build(
        dict(type='mmhierseg.FeatureMapEmbedder', backbone=config)).eval()
    inputs = torch.randn(2, 3, 64, 96)
    embeddings, hierarchy, empty = model(inputs)
    number = (64 // stride) * (96 // stride)
    assert embeddings.shape == (2, number, channels) and empty is None
    torch.testing.assert_close(
        embeddings.norm(dim=2), torch.ones(2, number))
    features = F.normalize(model.backbone(inputs)[-1], dim=1)
    # Read off at the central pixel of each cell.
    labels = hierarchy.labels[:, stride // 2::stride, stride // 2::stride]
    assert hierarchy.num_levels == 1
    for i in range(2):
        torch.testing.assert_close(embeddings[i, labels[i]].permute(2, 0, 1),
                                   features[i])


def test_cells_of_sizes_that_do_not_divide():
    """Each pixel is in the cell that its centre lies in."""
    model = FeatureMapEmbedder(nn.AdaptiveAvgPool2d((3, 4)))
    labels = model(torch.randn(1, 5, 10, 14)).hierarchy.labels[0]
    for y in range(10):
        for x in range(14):
            row, column = int((y + .5) * 3 / 10), int((x + .5) * 4 / 14)
            assert labels[y, x] == 4 * row + column


def test_at_pixels():
    """Interpolated, then of unit length, as in HSG."""
    inputs = torch.randn(2, 5, 16, 24)
    model = FeatureMapEmbedder(Maps(), out_index=0, at='pixel')
    embeddings, hierarchy, _ = model(inputs)
    expected = F.normalize(
        F.interpolate(
            F.avg_pool2d(inputs, 8), (16, 24), mode='bilinear',
            align_corners=False), dim=1)
    torch.testing.assert_close(hierarchy.scatter(embeddings, 0), expected)


def test_index_and_neck():

    class Double(nn.Module):

        def forward(self, maps):
            return [torch.cat([x, x], dim=1) for x in maps]

    inputs = torch.randn(2, 5, 16, 24)
    shapes = [
        FeatureMapEmbedder(Maps(), Double(), i)(inputs).embeddings.shape
        for i in (0, 1, -1)
    ]
    assert shapes == [(2, 6, 10), (2, 24, 10), (2, 24, 10)]


def test_bad_input():
    with pytest.raises(ValueError, match="`at` must be .* got 'cell'"):
        FeatureMapEmbedder(Maps(), at='cell')
    inputs = torch.randn(1, 3, 64, 64)
    with pytest.raises(ValueError, match='the 2 outputs of Maps, got 2'):
        FeatureMapEmbedder(Maps(), out_index=2)(inputs)
    backbone = dict(BACKBONES['vit'][0], out_type='cls_token')
    with pytest.raises(TypeError, match="out_type='featmap'"):
        FeatureMapEmbedder(backbone)(inputs)
