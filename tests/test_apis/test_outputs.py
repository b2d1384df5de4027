import numpy as np
import pytest
from PIL import Image

from mmhierseg.apis.outputs import OutputFolder, save_label_maps

MAPS = [np.array([[0, 1, 2], [3, 4, -1]]), np.array([[0, 0, 0], [7, 7, -1]])]


def test_images_of_one_name_do_not_overwrite_each_other(tmp_path):
    folder = OutputFolder(tmp_path / 'a' / 'b')
    assert not (tmp_path / 'a').exists()
    figure = np.zeros((4, 5, 3), np.uint8)
    files = [folder.write('cat', figure, MAPS)[0] for _ in range(3)]
    names = [file.rsplit('/', 1)[1] for file in files]
    assert names == [
        'cat_hierarchy.png', 'cat_2_hierarchy.png', 'cat_3_hierarchy.png'
    ]


def test_labels_without_a_picture(tmp_path):
    files = OutputFolder(tmp_path, 'npz').write('cat', None, MAPS)
    assert files == [str(tmp_path / 'cat_levels.npz')]


def test_no_segment_survives_both_formats(tmp_path):
    npz, = save_label_maps(tmp_path / 'x', MAPS, 'npz')
    pngs = save_label_maps(tmp_path / 'x', MAPS, 'png')
    stored = np.load(npz)
    for level, labels in enumerate(MAPS):
        assert stored[f'level_{level}'].dtype == np.int32
        np.testing.assert_array_equal(stored[f'level_{level}'], labels)
        picture = Image.open(pngs[level])
        assert picture.mode.startswith('I;16')
        np.testing.assert_array_equal(np.array(picture), labels + 1)


def test_labels_that_do_not_fit_a_png(tmp_path):
    large = [np.array([[65534]]), np.array([[65535]])]
    with pytest.raises(ValueError, match='level 1 has label 65535'):
        save_label_maps(tmp_path / 'x', large, 'png')
    assert np.array(Image.open(tmp_path / 'x_level_0.png')) == 65535


def test_exceptions(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='`out_dir` must be a folder'):
        OutputFolder(tmp_path / 'file')
    below = OutputFolder(tmp_path / 'file' / 'below')
    with pytest.raises(OSError, match="`out_dir` '.*below' cannot be written "
                       'to: .*; give another'):
        below.write('cat', None, MAPS)
    (tmp_path / 'cat_hierarchy.png').mkdir()
    with pytest.raises(OSError, match='cannot be written to: .*cat_hierarchy'):
        OutputFolder(tmp_path).write('cat', np.zeros((4, 5, 3), np.uint8), [])
