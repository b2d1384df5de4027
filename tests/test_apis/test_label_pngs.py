"""Label maps as PNGs that show the segments and hold their numbers."""

import numpy as np
import pytest
from PIL import Image

from mmhierseg.apis.label_pngs import read_label_png
from mmhierseg.apis.outputs import save_label_maps
from mmhierseg.datasets.transforms import LoadSegmentMap
from mmhierseg.visualization import paint_levels


@pytest.mark.parametrize('number, mode', [
    (255, 'P'), (256, 'RGB'), (4095, 'RGB'), (4096, 'I;16')])
def test_numbers_and_colours(tmp_path, number, mode):
    labels = np.resize(np.arange(number), (70, 90))
    labels[:3, :4] = -1
    maps = [labels, np.where(labels < 0, -1, labels // 64)]
    paths = save_label_maps(tmp_path / 'a', maps, 'png')
    assert Image.open(paths[0]).mode == mode
    for path, expected, painted in zip(paths, maps, paint_levels(maps)):
        found = read_label_png(path)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, expected)
        # What reads maps of segments for training finds the same segments.
        read = LoadSegmentMap(ignore_label=0).transform(
            dict(img_path=path, segment_map_path=path))['segment_map']
        assert len({*zip(read.ravel(), expected.ravel())}) == len(
            np.unique(expected))
        if not Image.open(path).mode.startswith('I'):
            shown = np.asarray(Image.open(path).convert('RGB')).astype(int)
            inside = expected >= 0
            assert np.abs(shown - painted)[inside].max() < 16
            assert not shown[~inside].any()


def test_other_files(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'no image')
    with pytest.raises(ValueError, match='a.png. cannot be read'):
        read_label_png(path)
    Image.new('RGBA', (3, 3)).save(path)
    with pytest.raises(ValueError, match="of mode 'RGBA'"):
        read_label_png(path)
