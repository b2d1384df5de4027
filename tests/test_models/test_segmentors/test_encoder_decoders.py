"""EncoderDecoder without copies of logits, and with hierarchies."""

import pytest
import torch
import torch.nn.functional as F
from helpers.cast import TINY, random_inputs
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample

from mmhierseg.registry import MODELS, SUPERPIXELS

CONFIG = dict(
    backbone=dict(
        type='mmhierseg.CAST', out_type='featmap', out_indices=(3, ),
        featmap_stride=1, **TINY),
    decode_head=dict(
        type='mmseg.FCNHead', in_channels=48, in_index=0, channels=8,
        num_convs=1, concat_input=False, num_classes=5))
WHOLE = dict(mode='whole')
SLIDE = dict(mode='slide', crop_size=(48, 64), stride=(16, 32))
FLIP = dict(flip=True, flip_direction='horizontal')
#: Images are 64 x 80 pixels, padded by 16 columns.
PADDED = dict(
    img_shape=(64, 80), pad_shape=(64, 96), img_padding_size=(0, 16, 0, 0))


def predict(name, samples, test_cfg=WHOLE, **options):
    """A model, its inputs and predictions."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    config = {**CONFIG, 'type': name, 'test_cfg': test_cfg, **options}
    model = MODELS.build(ConfigDict(config)).eval()
    inputs = random_inputs(2, 64, 96)
    inputs[:, 3, :, -16:] = -1
    with torch.no_grad():
        return model, inputs, model(inputs, samples, 'predict')


def samples(*metas):
    return [
        SegDataSample(
            metainfo=dict(img_shape=(64, 96), pad_shape=(64, 96),
                          ori_shape=(64, 96), padding_size=[0] * 4) | meta)
        for meta in metas
    ]


def assert_same(got, expected):
    for one, other in zip(got, expected):
        assert one.metainfo == other.metainfo
        for name in ('seg_logits', 'pred_sem_seg'):
            assert torch.equal(getattr(one, name).data,
                               getattr(other, name).data)


@pytest.mark.parametrize('meta', [
    dict(), dict(ori_shape=(24, 31)), FLIP,
    dict(padding_size=[0, 4, 0, 8], ori_shape=(56, 92)),
    dict(img_padding_size=[0, 4, 0, 8], ori_shape=(64, 96)),
], ids=lambda meta: ' '.join(meta))
def test_lean_model_predicts_as_its_base_without_copies(meta):
    model, inputs, results = predict('mmhierseg.LeanEncoderDecoder',
                                     samples({}, meta))
    assert_same(results, predict('EncoderDecoder', samples({}, meta))[2])
    with torch.no_grad():
        logits = model.encode_decode(inputs, [s.metainfo for s in results])
        assert len(model(inputs, None, 'predict')) == 2
    results = model.postprocess_result(logits, samples({}, meta))
    assert meta or results[1].seg_logits.data.data_ptr() == (
        logits[1].data_ptr())


@pytest.mark.parametrize('meta', [
    dict(), dict(ori_shape=(32, 40), **PADDED | FLIP)])
@torch.no_grad()
def test_classes_are_resized_by_nearest_neighbour(meta):
    options = 'mmhierseg.LeanEncoderDecoder', samples(meta, meta)
    model, inputs, results = predict(
        *options, dict(WHOLE, resize_pred='nearest'))
    expected = model.encode_decode(
        inputs, [s.metainfo for s in results]).argmax(1)
    if meta:
        expected = expected[:, :, :80].flip(2)[:, 1::2, 1::2]
    assert torch.equal(torch.cat(
        [sample.pred_sem_seg.data for sample in results]), expected)
    # Logits are those of before, for averages over views.
    for one, other in zip(results, predict(*options)[2]):
        assert torch.equal(one.seg_logits.data, other.seg_logits.data)


@pytest.mark.parametrize('test_cfg', [WHOLE, SLIDE])
@torch.no_grad()
def test_hierarchy_is_that_of_the_backbone(test_cfg):
    """Two padded images: one was enlarged, the other mirrored."""
    metas = (dict(PADDED, ori_shape=(32, 40)),
             dict(PADDED, ori_shape=(64, 80), **FLIP))
    model, inputs, predictions = predict(
        'mmhierseg.HierarchyEncoderDecoder', samples(*metas), test_cfg)
    assert_same(predictions,
                predict('EncoderDecoder', samples(*metas), test_cfg)[2])
    small, mirrored = (sample.pred_hierarchy for sample in predictions)
    hierarchy = model.backbone.forward_hierarchy(inputs).hierarchy
    assert len(small.data) == len(mirrored.data) == hierarchy.num_levels == 5
    for level in range(5):
        expected = hierarchy.label_map(level)
        assert torch.equal(mirrored.data[level], expected[1, :, :80].flip(1))
        assert torch.equal(small.data[level], expected[0, 1::2, 1:80:2])
    for sample in model(inputs, mode='predict'):
        assert sample.pred_hierarchy.data.shape == (5, 64, 96)
        assert (sample.pred_hierarchy.data[:, :, -16:] == -1).all()


@pytest.mark.parametrize('height, width', [(40, 72), (24, 50)])
@torch.no_grad()
def test_windows_have_superpixels_of_their_own(height, width):
    """As of each window alone; images below a window are enlarged."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    seeds = dict(type='SEEDS', segment_size=8, num_iterations=2,
                 inverted=True)
    norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    model = MODELS.build(ConfigDict(
        type='mmhierseg.LeanEncoderDecoder',
        data_preprocessor=dict(
            type='mmhierseg.SuperpixelSegDataPreProcessor', bgr_to_rgb=True,
            test_maps=False, **norm),
        backbone=dict(type='mmhierseg.CAST', out_type='segments',
                      superpixels=seeds, **TINY),
        decode_head=dict(
            type='mmhierseg.SegmentMaskTransformerHead', in_channels=48,
            num_classes=5, num_layers=1),
        test_cfg=dict(mode='slide', crop_size=(32, 32), stride=(24, 24),
                      enlarge=True))).eval()
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    meta = dict(ori_shape=(35, 61), img_shape=(height, width))
    sample = model.test_step(
        dict(inputs=[image], data_samples=samples(meta)))[0]

    mean, std = (torch.tensor(v).view(3, 1, 1) for v in norm.values())
    rgb = (image.flip(0).float() - mean) / std
    if height < 32:
        rgb = F.interpolate(rgb[None], (32, int(width / height * 32)),
                            mode='bilinear')[0]
    rows = [0, 8] if height == 40 else [0]
    columns = [0, 24, 40] if height == 40 else [0, 24, 34]
    total, number = torch.zeros(5, *rgb.shape[1:]), torch.zeros(rgb.shape[1:])
    for top in rows:
        for left in columns:
            at = ..., slice(top, top + 32), slice(left, left + 32)
            window = rgb[at]
            levels = (window * std + mean).round().clamp(0, 255).byte()
            labels = SUPERPIXELS.build(seeds)(levels[None]).float()
            rgbs = torch.cat([window, labels])[None]
            total[at] += model.decode_head(model.backbone(rgbs))[0]
            number[at] += 1
    expected = F.interpolate((total / number)[None], (35, 61),
                             mode='bilinear')[0]
    torch.testing.assert_close(sample.seg_logits.data, expected, rtol=1e-4,
                               atol=1e-5)


@torch.no_grad()
def test_enlarged_images_keep_the_size_of_their_padding():
    model, inputs, _ = predict(
        'mmhierseg.LeanEncoderDecoder', samples({}, {}),
        dict(SLIDE, crop_size=(96, 96), enlarge=True))
    logits = model.slide_inference(
        inputs[:, :3], [dict(PADDED) for _ in inputs])
    assert logits.shape == (2, 5, 64, 96)


def test_backbone_without_hierarchy():
    with pytest.raises(TypeError, match='forward_hierarchy.* got ResNet'):
        predict('mmhierseg.HierarchyEncoderDecoder', None,
                backbone=dict(type='mmseg.ResNet', depth=18))
