import copy

import numpy as np
import pytest
import torch
from helpers.cast import DATA
from helpers.segments import random_segments
from mmengine.registry import init_default_scope
from torch import nn

from mmhierseg.models import SegmentMaskTransformerHead
from mmhierseg.models.heads import load_segmenter_weights
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

CLASSES = 5


@pytest.fixture(scope='module')
def golden():
    values = np.load(DATA / 'segmenter_mask_head.npz')
    weights = {
        key.removeprefix('weights/'): values[key]
        for key in values if key.startswith('weights/')
    }
    return values, weights


def golden_head(weights):
    """By default the head is that of the fixture."""
    head = SegmentMaskTransformerHead(64, num_classes=CLASSES)
    load_segmenter_weights(head, weights)
    return head.eval()


def small_head(**options):
    """Built by name, with options of MMSegmentation's heads."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmhierseg.SegmentMaskTransformerHead',
            in_channels=16,
            channels=16,
            num_classes=CLASSES,
            num_heads=2,
            loss_decode=dict(type='CrossEntropyLoss'),
            **options)).eval()


class TestGolden:
    """Values of the implementation of Segmenter's authors."""

    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
    def test_logits(self, golden, dtype):
        values, weights = golden
        head = golden_head(weights).to(dtype)
        tokens = torch.from_numpy(values['tokens']).to(dtype)
        labels = torch.from_numpy(values['superpixels']).long()
        # Tokens without a pixel take part, too.
        assert labels.max() < tokens.size(1) - 1
        result = head((SegmentTokens(tokens[:, 0], tokens, labels), ))
        expected = torch.from_numpy(values['logits']).to(dtype)
        assert result.shape == (2, CLASSES, 32, 48)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize('change, message', [
        (lambda w: w.pop('cls_emb'), r"missing: \['cls_emb'\]"),
        (lambda w: w.update(other=w['cls_emb']), r"unexpected: \['other'\]"),
        (lambda w: w.update(proj_patch=w['proj_patch'][:3]),
         r'patch_proj.weight: \(64, 3\) for \(64, 64\)'),
    ])
    def test_weights_that_do_not_match(self, golden, change, message):
        weights = dict(golden[1])
        change(weights)
        with pytest.raises(ValueError, match=message):
            golden_head(weights)


def test_empty_tokens_are_masked():
    head = small_head()
    segments = random_segments(empty=True)
    other = segments._replace(tokens=torch.where(
        segments.empty[..., None], 100., segments.tokens))
    assert torch.equal(head((segments, )), head((other, )))
    without = segments._replace(empty=None)
    assert not torch.allclose(head((segments, )), head((without, )))


def test_batch_independence():
    """An image gets empty tokens if another one has more segments."""
    head = small_head()
    segments = random_segments(empty=True)
    number = int((~segments.empty[0]).sum())
    alone = SegmentTokens(segments.cls_token[:1], segments.tokens[:1, :number],
                          segments.labels[:1], segments.empty[:1, :number])
    torch.testing.assert_close(
        head((segments, ))[:1], head((alone, )), rtol=1e-4, atol=1e-5)


def test_order_of_segments_does_not_matter():
    head = small_head().double()
    segments = random_segments(empty=True)
    order = torch.randperm(segments.tokens.size(1))
    place = torch.argsort(order)
    labels = torch.where(segments.labels < 0, -1,
                         place[segments.labels.clamp(min=0)])
    other = SegmentTokens(segments.cls_token,
                          segments.tokens[:, order].double(), labels,
                          segments.empty[:, order])
    segments = segments._replace(tokens=segments.tokens.double())
    torch.testing.assert_close(head((segments, )), head((other, )))


def test_mixed_precision_keeps_the_cosines_in_float32():
    head = small_head()
    segments = random_segments()
    with torch.autocast('cpu', torch.bfloat16):
        logits = head((segments, ))
    assert logits.dtype == torch.float32
    torch.testing.assert_close(
        logits, head((segments, )), rtol=0.1, atol=0.1)


def test_initialisation():
    """Segmenter's: N(0, 1/D) for the matrices behind the cosine."""
    head = SegmentMaskTransformerHead(256, 150)
    for values, std in ((head.classes_proj.weight, 1 / 16),
                        (head.dec_proj.weight, .02), (head.cls_emb, .02)):
        assert values.std().item() == pytest.approx(std, rel=0.05)
    assert head.layers[0].attn.num_heads == 4
    norms = [m for m in head.modules() if isinstance(m, nn.LayerNorm)]
    assert len(norms) == 6 and all(norm.eps == 1e-5 for norm in norms)
    before = copy.deepcopy(head.state_dict())
    head.init_weights()
    changed = {k for k, v in head.state_dict().items()
               if not torch.equal(v, before[k])}
    assert 'cls_emb' in changed and 'layers.1.mlp.layers.1.weight' in changed
    assert all(layer.attn.attn_drop_rate == 0.1 for layer in head.layers)
    with pytest.raises(ValueError, match=r'be `embed_dims` \(256\).*got 8'):
        SegmentMaskTransformerHead(256, CLASSES, channels=8)
