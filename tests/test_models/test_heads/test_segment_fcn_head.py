import pytest
import torch
from helpers.cast import random_inputs, tiny_cast
from helpers.segments import random_segments
from mmseg.models.decode_heads import FCNHead
from torch import nn

from mmhierseg.models import SegmentFCNHead

CLASSES = 5


def make_head(seed=0, **options):
    torch.manual_seed(seed)
    sizes = dict(in_channels=16, channels=12, num_classes=CLASSES)
    head = SegmentFCNHead(**{**sizes, **options})
    head.init_weights()
    for module in head.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return head.eval()


@pytest.mark.parametrize('size', [(64, 96), (60, 93)])
def test_equals_fcn_head_on_the_map_at_full_resolution(size):
    inputs = random_inputs(2, *size)
    inputs[1, 3, :, -9:] = -1
    backbone = tiny_cast(out_type='segments')
    at_pixels = tiny_cast(
        out_type='featmap', out_indices=('fused', ), featmap_stride=1)
    head = make_head(in_channels=48)
    other = FCNHead(
        kernel_size=1, num_convs=1, concat_input=False, in_channels=48,
        channels=12, num_classes=CLASSES, dropout_ratio=0,
        norm_cfg=dict(type='BN')).eval()
    other.load_state_dict(head.state_dict())
    expected = other(at_pixels(inputs))
    labelled = (inputs[:, 3:] >= 0).expand_as(expected)
    result = head(backbone(inputs))
    assert result.shape == (2, CLASSES, *size)
    torch.testing.assert_close(result[labelled], expected[labelled])


def test_statistics_are_over_segments_that_are_not_empty():
    head = make_head().train()
    segments = random_segments(empty=True)
    norm = head.convs[0].bn
    norm.momentum = 1.
    other = segments._replace(
        tokens=segments.tokens + 100 * segments.empty[..., None])
    logits = head.segment_logits(other)
    rows = segments.tokens[~segments.empty]
    rows = nn.functional.linear(rows, head.convs[0].conv.weight[..., 0, 0])
    torch.testing.assert_close(norm.running_mean, rows.mean(0))
    torch.testing.assert_close(norm.running_var, rows.var(0))
    assert logits.shape == (2, 6, CLASSES)
    assert not logits[segments.empty].any()


def test_an_image_without_any_segment():
    head = make_head()
    segments = random_segments()
    segments = segments._replace(
        labels=torch.full_like(segments.labels, -1),
        empty=torch.ones(2, 6, dtype=torch.bool))
    assert not head((segments, )).any()


def test_initialisation_and_options_are_those_of_mmseg():
    head = make_head(
        in_channels=64, channels=256, num_classes=150, ignore_index=7,
        norm_cfg=dict(type='SyncBN'))
    assert head.ignore_index == 7
    assert isinstance(head.convs[0].bn, nn.SyncBatchNorm)
    assert head.conv_seg.weight.std().item() == pytest.approx(.01, rel=0.05)
