import pytest
import torch
from mmseg.structures import SegDataSample

from mmhierseg.structures import SegmentHierarchy, add_hierarchy


def random_hierarchy(sizes=(12, 5, 3, 2), shape=(2, 6, 9)):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, sizes[0], shape, generator=generator)
    return SegmentHierarchy(labels, [
        torch.randint(0, above, (shape[0], below), generator=generator)
        for below, above in zip(sizes, sizes[1:])
    ])


def test_levels_follow_parents():
    """So they are nested, and pixels without a segment stay so."""
    hierarchy = random_hierarchy()
    assert hierarchy.num_levels == 4 and (hierarchy.labels < 0).any()
    for b, y, x in torch.cartesian_prod(*map(torch.arange, (2, 6, 9))):
        ancestor = own = hierarchy.labels[b, y, x]
        for level in range(4):
            if level and own >= 0:
                ancestor = hierarchy.parents[level - 1][b, ancestor]
                assert hierarchy.assignment(level)[b, own] == ancestor
            assert hierarchy.label_map(level)[b, y, x] == ancestor
    assert hierarchy.label_map(-1).equal(hierarchy.label_map(3))
    assert hierarchy.assignment(0).tolist() == [list(range(12))] * 2
    flat = SegmentHierarchy(hierarchy.labels, [])
    assert flat.assignment(0).size(1) == flat.labels.max() + 1


def test_missing_parents_are_inherited():
    labels = torch.tensor([[[0, 1]]])
    parents = [torch.tensor([[-1, 0]]), torch.tensor([[4]])]
    hierarchy = SegmentHierarchy(labels, parents)
    assert hierarchy.cpu().label_map(2).tolist() == [[[-1, 4]]]
    moved = hierarchy.to('meta')
    assert moved.device.type == moved.parents[1].device.type == 'meta'


@pytest.mark.parametrize('labels, parents, message', [
    (torch.zeros(2, 2).long(), [], r'shape \(B, H, W\)'),
    (torch.zeros(1, 2, 2).long(), [torch.zeros(2, 3).long()],
     r'`parents\[0\]` must have shape \(B, N_0\) with B = 1'),
    (torch.full((1, 2, 2), 3), [torch.zeros(1, 3).long()],
     r'`labels` must lie in \[-1, 2\], got 3'),
    (torch.zeros(1, 2, 2).long(),
     [torch.full((1, 3), 2), torch.zeros(1, 2).long()],
     r'`parents\[0\]` must lie in \[-1, 1\], got 2'),
    (torch.full((1, 2, 2), -7), [], '`labels` .* got -7'),
])
def test_bad_labels(labels, parents, message):
    with pytest.raises(ValueError, match=message):
        SegmentHierarchy(labels, parents)


def test_bad_dtype_level_and_tokens():
    hierarchy = random_hierarchy()
    with pytest.raises(TypeError, match=r'`parents\[0\]` must be int64'):
        SegmentHierarchy(hierarchy.labels, [torch.zeros(2, 12)])
    with pytest.raises(IndexError, match=r'`level` must lie in \[0, 3\]'):
        hierarchy.label_map(4)
    with pytest.raises(ValueError, match=r'`labels` must lie in \[-1, 3\]'):
        hierarchy.scatter(torch.zeros(2, 4, 3), 1)


def test_each_image_its_own():
    samples, nested = [SegDataSample() for _ in range(2)], random_hierarchy()
    add_hierarchy(samples, nested)
    for i, sample in enumerate(samples):
        data = sample.pred_hierarchy.data
        for level in range(4):
            assert data[level].equal(nested.label_map(level)[i])
        # A view would keep the maps of the whole batch alive.
        assert data.untyped_storage().nbytes() == data.nbytes
        # Travels with the sample.
        assert sample.cpu().to_dict()['pred_hierarchy']['data'].equal(data)


@pytest.mark.parametrize('metainfo, undo', [
    # Left, right, top, bottom.
    (dict(padding_size=[1, 3, 0, 2]), lambda maps: maps[:, :4, 1:6]),
    (dict(img_padding_size=[1, 3, 0, 2]), lambda maps: maps[:, :4, 1:6]),
    *((dict(flip=True, flip_direction=direction),
       lambda maps, axes=axes: maps.flip(axes))
      for direction, axes in (('horizontal', [2]), ('vertical', [1]),
                              ('diagonal', [1, 2]))),
    *((dict(ori_shape=size), lambda maps, size=size: (
        torch.nn.functional.interpolate(
            maps[None].double(), size, mode='nearest-exact')[0].long()))
      for size in ((12, 9), (3, 4), (17, 5), (1, 100))),
])
def test_maps_are_those_of_the_original_image(metainfo, undo):
    samples = [SegDataSample(metainfo=metainfo) for _ in range(2)]
    add_hierarchy(samples, random_hierarchy())
    maps = torch.stack([random_hierarchy().label_map(i)[0] for i in range(4)])
    torch.testing.assert_close(samples[0].pred_hierarchy.data, undo(maps))


def test_bad_data_samples():
    sample = SegDataSample(metainfo=dict(flip=True, flip_direction='up'))
    for samples, message in (([SegDataSample()], 'argument 2 is longer'),
                             ([sample] * 2, "`flip_direction`.* got 'up'")):
        with pytest.raises(ValueError, match=message):
            add_hierarchy(samples, random_hierarchy())
