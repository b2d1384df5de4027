import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.structures import SegmentHierarchy, add_hierarchy


def hierarchy(batch=2, height=6, width=9):
    """Random labels with gaps, three levels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 12, (batch, height, width), generator=generator)
    parents = [
        torch.randint(0, n, (batch, m), generator=generator)
        for m, n in ((12, 5), (5, 2))
    ]
    return SegmentHierarchy(labels, parents)


def added(metainfo, nested=None):
    """Maps of the first of two samples with the same meta information."""
    samples = [SegDataSample(metainfo=metainfo) for _ in range(2)]
    add_hierarchy(samples, nested or hierarchy())
    return samples[0].pred_hierarchy.data


def all_levels(nested):
    return torch.stack([nested.label_map(level)[0] for level in range(3)])


def test_each_image_its_own():
    samples = [SegDataSample() for _ in range(2)]
    nested = hierarchy()
    add_hierarchy(samples, nested)
    for i, sample in enumerate(samples):
        assert isinstance(sample.pred_hierarchy, PixelData)
        data = sample.pred_hierarchy.data
        for level in range(3):
            assert data[level].equal(nested.label_map(level)[i])
        # A view would keep the maps of the whole batch alive.
        assert data.untyped_storage().nbytes() == data.nbytes


@pytest.mark.parametrize('key', ['padding_size', 'img_padding_size'])
def test_padding_is_cut_off(key):
    # Left, right, top, bottom.
    maps = added({key: [1, 3, 0, 2]})
    torch.testing.assert_close(maps, all_levels(hierarchy())[:, :4, 1:6])


@pytest.mark.parametrize('direction, axes', [
    ('horizontal', [2]), ('vertical', [1]), ('diagonal', [1, 2])])
def test_flips_are_undone(direction, axes):
    maps = added(dict(flip=True, flip_direction=direction))
    torch.testing.assert_close(maps, all_levels(hierarchy()).flip(axes))


def test_original_size_as_by_nearest_neighbour():
    for size in ((12, 9), (3, 4), (17, 5), (6, 9), (1, 100)):
        maps = added(dict(ori_shape=size))
        wanted = torch.nn.functional.interpolate(
            all_levels(hierarchy())[None].double(), size, mode='nearest-exact')
        torch.testing.assert_close(maps, wanted[0].long())


def test_travels_with_the_sample():
    sample = SegDataSample(metainfo=dict(ori_shape=(6, 9)))
    add_hierarchy([sample], hierarchy(batch=1))
    plain = sample.cpu().to_dict()
    assert plain['pred_hierarchy']['data'].shape == (3, 6, 9)


def test_errors():
    with pytest.raises(ValueError, match='each of the 2 images, got 1'):
        add_hierarchy([SegDataSample()], hierarchy())
    with pytest.raises(ValueError, match="`flip_direction`.* got 'up'"):
        added(dict(flip=True, flip_direction='up'))
