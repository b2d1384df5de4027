import pytest
import torch
from mmseg.structures import SegDataSample

from mmhierseg.structures import SegmentHierarchy, add_hierarchy


def hierarchy():
    """Random labels with gaps, three levels, two images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 12, (2, 6, 9), generator=generator)
    return SegmentHierarchy(labels, [
        torch.randint(0, above, (2, below), generator=generator)
        for below, above in ((12, 5), (5, 2))
    ])


def test_each_image_its_own():
    samples, nested = [SegDataSample() for _ in range(2)], hierarchy()
    add_hierarchy(samples, nested)
    for i, sample in enumerate(samples):
        data = sample.pred_hierarchy.data
        for level in range(3):
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
    add_hierarchy(samples, hierarchy())
    maps = torch.stack([hierarchy().label_map(i)[0] for i in range(3)])
    torch.testing.assert_close(samples[0].pred_hierarchy.data, undo(maps))


def test_errors():
    with pytest.raises(ValueError, match='each of the 2 images, got 1'):
        add_hierarchy([SegDataSample()], hierarchy())
    sample = SegDataSample(metainfo=dict(flip=True, flip_direction='up'))
    with pytest.raises(ValueError, match="`flip_direction`.* got 'up'"):
        add_hierarchy([sample] * 2, hierarchy())
