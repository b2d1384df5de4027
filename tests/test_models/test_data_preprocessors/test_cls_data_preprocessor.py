import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmhierseg.models.data_preprocessors import SuperpixelClsDataPreprocessor
from mmhierseg.superpixels import TorchSLIC

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
SLIC = dict(type='TorchSLIC', segment_size=8)


def samples(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('stacked', [True, False])
def test_padding_to_a_divisor(bgr, maps, rgbs, stacked):
    carry = SuperpixelClsDataPreprocessor(pad_size_divisor=32, pad_value=5)
    found = carry(dict(inputs=rgbs if stacked else list(rgbs)))['inputs']
    assert found.shape == (2, 4, 64, 64)
    assert found[:, 3, :40, :56].long().equal(maps.long())
    assert (found[:, 3, 40:] == -1).all() and (found[:, 3, :, 56:] == -1).all()
    assert (found[:, :3, 40:] == 5).all()

    make = SuperpixelClsDataPreprocessor(
        pad_size_divisor=32, to_rgb=True, superpixels=SLIC, **NORM)
    found = make(dict(inputs=bgr if stacked else list(bgr)))['inputs']
    expected = TorchSLIC(segment_size=8)(bgr.flip(1)).float()
    assert found[:, 3, :40, :56].equal(expected)
    assert (found[:, 3, 40:] == -1).all() and (found[:, 3, :, 56:] == -1).all()


def test_images_of_several_sizes(bgr, rgbs):
    sizes = [(40, 56), (17, 33), (40, 20), (17, 33)]
    images = [bgr[i % 2, :, :h, :w] for i, (h, w) in enumerate(sizes)]
    make = SuperpixelClsDataPreprocessor(
        to_rgb=True, superpixels=SLIC, **NORM)
    found = make(dict(inputs=images))['inputs']
    assert found.shape == (4, 4, 40, 56)
    for image, both, (height, width) in zip(images, found, sizes):
        alone = make(dict(inputs=[image]))['inputs'][0]
        assert both[:, :height, :width].equal(alone)
        assert (both[3, height:] == -1).all()
        assert (both[3, :, width:] == -1).all()

    carry = SuperpixelClsDataPreprocessor(**NORM)
    images = [rgbs[i % 2, :, :h, :w] for i, (h, w) in enumerate(sizes)]
    found = carry(dict(inputs=images))['inputs']
    for image, both, (height, width) in zip(images, found, sizes):
        assert both[3, :height, :width].long().equal(image[3].long())
        assert (both[3] == -1).sum() == 40 * 56 - height * width + (
            image[3] == -1).sum()


def test_one_call_for_all_images_of_a_size(bgr, monkeypatch):
    make = SuperpixelClsDataPreprocessor(superpixels=SLIC)
    shapes = []
    method = type(make.superpixels).__call__
    monkeypatch.setattr(
        type(make.superpixels), '__call__', lambda self, images:
        (shapes.append(tuple(images.shape)), method(self, images))[1])
    make(dict(inputs=[*bgr, bgr[0, :, :20], *bgr]))
    assert sorted(shapes) == [(1, 3, 20, 56), (4, 3, 40, 56)]


@pytest.mark.parametrize('augment', ['Mixup', 'CutMix'])
def test_superpixels_of_the_mixed_image(bgr, rgbs, maps, augment):
    options = dict(
        to_rgb=True,
        num_classes=3,
        batch_augments=dict(augments=[dict(type=augment, alpha=1.)]),
        **NORM)
    make = SuperpixelClsDataPreprocessor(superpixels=SLIC, **options)
    np.random.seed(1)
    torch.manual_seed(1)
    found = make(
        dict(inputs=bgr, data_samples=samples(0, 2)), training=True)
    inputs, scores = found['inputs'], found['data_samples'][0].gt_score
    assert scores[0] > 0 and scores[2] > 0
    mean, std = (torch.tensor(NORM[key]).view(3, 1, 1)
                 for key in ('mean', 'std'))
    mixed = inputs[:, :3] * std + mean
    assert not torch.allclose(mixed, bgr.flip(1).float(), atol=1)
    assert inputs[:, 3].equal(TorchSLIC(segment_size=8)(mixed).float())

    # Quirk: those of the pipeline belong to the image before mixing.
    carry = SuperpixelClsDataPreprocessor(**options)
    found = carry(
        dict(inputs=rgbs, data_samples=samples(0, 2)), training=True)
    assert found['inputs'][:, 3].long().equal(maps.long())


def test_labels_pass_through(bgr):
    make = SuperpixelClsDataPreprocessor(
        superpixels=SLIC, to_onehot=True, num_classes=4)
    found = make(dict(inputs=bgr, data_samples=samples(1, 3)))['data_samples']
    assert [int(sample.gt_label) for sample in found] == [1, 3]
    assert found[1].gt_score.tolist() == [0, 0, 0, 1]
    assert make(dict(inputs=bgr))['data_samples'] is None
