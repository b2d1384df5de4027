"""Data preprocessors of classifiers, self-supervised models, segmentors."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from mmseg.models import SegDataPreProcessor
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
    assert not kind(superpixels=SLIC).state_dict()


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
def test_bad_inputs(kind, base, flag, bgr, rgbs):
    make = kind(superpixels=SLIC)
    cases = [
        (kind(**NORM), bgr,
         r'3 channels and `superpixels` is None.*'
         rf'{kind.__name__}\(superpixels=.*GenerateSuperpixels'),
        (make, rgbs, '4 channels.*`superpixels` is set as well. Remove one'),
        (make, torch.zeros(2, 5, 8, 9), r'got \[\(5, 8, 9\)'),
    ]
    if kind is not SuperpixelSelfSupDataPreprocessor:
        cases += [
            (make, [bgr[0].int(), rgbs[1]], 'the same for all images'),
            (make, [bgr], r'got \[\(2, 3, 40, 56'),
        ]
    for preprocessor, inputs, message in cases:
        with pytest.raises(ValueError, match=message):
            run(preprocessor, inputs)
    with pytest.raises(TypeError, match='`superpixels` must be a config'):
        kind(superpixels='TorchSLIC')


# ---------------------------------------------------------------- classifiers


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
    with pytest.raises(ValueError, match="dict\\(type='default_collate'\\)"):
        make(pseudo_collate([
            dict(data_samples=DataSample(), inputs=list(image))
            for image in zip(*views)
        ]))


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
