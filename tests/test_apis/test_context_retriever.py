import os
import shutil

import numpy as np
import pytest
import torch
from helpers.demo import CAST_RETRIEVAL, hsg_config, picture, save_weights

from mmhierseg.apis import ContextRetriever
from mmhierseg.evaluation import MemoryBank


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Config and checkpoint of each kind of model."""
    root = tmp_path_factory.mktemp('models')
    configs = dict(
        hsg=hsg_config(),
        cast=dict(
            model=CAST_RETRIEVAL, hierarchy_inferencer=dict(img_size=64)))
    for name, cfg in configs.items():
        save_weights(cfg['model'], root / f'{name}.pth')
    return {name: (cfg, str(root / f'{name}.pth'))
            for name, cfg in configs.items()}


@pytest.fixture
def filled(models, photos):
    """A retriever with HSG whose bank is of three photographs."""
    retriever = ContextRetriever(*models['hsg'], device='cpu')
    retriever.fill(str(photos), show_progress=False)
    return retriever


@pytest.mark.parametrize('name, level, least, most', [
    ('hsg', 2, 1, 4), ('hsg', None, 2, 6), ('cast', -1, 1, 2)
])
def test_bank_has_all_segments_of_a_level(models, photos, name, level, least,
                                          most):
    retriever = ContextRetriever(*models[name], level=level, device='cpu')
    bank = retriever.fill(photos, show_progress=False)
    names = [os.path.basename(path) for path in bank.meta['images']]
    assert names == ['a.png', 'b.png', 'c.bmp']
    for i, path in enumerate(bank.meta['images']):
        labels, prototypes = retriever.segments(path)
        own = bank.labels == i
        number = np.unique(labels).size
        assert int(own.sum()) == number and least <= number <= most
        rows = np.array(bank.meta['segments'])[own.numpy()]
        assert sorted(rows) == list(np.unique(labels))
        np.testing.assert_allclose(bank.features[own], prototypes[rows],
                                   atol=1e-6)


@pytest.mark.parametrize('name', ['hsg', 'cast'])
def test_finds_the_same_segment_in_a_copy(models, photos, tmp_path, name):
    """A copy of the image is the nearest that there can be."""
    shutil.copy(photos / 'b.png', tmp_path / 'query.png')
    retriever = ContextRetriever(*models[name], level=1, device='cpu')
    retriever.fill(photos, show_progress=False)
    found = retriever(tmp_path / 'query.png', (70, 5), 2)
    assert found.mask.shape == (48, 80) and found.mask[5, 70]
    assert (found.point, found.level) == ((70, 5), 1)
    best, second = found.matches
    assert best.path == str(photos / 'b.png')
    assert best.similarity == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(best.mask, found.mask)
    np.testing.assert_array_equal(best.image, found.image)
    assert second.similarity <= best.similarity


def test_nearest_by_cosine(filled, photos):
    """Compared with all segments of the others, one by one."""
    image = picture(30, 50, seed=7)[..., ::-1]
    labels, prototypes = filled.segments(image)
    found = filled(image, (3, 20), 4)
    query = prototypes[labels[20, 3]]
    expected = []
    for path in sorted(photos.glob('*.[pb][nm][gp]')):
        others, rows = filled.segments(path)
        expected += [(float(query @ rows[i]), str(path), i, others)
                     for i in np.unique(others)]
    expected.sort(key=lambda entry: -entry[0])
    for match, (cosine, path, i, others) in zip(found.matches, expected):
        assert match.similarity == pytest.approx(cosine, abs=1e-5)
        assert match.path == path
        np.testing.assert_array_equal(match.mask, others == i)


def test_own_segments_are_left_out(filled, photos):
    """However the file is named."""
    path = os.path.relpath(photos / 'a.png')
    others = len(filled.bank) - int((filled.bank.labels == 0).sum())
    found = filled(path, (0, 0), others)
    assert {os.path.basename(match.path) for match in found.matches
            } == {'b.png', 'c.bmp'}
    with pytest.raises(ValueError, match=f'only {others} segments of other'):
        filled(path, (0, 0), others + 1)


def test_bank_in_a_file(filled, models, photos, tmp_path):
    path = tmp_path / 'bank.pth'
    filled.bank.save(path)
    other = ContextRetriever(*models['hsg'], device='cpu')
    other.load(path)
    results = [retriever(photos / 'a.png', (9, 9), 3)
               for retriever in (filled, other)]
    first, second = (
        [(match.path, match.similarity) for match in found.matches]
        for found in results)
    assert first == second
    for options, name in ((dict(level=1), 'level'),
                          (dict(img_size=32), 'img_size')):
        retriever = ContextRetriever(*models['hsg'], device='cpu', **options)
        with pytest.raises(ValueError, match=f'`{name}` is .* Fill it again'):
            retriever.load(path)
    with pytest.warns(UserWarning, match='is random'):
        random = ContextRetriever(models['hsg'][0], device='cpu')
    with pytest.raises(ValueError, match='`weights` is .* Fill it again'):
        random.load(path)
    # As an evaluation makes it.
    MemoryBank(torch.eye(2), torch.tensor([0, 1])).save(path)
    with pytest.raises(ValueError, match='does not say which images'):
        other.load(path)


def test_pixel_without_a_segment(filled, photos, monkeypatch):
    segments = filled.model.segments

    def with_a_hole(inputs):
        found = segments(inputs)
        found.maps[:, :4, :4] = -1
        return found

    monkeypatch.setattr(filled.model, 'segments', with_a_hole)
    with pytest.raises(ValueError, match='no segment at x = 1, y = 2'):
        filled(photos / 'a.png', (1, 2))


@pytest.mark.parametrize('level', [3, -4])
def test_no_such_level(models, photos, level):
    retriever = ContextRetriever(*models['hsg'], level=level, device='cpu')
    with pytest.raises(ValueError, match=f'`level` is {level}, .* 0 .fine. t'):
        retriever.fill(photos, show_progress=False)


def test_nothing_to_fill_with(models):
    retriever = ContextRetriever(*models['hsg'], device='cpu')
    with pytest.raises(TypeError, match='must be files or folders'):
        retriever.fill([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(RuntimeError, match='call `fill` or `load` before'):
        retriever(picture(8, 8), (0, 0))


def test_image_of_the_bank_that_is_gone(filled, photos):
    os.remove(photos / 'c.bmp')
    with pytest.raises(FileNotFoundError, match="c.bmp' does not exist"):
        filled(picture(40, 60), (0, 0), len(filled.bank))


@pytest.mark.parametrize('arguments, error, message', [
    (((0.5, 0), 1), TypeError, '`x` must be an integer'),
    (((60, 0), 1), ValueError, '0 <= x < 60 and 0 <= y < 40, got x = 60'),
    (((0, -1), 1), ValueError, '0 <= x < 60 and 0 <= y < 40, got x = 0, y'),
    (((0, 0), 0), ValueError, '`num_neighbors` must be at least 1'),
    (((0, 0), 99), ValueError, '`num_neighbors` is 99, .* fill it from more'),
])
def test_exceptions_of_a_call(filled, arguments, error, message):
    with pytest.raises(error, match=message):
        filled(picture(40, 60), *arguments)


def test_superpixels_of_the_config_and_their_size(models):
    image = picture(64, 64)
    counts = [
        np.unique(ContextRetriever(
            *models['cast'], level=0, device='cpu', **options).segments(
                image)[0]).size
        for options in ({}, dict(segment_size=16))
    ]
    assert counts == [64, 16]


def test_any_backbone_by_kmeans(photos):
    backbone = dict(type='mmseg.ResNet', depth=18, base_channels=4,
                    stem_channels=4)
    model = dict(
        type='mmhierseg.RetrievalSegmentor', num_classes=2,
        embedder=dict(type='mmhierseg.FeatureMapEmbedder', backbone=backbone),
        kmeans=dict(num_clusters=(2, 2), location=True))
    with pytest.warns(UserWarning, match='random'):
        retriever = ContextRetriever(
            dict(model=model), device='cpu', img_size=96)
    bank = retriever.fill(photos, show_progress=False)
    assert len(bank) <= 12
    found = retriever(photos / 'a.png', (1, 1), 2)
    assert len(found.matches) == 2 and found.level == 1
