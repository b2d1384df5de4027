import numpy as np
import pytest
import torch

from mmhierseg.apis.scaling import (
    MAX_ORIGINAL_SIDE,
    check_image_size,
    resize_labels,
    scale_image,
)


@pytest.mark.parametrize('shape, img_size, expected', [
    ((30, 60), 16, (16, 32)),
    ((60, 31), 62, (120, 62)),
    ((30, 60), (50, 20), (50, 20)),
    ((30, 60), 'original', (30, 60)),
    ((1000, 3 * MAX_ORIGINAL_SIDE), 'original', (333, MAX_ORIGINAL_SIDE)),
    # Up to 4:1 the shorter side is what was asked for.
    ((30, 120), 16, (16, 64)),
    ((30, 150), 16, (13, 64)),
    ((3, 512), 224, (5, 896)),
    ((512, 3), 224, (896, 5)),
    ((1, 5000), 16, (1, 64)),
    ((1, 5000), (8, 8), (8, 8)),
])
def test_scale_image(shape, img_size, expected):
    image = np.full((*shape, 3), 77, np.uint8)
    scaled = scale_image(image, img_size)
    assert scaled.shape == (*expected, 3)
    assert (scaled == 77).all()


@pytest.mark.parametrize('factor', [2, 3, 5])
def test_resize_labels_repeats_pixels(factor):
    labels = torch.randint(-1, 9, (2, 4, 7))
    larger = resize_labels(labels, (4 * factor, 7 * factor))
    expected = labels.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    assert torch.equal(larger, expected)
    # Back again it takes the middle of each block.
    assert torch.equal(resize_labels(larger, (4, 7)), labels)


def test_resize_labels_is_symmetric():
    """Mirrored in, mirrored out: no side is preferred (odd sides: no ties)."""
    labels = torch.arange(5 * 7).view(1, 5, 7)
    resized = resize_labels(labels, (7, 9))
    assert torch.equal(resize_labels(labels.flip(2), (7, 9)), resized.flip(2))
    assert torch.equal(resize_labels(labels.flip(1), (7, 9)), resized.flip(1))


@pytest.mark.parametrize('img_size', ['original', 8, 300, (8, 500)])
def test_valid_sizes(img_size):
    assert check_image_size(img_size) == img_size
    if isinstance(img_size, tuple):
        assert check_image_size(list(img_size)) == img_size


@pytest.mark.parametrize('img_size', ['x', 7, 0, -224, 3.5, (8, ), (8, 8, 8),
                                      (8, 7), ('8', 8), True])
def test_invalid_sizes(img_size):
    with pytest.raises(ValueError, match='`img_size` must be None'):
        check_image_size(img_size)
