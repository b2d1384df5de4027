"""The inferencer with HSG, which is built whole."""

import numpy as np
import pytest
import torch
from helpers.demo import hsg_config, save_weights
from mmengine.structures import BaseDataElement

from mmhierseg.apis import HierarchyInferencer

from .conftest import picture


@pytest.fixture(scope='module')
def hsg(tmp_path_factory):
    """Config, checkpoint, and the model that it is of."""
    path = tmp_path_factory.mktemp('hsg') / 'hsg.pth'
    cfg = hsg_config()
    return cfg, str(path), save_weights(cfg.model, path)


@pytest.fixture
def inferencer(hsg):
    return HierarchyInferencer(*hsg[:2], device='cpu', show_progress=False)


def test_levels_are_kmeans_fine_and_coarse(inferencer):
    prediction, = inferencer(picture(50, 77)[..., ::-1])['predictions']
    maps = prediction['label_maps']
    assert [labels.shape for labels in maps] == [(50, 77)] * 3
    counts = prediction['num_segments']
    assert 1 < counts[0] <= 6 and counts[0] >= counts[1] >= counts[2] >= 1
    for fine, coarse in zip(maps, maps[1:]):
        pairs = np.unique(np.stack([fine.ravel(), coarse.ravel()]), axis=1)
        assert pairs.shape[1] == np.unique(fine).size


def test_same_as_testing_sees_an_image(inferencer, hsg):
    image = picture(64, 96)
    model = hsg[2]
    bgr = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)
    data = model.data_preprocessor(
        dict(inputs=[bgr], data_samples=[BaseDataElement()]))
    with torch.no_grad():
        expected = model.segments(data['inputs'], data['data_samples'])
    prediction, = inferencer(image[..., ::-1])['predictions']
    for level, labels in enumerate(prediction['label_maps']):
        np.testing.assert_array_equal(labels,
                                      expected.hierarchy.label_map(level)[0])


def test_batches_change_nothing(inferencer):
    images = [picture(48, 80, seed=i) for i in range(3)]
    one, many = (inferencer(images, batch_size=n)['predictions']
                 for n in (1, 3))
    for prediction, other in zip(one, many):
        for labels, others in zip(prediction['label_maps'],
                                  other['label_maps']):
            np.testing.assert_array_equal(labels, others)


def test_figure_names_the_levels(inferencer, monkeypatch):
    titles = []
    monkeypatch.setattr(
        'mmhierseg.apis.hierarchy_inferencer.hierarchy_figure',
        lambda image, maps, names, **_: titles.append(names) or image)
    inferencer(picture(40, 60))
    assert titles == [['Segments', 'Fine groups', 'Coarse groups']]


def test_without_groups_there_is_one_level(tmp_path):
    cfg = hsg_config('hsg_r50_stage1_coco-224x224')
    save_weights(cfg.model, tmp_path / 'stage1.pth')
    inferencer = HierarchyInferencer(cfg, str(tmp_path / 'stage1.pth'), 'cpu')
    prediction, = inferencer(picture(40, 60))['predictions']
    assert len(prediction['label_maps']) == 1
    assert 1 < prediction['num_segments'][0] <= 6


def test_random_model_warns(hsg):
    with pytest.warns(UserWarning, match='random, .* it groups pixels'):
        HierarchyInferencer(hsg[0], device='cpu')


def test_there_are_no_superpixels(hsg):
    with pytest.raises(ValueError, match='`segment_size` .* takes none'):
        HierarchyInferencer(*hsg[:2], device='cpu', segment_size=8)


@pytest.mark.parametrize('keep, message', [
    ('backbone.', r'does not fit(?s:.*)missing: neck.hidden.conv.weight'),
    ('resnet_backbone.', 'authors of HSG; convert it first: python tools/'
     'model_converters/hsg2mmhierseg.py'),
])
def test_weights_that_do_not_fit(hsg, tmp_path, keep, message):
    weights = torch.load(hsg[1])['state_dict']
    weights = {keep + key.split('.', 1)[1]: value
               for key, value in weights.items()
               if key.startswith('backbone.')}
    name = 'embedding_model' if 'resnet' in keep else 'state_dict'
    torch.save({name: weights}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=message):
        HierarchyInferencer(hsg[0], str(tmp_path / 'other.pth'), 'cpu')


def test_weights_of_another_width(hsg, tmp_path):
    weights = torch.load(hsg[1])['state_dict']
    weights['neck.out.bias'] = torch.zeros(3)
    torch.save(dict(state_dict=weights), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='(?s)fit.*size mismatch for neck.ou'):
        HierarchyInferencer(hsg[0], str(tmp_path / 'other.pth'), 'cpu')
