"""HSG's dataset configs: views of images with their over-segmentation."""

import numpy as np
import pytest
from helpers.configs import ROOT
from helpers.oversegmentation_data import make_oversegmentation_data
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

#: Crop, long and short side at a ratio of 1, images in a batch of a GPU.
BASES = dict(
    coco_hsg_224=(224, (640, 640), 16),
    coco_hsg_448=(448, (640, 640), 6),
    cityscapes_hsg_448=(448, (2048, 1024), 4),
    kitti_step_hsg_448=(448, (1242, 376), 4),
    part_whole_scenes_hsg=(96, (128, 128), 16))
#: Mean of ImageNet's images, BGR, rounded to integers.
PADDING = [104, 116, 124]


def load_base(name, scope='mmseg'):
    cfg = Config.fromfile(str(ROOT / f'configs/_base_/datasets/{name}.py'))
    init_default_scope(scope)
    return cfg


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('run')
    make_oversegmentation_data(root)
    return root


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


@pytest.mark.parametrize('name, scope', [
    ('coco_hsg_224', 'mmpretrain'),
    ('part_whole_scenes_hsg', 'mmseg'),
    ('kitti_step_hsg_448', 'mmseg'),
])
def test_inputs_of_the_model(name, scope, folder, monkeypatch):
    """The real pipelines, collated, on tiny images."""
    monkeypatch.chdir(folder)
    cfg = load_base(name, scope)
    crop = BASES[name][0]
    np.random.seed(0)
    data = DATASETS.build(cfg.train_dataloader.dataset)
    samples = [data[0], data[len(data) - 1]]
    preprocessor = MODELS.build(
        dict(type='mmhierseg.MultiViewSegDataPreProcessor'))
    for collate in (default_collate, pseudo_collate):
        batch = preprocessor(collate(samples), training=True)
        inputs = batch['inputs']
        assert inputs.shape == (4, 4, crop, crop)
        assert batch['image_index'].tolist() == [0, 1, 0, 1]
    segments = inputs[:, 3].long()
    assert inputs[:, 3].equal(segments.float())
    assert segments.min() >= -1 and segments.max() < 48
    for one, other in (segments[::2], segments[1::2]):
        # Regions that are visible in both views.
        both = set(one.unique().tolist()) & set(other.unique().tolist())
        assert len(both - {-1}) > 1
