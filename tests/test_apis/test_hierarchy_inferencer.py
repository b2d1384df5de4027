import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.demo import hsg_config, picture, save_weights
from mmengine.structures import BaseDataElement
from PIL import Image

from mmhierseg.apis import HierarchyInferencer
from mmhierseg.models.data_preprocessors import (
    SuperpixelSelfSupDataPreprocessor,
)
from mmhierseg.structures import SegmentHierarchy
from mmhierseg.visualization import hierarchy_figure

# Superpixels and the four levels of the tiny model.
LEVELS = 5


@pytest.fixture
def inferencer(config, checkpoint):
    return HierarchyInferencer(
        config, checkpoint, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def hsg(tmp_path_factory):
    """Config, checkpoint, and the model of an HSG, which is built whole."""
    path = tmp_path_factory.mktemp('hsg') / 'hsg.pth'
    cfg = hsg_config()
    return cfg, str(path), save_weights(cfg.model, path)


def _maps(result):
    return [prediction['label_maps'] for prediction in result['predictions']]


def _assert_same(first, second):
    assert len(first) == len(second)
    for maps, others in zip(first, second):
        assert len(maps) == len(others)
        for labels, other in zip(maps, others):
            np.testing.assert_array_equal(labels, other)


@pytest.mark.parametrize('kind, levels', [('cast', LEVELS), ('hsg', 3)])
def test_levels_have_the_images_size_and_are_nested(inferencer, hsg, kind,
                                                    levels):
    if kind == 'hsg':
        inferencer = HierarchyInferencer(*hsg[:2], device='cpu')
    result = inferencer(picture(50, 77)[..., ::-1])
    prediction, = result['predictions']
    maps = prediction['label_maps']
    assert len(maps) == levels
    assert all(m.shape == (50, 77) and m.dtype == np.int32 for m in maps)
    counts = [np.unique(labels).size for labels in maps]
    assert counts == prediction['num_segments'] and counts[0] > 1
    for fine, coarse in zip(maps, maps[1:]):
        pairs = np.unique(np.stack([fine.ravel(), coarse.ravel()]), axis=1)
        assert pairs.shape[1] == np.unique(fine).size  # one parent each


@pytest.mark.parametrize('kind, levels', [('cast', LEVELS), ('hsg', 3)])
def test_same_as_in_training_and_testing(inferencer, config, backbone, hsg,
                                         kind, levels):
    """What the data preprocessor and the model make of the same pixels."""
    image = picture(64, 96)
    bgr = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)
    with torch.no_grad():
        if kind == 'hsg':
            cfg, path, model = hsg
            inferencer = HierarchyInferencer(cfg, path, device='cpu')
            data = model.data_preprocessor(
                dict(inputs=[bgr], data_samples=[BaseDataElement()]))
            expected = model.segments(**data).hierarchy
        else:
            settings = dict(config['model']['data_preprocessor'])
            settings.pop('type')
            preprocessor = SuperpixelSelfSupDataPreprocessor(**settings)
            inputs = preprocessor(dict(inputs=[bgr[None]]))['inputs'][0]
            expected = backbone.forward_hierarchy(inputs).hierarchy
    _assert_same(
        _maps(inferencer(image[..., ::-1])),
        [[expected.label_map(level)[0] for level in range(levels)]])


def test_inputs_of_all_kinds(inferencer, photos):
    paths = [str(photos / name) for name in ('a.png', 'b.png', 'c.bmp')]
    folder = inferencer(photos)
    names = [prediction['name'] for prediction in folder['predictions']]
    assert names == ['a', 'b', 'c']
    assert [p['img_path'] for p in folder['predictions']] == paths
    _assert_same(_maps(inferencer(paths)), _maps(folder))
    # Lists may mix them, and have an image twice.
    array = np.array(Image.open(paths[0]))[..., ::-1]
    mixed = inferencer([photos / 'c.bmp', array, photos / 'c.bmp'])
    _assert_same(_maps(mixed), [_maps(folder)[i] for i in (2, 0, 2)])
    assert mixed['predictions'][1]['name'] == 'image_00001'
    assert mixed['predictions'][1]['img_path'] is None


@pytest.mark.parametrize('kind', ['cast', 'hsg'])
def test_results_do_not_depend_on_the_batch(inferencer, hsg, kind,
                                            monkeypatch):
    """Exactly, since the model sees one image at a time."""
    if kind == 'hsg':
        inferencer = HierarchyInferencer(*hsg[:2], device='cpu')
    sizes = [(48, 80), (48, 80), (80, 48), (48, 80), (24, 40)]
    images = [picture(*size, seed=i) for i, size in enumerate(sizes)]
    one = inferencer(images, batch_size=1)
    name = 'segments' if kind == 'hsg' else 'forward_hierarchy'
    run, seen = getattr(inferencer.model, name), []
    monkeypatch.setattr(inferencer.model, name,
                        lambda x: (seen.append(len(x)), run(x))[1])
    # The last two have one size after scaling, not before.
    many = inferencer(images, batch_size=3)
    _assert_same(_maps(one), _maps(many))
    assert [m[0].shape for m in _maps(many)] == sizes
    inferencer.exact = False
    assert len(_maps(inferencer(images, batch_size=3))) == 5
    assert seen == [1] * 5 + [2, 1, 2]


@pytest.mark.parametrize('img_size, expected', [
    (None, (64, 128)), ((48, 40), (48, 40))])
def test_img_size(config, checkpoint, img_size, expected):
    inferencer = HierarchyInferencer(
        config, checkpoint, 'cpu', img_size=img_size)
    seen = []
    forward = inferencer.model.forward_hierarchy
    inferencer.model.forward_hierarchy = lambda inputs: (seen.append(
        tuple(inputs.shape)) or forward(inputs))
    result = inferencer(picture(40, 80))
    assert seen == [(1, 4, *expected)]
    assert _maps(result)[0][0].shape == (40, 80)


@pytest.mark.parametrize('shape', [(1, 1), (7, 2), (3, 900)])
def test_tiny_images_and_long_strips(inferencer, shape):
    """By the shorter side, 3 x 900 would become 64 x 19200."""
    maps, = _maps(inferencer(picture(*shape)))
    assert all(m.shape == shape and (m >= 0).all() for m in maps)
    assert np.unique(maps[0]).size <= 4 * (64 // 8)**2


def test_label_maps_are_written_or_returned_as_hierarchies(
        inferencer, photos, tmp_path):
    kept = inferencer(photos)['predictions']
    result = inferencer(
        photos,
        return_labels=False,
        return_vis=False,
        out_dir=tmp_path / 'out',
        save_labels='npz')
    assert result['visualization'] == []
    hierarchies = inferencer(photos, return_datasamples=True)['predictions']
    for prediction, hierarchy, other in zip(result['predictions'],
                                            hierarchies, kept):
        assert prediction['label_maps'] is None and other['files'] == []
        assert prediction['num_segments'] == other['num_segments']
        assert isinstance(hierarchy, SegmentHierarchy)
        levels = np.load(prediction['files'][1])
        _assert_same([[levels[f'level_{i}'] for i in range(LEVELS)],
                      [hierarchy.label_map(i)[0] for i in range(LEVELS)]],
                     [other['label_maps']] * 2)


def test_figures_are_returned_and_written(inferencer, photos, tmp_path):
    out = tmp_path / 'out' / 'figures'
    result = inferencer(photos, out_dir=out, panel_size=64)
    for prediction, figure in zip(result['predictions'],
                                  result['visualization']):
        image = np.array(Image.open(prediction['img_path']))
        expected = hierarchy_figure(
            image, prediction['label_maps'], header=prediction['name'],
            panel_size=64)
        np.testing.assert_array_equal(figure, expected)
        path, = prediction['files']
        assert path == str(out / f'{prediction["name"]}_hierarchy.png')
        np.testing.assert_array_equal(np.array(Image.open(path)), figure)


def test_any_number_of_segments(inferencer, photos, tmp_path):
    result = inferencer(photos, num_segments=3, out_dir=tmp_path / 'out',
                        save_labels='coco', html=True)
    for prediction in result['predictions']:
        maps = prediction['label_maps']
        assert [*map(np.max, maps)] == [2]
        assert prediction['num_segments'] == [3]
        np.testing.assert_array_equal(maps[0], prediction.cut(3))
        _, labels, page = prediction['files']
        assert len(json.loads(Path(labels).read_text())) == 3
        assert Path(page).suffix == '.html'
        assert prediction.features(0).shape == (
            prediction.num_segments[0], inferencer.model.embed_dims)
    everything = inferencer(photos, num_segments=10**6)['predictions'][0]
    assert everything['num_segments'] == everything.num_segments[:1]


def test_what_cannot_be_read_is_skipped(inferencer, photos):
    (photos / 'bad.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match='bad.png'):
        inferencer(photos)
    result = inferencer(photos, skip_errors=True)
    assert [x['name'] for x in result['predictions']] == ['a', 'b', 'c']
    (path, message), = result['errors']
    assert path.endswith('bad.png') and 'cannot be read' in message


def test_channel_order(inferencer):
    rgb = picture(40, 64)
    _assert_same(_maps(inferencer(rgb, channel_order='rgb')),
                 _maps(inferencer(rgb[..., ::-1])))


def test_every_image_has_files_of_its_own(inferencer, tmp_path):
    """In folders of their own, or with names that could lead elsewhere."""
    images, out = tmp_path / 'images', tmp_path / 'images' / 'out'
    odd = ['..png', 'a\nb.png', 'a|b.png', '0.png', '0.jpg']
    for name in ('0000/0.png', '0001/0.png', *odd):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(48, 80)).save(images / name, format='PNG')
    # Written by the first time, the files are not read by the second.
    for _ in range(2):
        found = inferencer(
            [images, images / '..png'], out_dir=out, panel_size=32,
            save_labels='npz', return_vis=False)['predictions']
        files = [path for prediction in found for path in prediction['files']]
        assert len(found) == 7 and len(set(files)) == len(files) == 14
        assert {*files} == {str(p) for p in out.rglob('*') if p.is_file()}
    assert {prediction['name'] for prediction in found} == {
        '0000/0', '0001/0', '__png', 'a_b', 'a_b_2', '0.png', '0.jpg'}
    assert {path.name for path in tmp_path.iterdir()} <= {
        'images', 'moco.pth'}


def test_weights_of_the_config(config, checkpoint, recwarn):
    """`init_cfg` loads them, as in training, without a warning."""
    config['model']['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=checkpoint, prefix='backbone.')
    image = picture(48, 80)
    from_config = HierarchyInferencer(config, device='cpu')(image)
    config['model']['backbone'].pop('init_cfg')
    given = HierarchyInferencer(config, checkpoint, 'cpu')(image)
    _assert_same(_maps(from_config), _maps(given))
    assert not [w for w in recwarn if 'random' in str(w.message)]


@pytest.mark.parametrize('options, error, message', [
    (dict(batch_size='64'), TypeError, '`batch_size` must be an integer'),
    (dict(panel_size=3), ValueError, '`panel_size` must be at least 16'),
    (dict(save_labels='npz'), ValueError, '`save_labels` needs a folder'),
    (dict(save_labels='jpg', out_dir='x'), ValueError,
     "'coco' or None, got 'jpg'"),
])
def test_exceptions_of_a_call(inferencer, options, error, message):
    with pytest.raises(error, match=message):
        inferencer(picture(40, 80), **options)
