"""Any number of segments, and what a result answers."""

import numpy as np
import pytest
import torch
from pycocotools import mask as rle
from scipy.cluster.hierarchy import fcluster, is_valid_linkage

from mmhierseg.apis import HierarchyResult
from mmhierseg.apis.results import make_result
from mmhierseg.structures import cut_tree, merge_tree

SIZES = [(60, 20, 8, 3), (30, ), (1, 1), (16, 5, 5, 1)]


def draw(sizes=SIZES[0], seed=0, size=(24, 36), **options):
    """A result of random segments, each of them used."""
    rng = np.random.default_rng(seed)
    labels = np.resize(rng.permutation(sizes[0]), size)
    labels[0, 0] = -1
    parents = [rng.permutation(np.resize(np.arange(b), a))
               for a, b in zip(sizes, sizes[1:])]
    # Rounded, so that there are ties.
    features = [rng.normal(size=(n, 4)).round(1) for n in sizes]
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    return HierarchyResult(labels, parents, features, image=image, name='a',
                           **options)


@pytest.mark.parametrize('sizes', SIZES)
@pytest.mark.parametrize('adjacent', [False, True])
def test_cuts_nest_and_contain_the_levels(sizes, adjacent):
    result = draw(sizes)
    coarser = None
    for k in range(1, sizes[0] + 1):
        found = result.cut(k, adjacent=adjacent)
        assert found.dtype == np.int32 and found.shape == result.image_size
        assert sorted(set(found.ravel().tolist())) == [-1, *range(k)]
        if coarser is not None:
            assert len({*zip(found.ravel(), coarser.ravel())}) == k + 1
        coarser = found
    for level, number in enumerate(result.num_segments):
        pairs = {*zip(result.cut(number).ravel(),
                      result.levels[level].ravel())}
        assert len(pairs) == number + 1 == sizes[level] + 1


@pytest.mark.parametrize('sizes', [s for s in SIZES if s[0] > 1])
def test_linkage_is_that_of_scipy(sizes):
    result = draw(sizes)
    tree = result.linkage
    assert is_valid_linkage(tree) and len(tree) == sizes[0] - 1
    assert (np.diff(tree[:, 2]) > 0).all()
    for k in range(1, sizes[0] + 1):
        groups = fcluster(tree, k, 'maxclust')
        assert len({*zip(groups, cut_tree(tree, k))}) == k


def test_closest_children_merge_first():
    distance = np.array([[0., 3, 1], [3, 0, 2], [1, 2, 0]])
    tree = merge_tree([np.zeros(3, int)], [distance, np.zeros((1, 1))])
    assert tree[0, :2].tolist() == [0, 2]
    # Adjacency comes before similarity.
    features = [np.array([[1., 0], [0, 1], [1, 0]])]
    result = HierarchyResult(np.array([[0, 1, 2]]), [], features)
    assert result.cut(2).tolist() == [[0, 1, 0]]
    assert result.cut(2, adjacent=True)[0].tolist() in ([0, 0, 1], [0, 1, 1])


def test_connected_pieces():
    result = HierarchyResult(np.array([[0, 1, 0]]), [], [np.eye(2)])
    assert result.cut(2, connected=True).max() == 2


def test_segments():
    result = draw()
    assert result.segments_at(0, 0) == []
    for level, i in result.segments_at(5, 7):
        assert result.levels[level][7, 5] == i
        mask = result.mask(level, i)
        assert mask.sum() == result.areas(level)[i]
        assert np.array_equal(mask, result.masks(level)[i])
        x0, y0, x1, y1 = result.boxes(level)[i]
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
        assert result.features(level)[i].dtype == np.float32
    annotations = result.to_coco(level=2)
    assert len(annotations) == 8
    assert np.array_equal(rle.decode(annotations[3]['segmentation']),
                          result.mask(2, 3))
    assert len(result.to_coco(k=11)) == 11
    assert len(result.to_coco()) == sum(result.num_segments)
    assert np.array_equal(result['label_maps'][1], result.levels[1])


def test_colours_stand_in_for_features():
    result = draw()
    plain = HierarchyResult(result.levels[0], [], image=result.image)
    assert plain.cut(7).max() == 6
    with pytest.raises(ValueError, match='features'):
        plain.features(0)
    with pytest.raises(ValueError, match='`image`'):
        HierarchyResult(result.levels[0], []).cut(3)


def test_numbers_have_no_gaps():
    """Segment 1 has no pixels, 4 no token, so no parent."""
    labels = torch.tensor([[[0, 2, 3], [4, 3, 5]]])
    parents = [torch.tensor([[6, 0, 2, 6, -1, 2]])]
    tokens = [torch.rand(1, 6, 4), torch.rand(1, 7, 4)]
    result = make_result(labels, parents, tokens, [torch.rand(1, 6, 7)])
    assert result.levels[0].tolist() == [[0, 1, 2], [-1, 2, 3]]
    assert result.levels[1].tolist() == [[1, 0, 1], [-1, 1, 0]]
    assert np.array_equal(result.features(1), tokens[1][0, [2, 6]])
    assert result.cut(2).max() == 1


def test_files(tmp_path):
    result = draw()
    result.save(tmp_path / 'a.npz')
    loaded = HierarchyResult.load(tmp_path / 'a.npz')
    for k in (1, 9, 60):
        assert np.array_equal(loaded.cut(k), result.cut(k))
    assert np.array_equal(loaded.image, result.image) and loaded.name == 'a'
    assert np.array_equal(loaded.features(1), result.features(1))
    np.savez(tmp_path / 'b.npz', info=np.array('{"format": 99}'))
    np.savez(tmp_path / 'c.npz', info=np.array([{}], dtype=object))
    (tmp_path / 'd.npz').write_bytes(b'no zip')
    for name, message in (('b', 'version 99'), ('c', 'not a file'),
                          ('d', 'not a file')):
        with pytest.raises(ValueError, match=message):
            HierarchyResult.load(tmp_path / f'{name}.npz')


@pytest.mark.parametrize('call, message', [
    (lambda x: x.cut(0), r'\[1, 60\]'), (lambda x: x.cut(61), 'got 61'),
    (lambda x: x.segments_at(36, 0), '36 x 24'),
    (lambda x: x.segments_at(-1, 0), '-1'),
    (lambda x: x.mask(0, 60), r'\[0, 59\]'),
    (lambda x: x.to_coco(1, 2), 'not both')])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(draw())
