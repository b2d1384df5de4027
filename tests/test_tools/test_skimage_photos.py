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


def test_mmpretrain_reads_the_layout(photos, tmp_path, capsys):
    run(photos, tmp_path)
    assert '3 photographs, 6 crops' in capsys.readouterr().out
    dataset = CustomDataset(str(tmp_path), data_prefix='train')
    assert len(dataset) == 6
    assert list(dataset.CLASSES) == ['camera', 'chelsea', 'clock_motion']
    crop = Image.open(dataset[0]['img_path'])
    assert crop.size == (32, 32) and crop.mode == 'RGB'
    for source in photos.find_photographs():
        copy = Image.open(tmp_path / 'photos' / f'{source.stem}.png')
        np.testing.assert_array_equal(
            np.asarray(copy), np.asarray(Image.open(source).convert('RGB')))


def test_same_seed_same_files(photos, tmp_path, capsys):
    run(photos, tmp_path / 'a')
    run(photos, tmp_path / 'c', '--seed', '1')
    first, other = (contents(tmp_path / name) for name in 'ac')
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first
               if name.endswith('jpg'))
    # An interrupted run is resumed.
    lost = tmp_path / 'a' / 'train' / 'chelsea' / '001.jpg'
    lost.unlink()
    lost.with_name('001.jpg.part').write_bytes(b'half a file')
    capsys.readouterr()
    run(photos, tmp_path / 'a')
    assert '(1 new)' in capsys.readouterr().out
    assert contents(tmp_path / 'a') == first
    with pytest.raises(UserError, match="'seed': 0.*name another folder"):
        run(photos, tmp_path / 'a', '--seed', '3')


def test_crops_are_random_in_place_and_scale(photos):
    """On a ramp, a crop's mean gives its place and its spread its scale."""
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    photo = Image.fromarray(np.tile(ramp[:, None], (200, 1, 3)))
    rng = np.random.default_rng(0)
    crops = [
        np.asarray(photos.random_crop(photo, 64, rng), dtype=float)
        for _ in range(50)
    ]
    assert {crop.shape for crop in crops} == {(64, 64, 3)}
    spreads = [np.ptp(crop) for crop in crops]
    # Sides run from 64 to 200 of the ramp's 300 columns.
    assert 45 < min(spreads) < 70 and 140 < max(spreads) < 180
    assert np.std([crop.mean() for crop in crops]) > 15
    # A photograph may be smaller than the crop.
    assert photos.random_crop(Image.new('RGB', (9, 7)), 32,
                              rng).size == (32, 32)


def test_bad_input(photos, tmp_path, monkeypatch, capsys):
    for options, message in ((['--crops', '0'], 'at least 1, got 0'),
                             (['--size', '4'], 'at least 16, got 4')):
        with pytest.raises(SystemExit):
            run(photos, tmp_path, *options)
        assert message in capsys.readouterr().err
    monkeypatch.setattr(photos.skimage, '__file__', str(tmp_path / 'x.py'))
    with pytest.raises(UserError, match='no photographs in its package'):
        run(photos, tmp_path / 'out')
    assert not list(tmp_path.iterdir())
