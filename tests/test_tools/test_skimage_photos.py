import numpy as np
import pytest
from helpers.disk import contents
from helpers.scripts import load_script
from mmpretrain.datasets import CustomDataset
from PIL import Image

from mmhierseg._base.errors import UserError


@pytest.fixture
def photos(monkeypatch):
    """The script, limited to three small photographs."""
    script = load_script('dataset_converters/skimage_photos.py')
    assert len(script.find_photographs()) == len(script.PHOTOGRAPHS) >= 10
    monkeypatch.setattr(script, 'PHOTOGRAPHS',
                        ('camera.png', 'chelsea.png', 'clock_motion.png'))
    return script


def run(photos, out, *options):
    photos.main([str(out), '--crops', '2', '--size', '32', *options])


def test_files(photos, tmp_path, capsys):
    """MMPretrain reads them; the seed decides; runs are resumed."""
    run(photos, tmp_path / 'a')
    assert '3 photographs, 6 crops' in capsys.readouterr().out
    dataset = CustomDataset(str(tmp_path / 'a'), data_prefix='train')
    assert len(dataset) == 6
    assert list(dataset.CLASSES) == ['camera', 'chelsea', 'clock_motion']
    crop = Image.open(dataset[0]['img_path'])
    assert crop.size == (32, 32) and crop.mode == 'RGB'
    for source in photos.find_photographs():
        copy = Image.open(tmp_path / 'a/photos' / f'{source.stem}.png')
        np.testing.assert_array_equal(
            np.asarray(copy), np.asarray(Image.open(source).convert('RGB')))
    run(photos, tmp_path / 'c', '--seed', '1')
    first, other = (contents(tmp_path / name) for name in 'ac')
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first
               if name.endswith('jpg'))
    lost = tmp_path / 'a/train/chelsea/001.jpg'
    lost.unlink()
    lost.with_name('001.jpg.part').write_bytes(b'half a file')
    capsys.readouterr()
    run(photos, tmp_path / 'a')
    assert '(1 new)' in capsys.readouterr().out
    assert contents(tmp_path / 'a') == first
    with pytest.raises(UserError, match='seed 0, requested 3.*another folder'):
        run(photos, tmp_path / 'a', '--seed', '3')


def test_crops_are_random_in_place_and_scale(photos):
    """On a ramp, a crop's mean gives its place and its spread its scale."""
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    photo = Image.fromarray(np.tile(ramp[:, None], (200, 1, 3)))
    rng = np.random.default_rng(0)
    crops = np.array([
        np.asarray(photos.random_crop(photo, 64, rng)) for _ in range(50)
    ], dtype=float)
    assert crops.shape == (50, 64, 64, 3)
    spreads = np.ptp(crops, axis=(1, 2, 3))
    # Sides run from 64 to 200 of the ramp's 300 columns.
    assert 45 < min(spreads) < 70 and 140 < max(spreads) < 180
    assert crops.mean((1, 2, 3)).std() > 15
    # A photograph may be smaller than the crop.
    assert photos.random_crop(Image.new('RGB', (9, 7)), 32,
                              rng).size == (32, 32)
