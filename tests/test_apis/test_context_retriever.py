import os

import numpy as np
import pytest
import torch
from helpers.demo import picture, save_models

from mmhierseg.apis import ContextRetriever
from mmhierseg.apis.images import read_image
from mmhierseg.evaluation import MemoryBank


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Config and checkpoint of each kind of model."""
    root = tmp_path_factory.mktemp('models')
    return {name: (cfg, str(root / f'{name}.pth'))
            for name, cfg in save_models(root).items()}


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
        np.testing.assert_array_equal(match.image, read_image(path))
    np.testing.assert_array_equal(found.mask, labels == labels[20, 3])
    np.testing.assert_array_equal(found.image, image[..., ::-1])
    assert found.point == (3, 20)


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
                          (dict(img_size=32), 'img_size'),
                          (dict(weights=None), 'weights')):
        cfg, weights = models['hsg']
        options = dict(dict(weights=weights, device='cpu'), **options)
        retriever = ContextRetriever(cfg, **options)
        with pytest.raises(ValueError, match=f'`{name}` is .* Fill it again'):
            retriever.load(path)
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


@pytest.mark.parametrize('arguments, error, message', [
    (((0.5, 0), 1), TypeError, '`x` must be an integer'),
    (((60, 0), 1), ValueError, '`x` must be at most 59, got 60'),
    (((0, -1), 1), ValueError, '`y` must be at least 0, got -1'),
    (((0, 0), 0), ValueError, '`num_neighbors` must be at least 1'),
])
def test_exceptions_of_a_call(filled, arguments, error, message):
    with pytest.raises(error, match=message):
        filled(picture(40, 60), *arguments)
    with pytest.raises(TypeError, match='must be files or folders'):
        filled.fill(picture(8, 8))
    filled.bank = None
    with pytest.raises(RuntimeError, match='call `fill` or `load` before'):
        filled(picture(8, 8), (0, 0))
