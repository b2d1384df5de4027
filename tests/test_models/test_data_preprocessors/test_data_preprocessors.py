"""Data preprocessors of classifiers, self-supervised models, segmentors."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from mmseg.models import EncoderDecoder, SegDataPreProcessor
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.structures import SegDataSample

from mmhierseg.models import (
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from mmhierseg.superpixels import TorchSLIC

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
SLIC = dict(type='TorchSLIC', segment_size=8)
SIZES = [(40, 56), (17, 33), (40, 20), (17, 33)]
each = pytest.mark.parametrize('kind, base, flag', [
    (SuperpixelClsDataPreprocessor, ClsDataPreprocessor, 'to_rgb'),
    (SuperpixelSelfSupDataPreprocessor, SelfSupDataPreprocessor, 'to_rgb'),
    (SuperpixelSegDataPreProcessor, SegDataPreProcessor, 'bgr_to_rgb'),
])


def run(preprocessor, inputs):
    return preprocessor(dict(inputs=inputs, data_samples=None))['inputs']


def slic(rgb):
    return TorchSLIC(segment_size=8)(rgb).float()


def cut(images):
    return [images[i % 2, :, :h, :w] for i, (h, w) in enumerate(SIZES)]


def seg_samples(sizes):
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=torch.ones(1, *size).long()))
        for size in sizes
    ]


@each
@pytest.mark.parametrize('dtype', [torch.int32, torch.float32])
def test_map_from_pipeline(kind, base, flag, bgr, maps, rgbs, dtype):
    options, inputs = {**NORM, flag: True}, rgbs.to(dtype)
    before = inputs.clone()
    found = run(kind(**options), inputs)
    assert found.shape == (2, 4, 40, 56) and found.dtype == torch.float32
    # Labels up to 2^24 - 1 are exact.
    assert found[:, 3].long().equal(maps.long())
    assert found[:, :3].equal(run(base(**options), bgr))
    assert inputs.equal(before)


@each
@pytest.mark.parametrize('norm', [NORM, {}])
def test_superpixels_of_rgb_pixels(kind, base, flag, bgr, norm):
    options, expected = {**norm, flag: True}, slic(bgr.flip(1))
    found = run(kind(superpixels=SLIC, **options), bgr)
    assert found[:, 3].equal(expected)
    assert found[:, :3].equal(run(base(**options), bgr))
    # Without conversion, images are RGB.
    found = run(kind(superpixels=SLIC, **norm), bgr.flip(1))
    assert found[:, 3].equal(expected)
    if kind is not SuperpixelClsDataPreprocessor:
        # Also if the model takes BGR.
        found = run(
            kind(superpixels=SLIC, rgb_to_bgr=True, **norm), bgr.flip(1))
        assert found[:, 3].equal(expected)


@each
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_no_half_precision(kind, base, flag, bgr, rgbs, maps, dtype):
    carry, make = kind(**NORM), kind(superpixels=SLIC, **NORM)
    expected = run(make, bgr)
    with torch.autocast('cpu', dtype=dtype):
        assert run(carry, rgbs)[:, 3].long().equal(maps.long())
        assert run(make, bgr).equal(expected)
    found = run(carry.to(dtype), rgbs)
    assert found.dtype == torch.float32
    assert found[:, 3].long().equal(maps.long())


@each
@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg'])
def test_builds_by_its_scoped_name(kind, base, flag, scope):
    config = dict(type=f'mmhierseg.{kind.__name__}', superpixels=SLIC)
    with DefaultScope.overwrite_default_scope(scope):
        preprocessor = MMENGINE_MODELS.build(config)
    assert type(preprocessor) is kind and isinstance(preprocessor, base)
    assert isinstance(preprocessor.superpixels, TorchSLIC)
    assert not preprocessor.state_dict()


@each
def test_bad_inputs(kind, base, flag, bgr, rgbs):
    make = kind(superpixels=SLIC)
    cases = [
        (kind(**NORM), bgr, ValueError,
         r'3 channels and `superpixels` is None.*'
         rf'{kind.__name__}\(superpixels=.*GenerateSuperpixels'),
        (make, rgbs, ValueError,
         '4 channels.*`superpixels` is set as well. Remove one'),
        (make, torch.zeros(2, 5, 8, 9), ValueError, r'got \[\(2, 5, 8, 9\)'),
    ]
    if kind is not SuperpixelSelfSupDataPreprocessor:
        cases += [
            (make, ['a.jpg'], TypeError, '`inputs` must be a tensor .* or'),
            (make, [], TypeError, '`inputs` must be a tensor .* or'),
            (make, [bgr[0].int(), rgbs[1]], ValueError,
             'the same for all images'),
            (make, [bgr], ValueError, r'got \[\(2, 3, 40, 56'),
            (make, bgr[0], ValueError, r'got \[\(3, 40, 56\)'),
        ]
    for preprocessor, inputs, error, message in cases:
        with pytest.raises(error, match=message):
            run(preprocessor, inputs)
    with pytest.raises(TypeError, match='`superpixels` must be a config'):
        kind(superpixels='TorchSLIC')


# ---------------------------------------------------------------- classifiers


def test_padding_to_a_divisor(bgr, maps, rgbs):
    carry = SuperpixelClsDataPreprocessor(pad_size_divisor=32, pad_value=5)
    make = SuperpixelClsDataPreprocessor(
        pad_size_divisor=32, to_rgb=True, superpixels=SLIC, **NORM)
    carried, made = run(carry, rgbs), run(make, bgr)
    assert carried.shape == (2, 4, 64, 64)
    assert (carried[:, :3, 40:] == 5).all()
    for found, expected in ((carried, maps.float()),
                            (made, slic(bgr.flip(1)))):
        padded = torch.full((2, 64, 64), -1.)
        padded[:, :40, :56] = expected
        assert found[:, 3].equal(padded)


def test_images_of_several_sizes(bgr, rgbs, monkeypatch):
    """Each as if it were alone, but with one call for each size."""
    make = SuperpixelClsDataPreprocessor(
        to_rgb=True, superpixels=SLIC, **NORM)
    shapes, method = [], TorchSLIC.__call__
    with monkeypatch.context() as patch:
        patch.setattr(
            TorchSLIC, '__call__', lambda self, images:
            (shapes.append(tuple(images.shape)), method(self, images))[1])
        made = run(make, cut(bgr))
    assert sorted(shapes) == [(1, 3, 40, 20), (1, 3, 40, 56), (2, 3, 17, 33)]
    carried = run(SuperpixelClsDataPreprocessor(**NORM), cut(rgbs))
    assert made.shape == carried.shape == (4, 4, 40, 56)
    for i, (height, width) in enumerate(SIZES):
        alone = run(make, [cut(bgr)[i]])[0]
        assert made[i, :, :height, :width].equal(alone)
        labels = cut(rgbs)[i][3].float()
        assert carried[i, 3, :height, :width].equal(labels)
        for found in (made[i], carried[i]):
            assert (found[3, height:] == -1).all()
            assert (found[3, :, width:] == -1).all()


@pytest.mark.parametrize('augment', ['Mixup', 'CutMix'])
def test_superpixels_of_the_mixed_image(bgr, rgbs, maps, augment):
    options = dict(
        to_rgb=True,
        num_classes=3,
        batch_augments=dict(augments=[dict(type=augment, alpha=1.)]),
        **NORM)
    samples = [DataSample().set_gt_label(label) for label in (0, 2)]
    make = SuperpixelClsDataPreprocessor(superpixels=SLIC, **options)
    np.random.seed(1)
    torch.manual_seed(1)
    found = make(dict(inputs=bgr, data_samples=samples), training=True)
    inputs, scores = found['inputs'], found['data_samples'][0].gt_score
    assert scores[0] > 0 and scores[2] > 0
    mean, std = (torch.tensor(NORM[key]).view(3, 1, 1)
                 for key in ('mean', 'std'))
    mixed = inputs[:, :3] * std + mean
    assert not torch.allclose(mixed, bgr.flip(1).float(), atol=1)
    assert inputs[:, 3].equal(slic(mixed))
    # Quirk: those of the pipeline belong to the image before mixing.
    carry = SuperpixelClsDataPreprocessor(**options)
    found = carry(dict(inputs=rgbs, data_samples=samples), training=True)
    assert found['inputs'][:, 3].long().equal(maps.long())


# ------------------------------------------------------ self-supervised models


def test_views(bgr, rgbs, maps):
    views = [bgr, bgr[:, :, :24, :32].flip(3)]
    make = SuperpixelSelfSupDataPreprocessor(
        to_rgb=True, superpixels=SLIC, **NORM)
    for view, found in zip(views, run(make, views), strict=True):
        assert found.equal(run(make, view))
        assert found[:, 3].equal(slic(view.flip(1)))
    found = run(SuperpixelSelfSupDataPreprocessor(**NORM),
                [rgbs, rgbs.flip(3)])
    assert found[0][:, 3].long().equal(maps.long())
    assert found[1][:, 3].long().equal(maps.flip(2).long())


def test_collated_views(bgr):
    packed = [
        dict(data_samples=DataSample(), inputs=[image, image.flip(2)])
        for image in bgr
    ]
    make = SuperpixelSelfSupDataPreprocessor(superpixels=SLIC)
    found = make(default_collate(packed))
    assert [view.shape for view in found['inputs']] == [(2, 4, 40, 56)] * 2
    assert len(found['data_samples']) == 2
    with pytest.raises(ValueError, match="dict\\(type='default_collate'\\)"):
        make(pseudo_collate(packed))


# ----------------------------------------------------------------- segmentors


@pytest.mark.parametrize('training, padding, padded', [
    (True, dict(size=(64, 72)), (64, 72)),
    (True, dict(size_divisor=32), (64, 64)),
    (False, dict(), (40, 56)),
    (False, dict(test_cfg=dict(size_divisor=32)), (64, 64)),
    (False, dict(test_cfg=dict(size=(48, 80))), (48, 80)),
])
def test_segmentation(bgr, rgbs, training, padding, padded):
    sizes = SIZES if training else SIZES[:1]
    options = dict(bgr_to_rgb=True, pad_val=3, **NORM, **padding)
    base, carried, made = (
        kind(dict(inputs=cut(inputs)[:len(sizes)],
                  data_samples=seg_samples(sizes)), training)
        for kind, inputs in (
            (SegDataPreProcessor(**options), bgr),
            (SuperpixelSegDataPreProcessor(**options), rgbs),
            (SuperpixelSegDataPreProcessor(superpixels=SLIC, **options), bgr)))
    for found in (made, carried):
        assert found['inputs'].shape == (len(sizes), 4, *padded)
        assert found['inputs'][:, :3].equal(base['inputs'])
        for sample, expected in zip(found['data_samples'],
                                    base['data_samples']):
            assert sample.gt_sem_seg.data.equal(expected.gt_sem_seg.data)
            assert sample.metainfo == expected.metainfo
        for i, (height, width) in enumerate(sizes):
            assert (found['inputs'][i, 3, height:] == -1).all()
            assert (found['inputs'][i, 3, :, width:] == -1).all()
    for i, (height, width) in enumerate(sizes):
        alone = slic(cut(bgr)[i][None].flip(1))[0]
        assert made['inputs'][i, 3, :height, :width].equal(alone)
        labels = cut(rgbs)[i][3].float()
        assert carried['inputs'][i, 3, :height, :width].equal(labels)


def test_segment_map_passes_an_unchanged_segmentor(bgr, monkeypatch):
    """Training and sliding inference of EncoderDecoder."""
    seen = []

    class Backbone(torch.nn.Module):

        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 1)

        def forward(self, inputs):
            seen.append(inputs)
            return (self.conv(inputs[:, :3]), )

    monkeypatch.setitem(MMSEG_MODELS.module_dict, 'RGBSProbe', Backbone)
    model = EncoderDecoder(
        backbone=dict(type='RGBSProbe'),
        decode_head=dict(
            type='FCNHead', in_channels=4, channels=4, num_convs=0,
            concat_input=False, in_index=0, num_classes=3),
        data_preprocessor=dict(
            type='mmhierseg.SuperpixelSegDataPreProcessor',
            superpixels=SLIC,
            size=(48, 64)),
        train_cfg=ConfigDict(),
        test_cfg=ConfigDict(
            mode='slide', crop_size=(24, 32), stride=(16, 24)))
    data = dict(inputs=list(bgr), data_samples=seg_samples([(40, 56)] * 2))
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert torch.isfinite(losses['decode.loss_ce'])
    expected = slic(bgr)
    assert seen[0][:, 3, :40, :56].equal(expected)

    sample = SegDataSample(
        metainfo=dict(
            img_shape=(40, 56), ori_shape=(40, 56), pad_shape=(40, 56)))
    model.eval().test_step(dict(inputs=[bgr[0]], data_samples=[sample]))
    windows = seen[1:]
    assert all(window.shape == (1, 4, 24, 32) for window in windows)
    assert windows[0][0, 3].equal(expected[0, :24, :32])
    assert windows[-1][0, 3].equal(expected[0, -24:, -32:])
