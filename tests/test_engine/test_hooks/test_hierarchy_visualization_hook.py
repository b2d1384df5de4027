"""Figures that runners leave, of segmentors and of classifiers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from PIL import Image

from mmhierseg._base import UserError
from mmhierseg.cli import adapt_config
from mmhierseg.cli.options import parse_test_args, with_test_options
from mmhierseg.engine import HierarchyVisualizationHook, UniqueNamesHook
from mmhierseg.registry import DATASETS

CAST = dict(
    type='mmhierseg.CAST',
    arch=dict(embed_dims=16, depths=(1, 1, 1, 1), num_heads=2),
    img_size=32,
    num_clusters=(8, 6, 4, 2))


def scenes(task, pack, batch_size):
    """Images that are not square, and not of the model's size."""
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='mmhierseg.PartWholeScenes', num_scenes=5, task=task,
            size=(40, 64), split='val', pipeline=[dict(type=pack)]))


def preprocessor(kind, **options):
    return dict(
        type=f'mmhierseg.Superpixel{kind}', mean=[120.] * 3, std=[60.] * 3,
        superpixels=dict(type='Grid', segment_size=8), **options)


def segmentor(kind):
    return dict(
        default_scope='mmseg',
        model=dict(
            type=kind,
            backbone=dict(CAST, out_type='featmap', out_indices=(0, )),
            data_preprocessor=preprocessor(
                'SegDataPreProcessor', bgr_to_rgb=True,
                test_cfg=dict(size_divisor=32)),
            decode_head=dict(
                type='FCNHead', in_channels=16, in_index=0, channels=4,
                num_convs=1, concat_input=False, num_classes=13),
            train_cfg=dict(), test_cfg=dict(mode='whole')),
        test_dataloader=scenes('segmentation', 'PackSegInputs', 1),
        test_evaluator=dict(type='IoUMetric'),
        visualizer=dict(type='SegLocalVisualizer'))


def classifier():
    return dict(
        default_scope='mmpretrain',
        model=dict(
            type='ImageClassifier', backbone=CAST,
            data_preprocessor=preprocessor(
                'ClsDataPreprocessor', num_classes=12, to_rgb=True),
            head=dict(type='LinearClsHead', num_classes=12, in_channels=16)),
        test_dataloader=scenes('classification', 'PackInputs', 2),
        test_evaluator=dict(type='Accuracy'),
        visualizer=dict(type='UniversalVisualizer'))


def run(cfg, folder, *options, **hook):
    """Test without weights, as tools/test.py does; what was drawn."""
    hook.update(type='mmhierseg.HierarchyVisualizationHook', panel_size=64)
    cfg = Config(dict(
        cfg, test_cfg=dict(), randomness=dict(seed=0),
        default_hooks=dict(visualization=hook)))
    # A visualizer's name is known in the whole process.
    cfg.visualizer.update(
        name=str(folder), vis_backends=[dict(type='LocalVisBackend')])
    args = parse_test_args(
        ['c.py', 'w.pth', '--work-dir', str(folder), *map(str, options)])
    cfg = adapt_config(with_test_options(cfg, args), training=False)
    cfg.load_from = None
    Runner.from_cfg(cfg).test()
    return {
        path.name: np.array(Image.open(path))
        for path in sorted(folder.rglob('test_*.png'))
    }


def check_size(images, columns, rows):
    """Panels of 64 x 40, and room for titles; long headers make it wider."""
    for image in images.values():
        assert 40 * rows < image.shape[0] < 40 * rows + 140
        assert 64 * columns < image.shape[1] < max(110 * columns, 800)


def test_segmentor(tmp_path):
    """With the field `pred_hierarchy` or without, figures are the same."""
    first, second = (
        run(segmentor(kind), tmp_path / kind, '--show-dir',
            tmp_path / kind / 'drawn', '--interval', 2)
        for kind in ('EncoderDecoder', 'mmhierseg.HierarchyEncoderDecoder'))
    assert len(first) == 3 and list(first) == list(second)
    # Image, truth, prediction, all levels, classes; five levels, two rows.
    check_size(first, 5, 3)
    for name, image in first.items():
        np.testing.assert_array_equal(image, second[name])


def test_classifier(tmp_path):
    # Nothing is drawn by default.
    assert run(classifier(), tmp_path / '0') == {}
    images = run(classifier(), tmp_path / '1', draw=True, interval=1)
    assert len(images) == 5
    check_size(images, 5, 3)


def test_names_that_repeat_in_folders(tmp_path):
    """Figures and label maps have the paths of their images."""
    names = ('0000/0', '0001/0', '0001/1', '0001/a|b\n')
    for i, name in enumerate(names):
        for kind, shape in (('images', (32, 64, 3)), ('labels', (32, 64))):
            path = tmp_path / kind / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(shape, i, np.uint8)).save(path)
    cfg = segmentor('EncoderDecoder')
    cfg['test_dataloader']['dataset'] = dict(
        type='BaseSegDataset', img_suffix='.png', data_root=str(tmp_path),
        metainfo=dict(classes=tuple('abcdefghijklm')),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        pipeline=[dict(type='LoadImageFromFile'),
                  dict(type='LoadAnnotations'), dict(type='PackSegInputs')])
    run(cfg, tmp_path / 'work', '--out', tmp_path / 'maps', '--show-dir',
        tmp_path / 'drawn')
    expected = ['0000/0', '0001/0', '0001/1', '0001/a_b_']
    maps = tmp_path / 'maps'
    assert sorted(str(path.relative_to(maps)) for path in maps.rglob('*.*')
                  ) == [f'{name}.png' for name in expected]
    assert np.array(Image.open(maps / '0000/0.png')).shape == (32, 64)
    figures = [path for path in (tmp_path / 'drawn').rglob('test_*')]
    assert sorted('/'.join(path.parts[-2:]) for path in figures) == [
        f'{name[:5]}test_{name[5:]}.png_0.png' for name in expected]
    hook = UniqueNamesHook('CityscapesMetric')
    data = DATASETS.build(cfg['test_dataloader']['dataset'])
    with pytest.raises(UserError, match="each of 1 names, such as '0'"):
        hook.before_test(SimpleNamespace(
            test_dataloader=SimpleNamespace(dataset=data)))


def fake_runner(images):
    return SimpleNamespace(
        model=torch.nn.Identity(), train_loop=None, iter=7,
        visualizer=SimpleNamespace(
            dataset_meta=dict(classes=('a', 'b')),
            add_image=lambda name, image, step: images.append(
                (name, step, image)),
            show=lambda image, win_name, wait_time: images.append(
                (win_name, wait_time))))


def batch(count):
    inputs = torch.zeros(count, 3, 16, 24)
    inputs[:, 0] = 200  # blue
    samples = [BaseDataElement(pred_label=torch.tensor([1]))
               for _ in range(count)]
    return dict(inputs=inputs), samples


def test_same_images_in_every_validation():
    images = []
    hook = HierarchyVisualizationHook(draw=True, interval=3)
    for _ in range(2):
        runner = fake_runner(images)
        hook.before_val_epoch(runner)
        for index, count in enumerate((2, 2, 2, 1)):
            hook.after_val_iter(runner, index, *batch(count))
    assert [name for name, _, _ in images] == ['val_0', 'val_3', 'val_6'] * 2
    assert {step for _, step, _ in images} == {7}
    # Images of the pipelines are BGR, figures RGB.
    pixels = images[0][2].reshape(-1, 3)
    assert (pixels == (0, 0, 200)).all(axis=1).sum() > 1000
    assert not (pixels == (200, 0, 0)).all(axis=1).any()


def test_shown_instead_of_stored():
    """Of a model without a hierarchy, too."""
    images = []
    hook = HierarchyVisualizationHook(draw=True, show=True, wait_time=0.5)
    hook.after_test_iter(fake_runner(images), 0, *batch(1))
    assert images == [('0', 0.5)]


def test_bad_input():
    hook = HierarchyVisualizationHook(draw=True)
    _, samples = batch(1)
    samples[0].set_metainfo(dict(img_path='nowhere.png'))
    with pytest.raises(UserError, match='finds no image.*nowhere.png'):
        hook.after_val_iter(fake_runner([]), 0, {}, samples)
    with pytest.raises(ValueError, match='`interval` must be at least 1'):
        HierarchyVisualizationHook(interval=0)
