"""HSG's dataset configs: views of images with their over-segmentation."""

import numpy as np
import pytest
from helpers.configs import load_base
from mmcv.transforms import Compose

#: Crop, long and short side at a ratio of 1, images in a batch of a GPU.
BASES = dict(
    coco_hsg_224=(224, (640, 640), 16),
    coco_hsg_448=(448, (640, 640), 6),
    cityscapes_hsg_448=(448, (2048, 1024), 4),
    kitti_step_hsg_448=(448, (1242, 376), 4),
    part_whole_scenes_hsg=(96, (128, 128), 16))
#: Mean of ImageNet's images, BGR, rounded to integers.
PADDING = [104, 116, 124]


def views_of(cfg):
    views, = (one for one in cfg.train_dataloader.dataset.pipeline
              if one.type == 'mmpretrain.MultiView')
    assert views.num_views == 2
    pipeline, = views.transforms
    return pipeline


@pytest.mark.parametrize('name', BASES)
def test_settings_are_the_papers(name):
    cfg = load_base(name)
    crop, scale, batch_size = BASES[name]
    assert cfg.train_dataloader.batch_size == batch_size
    assert [one.type for one in cfg.test_evaluator
            ] == ['IoUMetric', 'mmhierseg.NFCovering']
    jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    view = {one.type.split('.')[-1]: one for one in views_of(cfg)}
    for kind, options in dict(
            RandomResize=dict(
                scale=scale, ratio_range=(0.5, 1.5), keep_ratio=True),
            RandomFlip=dict(prob=0.5),
            RandomCrop=dict(crop_size=(crop, crop)),
            Pad=dict(size=(crop, crop)),
            RandomApply=dict(
                prob=0.8,
                transforms=[dict(type='mmpretrain.ColorJitter', **jitter)]),
            RandomGrayscale=dict(prob=0.2)).items():
        assert dict(view[kind], **options) == view[kind]


@pytest.mark.parametrize('name', BASES)
def test_regions_stay_aligned_with_the_image(name):
    """Where a view shows a place, it has the region of that place."""
    view = views_of(load_base(name))
    colour_types = ('RandomApply', 'RandomGrayscale')
    colours = Compose([one for one in view if one.type in colour_types])
    geometry = Compose([one for one in view if one.type not in colour_types])
    rows, columns = np.mgrid[:60, :88]
    # Green and red tell the place, and so does the region.
    image = np.stack((rows * 0, columns * 2, rows * 3), 2).astype(np.uint8)
    regions = (rows // 10 * 10 + columns // 10).astype(np.int32)

    def run(pipeline):
        return pipeline(
            dict(
                img=image.copy(),
                img_shape=(60, 88),
                segment_map=regions.copy(),
                seg_fields=['segment_map']))

    np.random.seed(1)
    flips = set()
    for _ in range(8):
        found = run(geometry)['img']
        assert found.shape == (BASES[name][0], BASES[name][0], 4)
        blue, green, red, segments = np.moveaxis(found, 2, 0)
        inside = segments >= 0
        # Padding has the mean colour and no region.
        np.testing.assert_array_equal(inside, blue == 0)
        assert (found[~inside] == [*PADDING, -1]).all()
        # Interpolation blurs, by less than a pixel of the image.
        for place, first in ((red / 3, segments // 10 * 10),
                             (green / 2, segments % 10 * 10)):
            offsets = (place - first)[inside]
            assert offsets.min() > -1.5 and offsets.max() < 11.5
        row = green[0][inside[0]]
        flips.add(bool(row[0] > row[-1]))
    assert flips == {False, True}
    changed = 0
    for _ in range(20):
        found = run(colours)
        np.testing.assert_array_equal(found['segment_map'], regions)
        changed += bool((found['img'] != image).any())
    assert changed > 8
