import io

import numpy as np
import pytest
from PIL import Image

from mmhierseg.datasets.transforms.segment_map_png import (
    decode_segment_map,
    encode_segment_map,
)


@pytest.mark.parametrize('highest, mode', [
    (0, 'L'), (255, 'L'), (256, 'I;16'), (65535, 'I;16'), (65536, 'RGB'),
    (2**24 - 1, 'RGB')
])
@pytest.mark.parametrize('dtype', [np.int32, np.int64, np.uint32])
def test_round_trip(highest, mode, dtype):
    """In as few bits as there must be."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, highest + 1, (13, 22)).astype(dtype)
    labels[2, 3] = highest
    for array in (labels, labels.T, labels[::2, ::-3]):
        content = encode_segment_map(array)
        decoded = decode_segment_map(content, 'a.png')
        assert decoded.dtype == np.int32
        np.testing.assert_array_equal(decoded, array)
    with Image.open(io.BytesIO(encode_segment_map(labels))) as image:
        assert image.mode == mode and image.size == (22, 13)


@pytest.mark.parametrize('labels, error, message', [
    ([[0]], TypeError, 'an array of integers, got list'),
    (np.zeros((2, 2)), TypeError, 'of integers, got float64'),
    (np.zeros((2, 2, 1), dtype=int), ValueError, r'\(H, W\) .*\(2, 2, 1\)'),
    (np.zeros((0, 2), dtype=int), ValueError, 'at least one pixel'),
    (np.array([[0, -1]]), ValueError, 'got -1 to 0'),
    (np.array([[3, 2**24]]), ValueError, r'2\^24 - 1\), got 3 to 16777216'),
])
def test_what_cannot_be_encoded(labels, error, message):
    with pytest.raises(error, match=message):
        encode_segment_map(labels)
