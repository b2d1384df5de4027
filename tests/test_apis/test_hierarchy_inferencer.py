import numpy as np
import pytest
import torch
from PIL import Image

from mmhierseg.apis import HierarchyInferencer
from mmhierseg.models.data_preprocessors import (
    SuperpixelSelfSupDataPreprocessor,
)
from mmhierseg.structures import SegmentHierarchy
from mmhierseg.visualization import hierarchy_figure

from .conftest import picture

# Superpixels and the four levels of the tiny model.
LEVELS = 5


@pytest.fixture
def inferencer(config, checkpoint):
    return HierarchyInferencer(
        config, checkpoint, device='cpu', show_progress=False)


def _maps(result):
    return [prediction['label_maps'] for prediction in result['predictions']]


def _assert_same(first, second):
    assert len(first) == len(second)
    for maps, others in zip(first, second):
        for labels, other in zip(maps, others):
            np.testing.assert_array_equal(labels, other)


def test_levels_have_the_images_size_and_are_nested(inferencer):
    result = inferencer(picture(50, 77)[..., ::-1])
    prediction, = result['predictions']
    maps = prediction['label_maps']
    assert len(maps) == LEVELS
    assert all(m.shape == (50, 77) and m.dtype == np.int32 for m in maps)
    counts = [np.unique(labels).size for labels in maps]
    assert counts == prediction['num_segments']
    assert counts[0] > 8 >= counts[1] and counts[4] <= 2
    for fine, coarse in zip(maps, maps[1:]):
        pairs = np.unique(np.stack([fine.ravel(), coarse.ravel()]), axis=1)
        assert pairs.shape[1] == np.unique(fine).size  # one parent each


def test_same_as_training_sees_an_image(inferencer, config, backbone):
    """What the data preprocessor and the model make of the same pixels."""
    image = picture(64, 96)
    settings = dict(config['model']['data_preprocessor'])
    settings.pop('type')
    preprocessor = SuperpixelSelfSupDataPreprocessor(**settings)
    bgr = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None]
    inputs = preprocessor(dict(inputs=[bgr]))['inputs'][0]
    with torch.no_grad():
        expected = backbone.forward_hierarchy(inputs).hierarchy
    maps, = _maps(inferencer(image[..., ::-1]))
    for level in range(LEVELS):
        np.testing.assert_array_equal(maps[level],
                                      expected.label_map(level)[0])


def test_inputs_of_all_kinds(inferencer, photos):
    paths = [str(photos / name) for name in ('a.png', 'b.png', 'c.bmp')]
    folder = inferencer(photos)
    names = [prediction['name'] for prediction in folder['predictions']]
    assert names == ['a', 'b', 'c']
    assert [p['img_path'] for p in folder['predictions']] == paths
    _assert_same(_maps(inferencer(str(photos))), _maps(folder))
    _assert_same(_maps(inferencer(paths)), _maps(folder))
    arrays = [np.array(Image.open(path))[..., ::-1] for path in paths]
    from_arrays = inferencer(arrays)
    _assert_same(_maps(from_arrays), _maps(folder))
    assert from_arrays['predictions'][1]['name'] == 'image_00001'
    assert from_arrays['predictions'][1]['img_path'] is None
    # Lists may mix them, and have an image twice.
    mixed = inferencer([photos / 'c.bmp', arrays[0], photos / 'c.bmp'])
    _assert_same(_maps(mixed), [_maps(folder)[i] for i in (2, 0, 2)])


def test_batches_change_nothing(inferencer):
    sizes = [(48, 80), (48, 80), (80, 48), (48, 80), (24, 40)]
    images = [picture(*size, seed=i) for i, size in enumerate(sizes)]
    one = inferencer(images, batch_size=1)
    # The last two have one size after scaling, not before.
    many = inferencer(images, batch_size=3)
    _assert_same(_maps(one), _maps(many))
    assert [m[0].shape for m in _maps(many)] == sizes


@pytest.mark.parametrize('img_size, expected', [
    (None, (64, 128)),
    (32, (32, 64)),
    ((48, 40), (48, 40)),
    ('original', (40, 80)),
])
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


def test_segment_size(config, checkpoint):
    image = picture(64, 64)
    counts = [
        HierarchyInferencer(config, checkpoint, 'cpu', segment_size=size)(
            image)['predictions'][0]['num_segments'][0]
        for size in (4, 8, 16)
    ]
    assert counts[0] > 2 * counts[1] > 4 * counts[2]


def test_images_smaller_than_a_segment(inferencer):
    for shape in ((1, 1), (1, 9), (7, 2)):
        maps, = _maps(inferencer(np.zeros((*shape, 3), np.uint8)))
        assert all(m.shape == shape and (m >= 0).all() for m in maps)


def test_return_datasamples(inferencer):
    image = picture(48, 80)
    plain = inferencer(image)
    hierarchy, = inferencer(image, return_datasamples=True)['predictions']
    assert isinstance(hierarchy, SegmentHierarchy)
    assert hierarchy.num_levels == LEVELS
    for level, labels in enumerate(_maps(plain)[0]):
        np.testing.assert_array_equal(hierarchy.label_map(level)[0], labels)


def test_label_maps_need_not_be_kept(inferencer, photos, tmp_path):
    kept = inferencer(photos)['predictions']
    result = inferencer(
        photos,
        return_labels=False,
        return_vis=False,
        out_dir=tmp_path / 'out',
        save_labels='npz')
    assert result['visualization'] == []
    for prediction, other in zip(result['predictions'], kept):
        assert prediction['label_maps'] is None
        assert prediction['num_segments'] == other['num_segments']
        stored = np.load(prediction['files'][1])
        _assert_same([[stored[f'level_{i}'] for i in range(LEVELS)]],
                     [other['label_maps']])


def test_long_strips(config, checkpoint):
    """By the shorter side, 3 x 900 would become 64 x 19200."""
    inferencer = HierarchyInferencer(config, checkpoint, 'cpu', img_size=64)
    for shape in ((3, 900), (900, 3)):
        maps, = _maps(inferencer(picture(*shape)))
        assert all(m.shape == shape and (m >= 0).all() for m in maps)
        assert np.unique(maps[0]).size <= 4 * (64 // 8)**2


def test_figures_are_returned_and_written(inferencer, photos, tmp_path):
    out = tmp_path / 'out' / 'figures'
    result = inferencer(photos, out_dir=out, panel_size=64)
    for prediction, figure in zip(result['predictions'],
                                 result['visualization']):
        image = np.array(Image.open(prediction['img_path']))
        np.testing.assert_array_equal(
            figure,
            hierarchy_figure(
                image,
                prediction['label_maps'],
                header=prediction['name'],
                panel_size=64))
        path, = prediction['files']
        assert path == str(out / f'{prediction["name"]}_hierarchy.png')
        np.testing.assert_array_equal(np.array(Image.open(path)), figure)


def test_nothing_is_drawn_or_written_unless_asked_for(inferencer, photos,
                                                      tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inferencer, 'visualize', None)
    before = sorted(tmp_path.rglob('*'))
    result = inferencer(photos / 'a.png', return_vis=False)
    assert result['visualization'] == []
    assert result['predictions'][0]['files'] == []
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('label_format, read', [
    ('png', lambda files, level: np.array(Image.open(files[level + 1])).astype(
        int) - 1),
    ('npz', lambda files, level: np.load(files[1])[f'level_{level}']),
])
def test_label_maps_are_written(inferencer, photos, tmp_path, label_format,
                                read):
    result = inferencer(
        photos, out_dir=tmp_path / 'out', save_labels=label_format)
    for prediction in result['predictions']:
        for level, labels in enumerate(prediction['label_maps']):
            np.testing.assert_array_equal(
                read(prediction['files'], level), labels)


def test_random_model_warns(config):
    with pytest.warns(UserWarning, match='the model is random'):
        HierarchyInferencer(config, device='cpu')


def test_weights_of_the_config(config, checkpoint, recwarn):
    """`init_cfg` loads them, as in training, and nothing is warned about."""
    config['model']['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=checkpoint, prefix='backbone.')
    image = picture(48, 80)
    from_config = HierarchyInferencer(config, device='cpu')(image)
    config['model']['backbone'].pop('init_cfg')
    given = HierarchyInferencer(config, checkpoint, 'cpu')(image)
    _assert_same(_maps(from_config), _maps(given))
    assert not [w for w in recwarn if 'random' in str(w.message)]


def test_leaves_the_config_alone(config, checkpoint):
    before = repr(config)
    HierarchyInferencer(config, checkpoint, 'cpu', segment_size=8)
    assert repr(config) == before


@pytest.mark.parametrize('options, message', [
    (dict(batch_size=0), '`batch_size` must be at least 1, got 0'),
    (dict(save_labels='npz'), '`save_labels` needs a folder'),
    (dict(save_labels='jpg', out_dir='x'), "'png', 'npz' or None, got 'jpg'"),
    (dict(panel_size=3), '`panel_size` must be at least 16, got 3'),
    (dict(return_labels=False, return_datasamples=True),
     '`return_datasamples` returns label maps'),
])
def test_exceptions_of_a_call(inferencer, options, message):
    with pytest.raises(ValueError, match=message):
        inferencer(picture(40, 80), **options)


@pytest.mark.parametrize('option', ['batch_size', 'panel_size'])
@pytest.mark.parametrize('value', [64.5, '64', None])
def test_whole_numbers_of_a_call(inferencer, option, value):
    with pytest.raises(TypeError, match=f'`{option}` must be an integer'):
        inferencer(picture(40, 80), **{option: value})


@pytest.mark.parametrize('options, message', [
    (dict(img_size=4), '`img_size` must be None, .*got 4'),
    (dict(img_size='large'), "got 'large'"),
    (dict(img_size=(64, 64, 3)), r'got \(64, 64, 3\)'),
    (dict(segment_size=0), '`segment_size` must be at least 1, got 0'),
])
def test_exceptions_of_the_constructor(config, checkpoint, options, message):
    with pytest.raises(ValueError, match=message):
        HierarchyInferencer(config, checkpoint, 'cpu', **options)


def test_segment_size_is_a_number(config, checkpoint):
    with pytest.raises(TypeError, match='`segment_size` must be a number'):
        HierarchyInferencer(config, checkpoint, 'cpu', segment_size='a')


@pytest.mark.parametrize('device', ['foo', 'meta', 'cuda:99'])
def test_unknown_device(config, checkpoint, device):
    with pytest.raises(ValueError, match=f"`device` must .*got '{device}'"):
        HierarchyInferencer(config, checkpoint, device)
