"""HSG's dataset configs: views of images with their over-segmentation."""

import numpy as np
import pytest
from helpers.configs import load_base
from mmcv.transforms import Compose

from mmhierseg.datasets.transforms import ResizeOwnSize, Truncate

#: Crop, images in a batch of a GPU.
BASES = dict(
    coco_hsg_224=(224, 16),
    coco_hsg_448=(448, 6),
    cityscapes_hsg_448=(448, 4),
    kitti_step_hsg_448=(448, 4),
    coco_stuff_hsg_224=(224, 16),
    coco_stuff_hsg_448=(448, 6),
    potsdam_hsg_224=(224, 16),
    potsdam_hsg_448=(448, 6),
    part_whole_scenes_hsg=(96, 16))
#: In the authors' order: of the region map, too, up to the truncation.
ORDER = [
    'mmseg.RandomFlip', 'mmhierseg.ResizeOwnSize', 'mmhierseg.PadSegmentMap',
    'mmseg.RandomCrop', 'mmhierseg.Truncate', 'mmpretrain.NumpyToPIL',
    'RandomApply', 'mmpretrain.torchvision/RandomGrayscale',
    'mmpretrain.PILToNumpy', 'mmhierseg.AttachSegmentMap'
]
#: Mean of ImageNet's images, BGR, truncated to integers.
PADDING = [103, 116, 123]


def views_of(cfg):
    views, = (one for one in cfg.train_dataloader.dataset.pipeline
              if one.type == 'mmpretrain.MultiView')
    assert views.num_views == 2
    pipeline, = views.transforms
    return pipeline


@pytest.mark.parametrize('name', BASES)
def test_settings_are_the_papers(name):
    cfg = load_base(name)
    crop, batch_size = BASES[name]
    assert cfg.train_dataloader.batch_size == batch_size
    assert [one.type for one in cfg.test_evaluator
            ] == ['IoUMetric', 'mmhierseg.NFCovering']
    load = cfg.train_dataloader.dataset.pipeline[0]
    assert load.get('to_float32') or 'scenes' in name
    views = views_of(cfg)
    assert [one.type for one in views] == ORDER
    jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    for place, options in {
        0: dict(prob=0.5), 1: dict(ratio_range=(0.5, 1.5)),
        2: dict(size=(crop, crop),
                pad_val=dict(img=(103.53, 116.28, 123.675))),
        3: dict(crop_size=(crop, crop)),
        6: dict(prob=0.8, transforms=[
            dict(type='mmpretrain.torchvision/ColorJitter', **jitter)]),
        7: dict(p=0.2)
    }.items():
        assert views[place] == dict(type=ORDER[place], **options)


@pytest.mark.parametrize('name', BASES)
def test_regions_stay_aligned_with_the_image(name):
    """Where a view shows a place, it has the region of that place."""
    view = views_of(load_base(name))
    colours = Compose(view[5:9])
    geometry = Compose([*view[:5], view[9]])
    rows, columns = np.mgrid[:60, :88]
    # Green and red tell the place, and so does the region.
    image = np.stack((rows * 0, columns * 2, rows * 3), 2).astype(np.float32)
    # 255 is a region, and there are more than 256.
    regions = (rows // 10 * 10 + columns // 10 + 250).astype(np.int32)

    def run(pipeline):
        return pipeline(
            dict(
                img=image.copy(),
                img_shape=(60, 88),
                segment_map=regions.copy(),
                seg_fields=['segment_map']))

    np.random.seed(0)
    flips = set()
    for _ in range(8):
        found = run(geometry)['img']
        assert found.shape == (BASES[name][0], BASES[name][0], 4)
        blue, green, red, segments = np.moveaxis(found, 2, 0)
        inside = segments >= 0
        segments = segments - 250
        # Padding has the mean colour and no region.
        np.testing.assert_array_equal(inside, blue == 0)
        assert (found[~inside] == [*PADDING, -1]).all()
        # Interpolation blurs, by less than a pixel of the image; truncation
        # moves by half a pixel at most.
        for place, first in ((red / 3, segments // 10 * 10),
                             (green / 2, segments % 10 * 10)):
            offsets = (place - first)[inside]
            assert offsets.min() > -2 and offsets.max() < 11.5
        row = green[0][inside[0]]
        flips.add(bool(row[0] > row[-1]))
    assert flips == {False, True}
    changed = 0
    image = image.astype(np.uint8)
    for _ in range(20):
        found = run(colours)
        np.testing.assert_array_equal(found['segment_map'], regions)
        changed += bool((found['img'] != image).any())
    assert changed > 8


@pytest.mark.parametrize('size, ratio, expected', [
    ((375, 500), None, (384, 512)), ((500, 333), None, (512, 340)),
    ((1, 600), None, (1, 512)),
    ((7, 9), 1.49, (10, 13)), ((9, 7), 0.5, (4, 3))])
def test_resized_sides_are_truncated(size, ratio, expected):
    options = dict(longer_side=512) if ratio is None else dict(
        ratio_range=(ratio, ratio))
    results = ResizeOwnSize(**options)(dict(
        img=np.zeros((*size, 3), np.float32), segment_map=np.zeros(size, int),
        seg_fields=['segment_map']))
    assert results['img'].shape == (*expected, 3)
    assert results['segment_map'].shape == results['img_shape'] == expected
    with pytest.raises(ValueError, match='must be given, got None and None'):
        ResizeOwnSize()


def test_truncation():
    image = np.array([[[-1., .99, 103.53], [254.9, 255., 256.]]], np.float32)
    assert Truncate()(dict(img=image))['img'].tolist() == [
        [[0, 0, 103], [254, 255, 255]]]
