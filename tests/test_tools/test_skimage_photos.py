import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.datasets import CustomDataset
from PIL import Image

SCRIPT = (
    Path(__file__).parents[2] / 'tools/dataset_converters/skimage_photos.py')


@pytest.fixture(scope='module')
def script():
    spec = importlib.util.spec_from_file_location('skimage_photos', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(script, monkeypatch):
    """The script, limited to three small photographs."""
    monkeypatch.setattr(script, 'PHOTOGRAPHS',
                        ('camera.png', 'chelsea.png', 'clock_motion.png'))
    return script


def _run(photos, out, *options):
    arguments = [str(out), '--crops', '2', '--size', '32', *options]
    return photos.main(arguments)


def _files(out):
    return {p.relative_to(out): p.read_bytes() for p in out.rglob('*.jpg')}


def test_scikit_image_holds_the_photographs(script):
    assert len(script.find_photographs()) == len(script.PHOTOGRAPHS) >= 10


def test_layout_is_what_mmpretrain_reads(photos, tmp_path, capsys):
    assert _run(photos, tmp_path) == 0
    found = photos.find_photographs()
    assert f'{len(found)} photographs, {2 * len(found)} crops' in (
        capsys.readouterr().out)
    dataset = CustomDataset(str(tmp_path), data_prefix='train')
    assert len(dataset) == 2 * len(found)
    assert set(dataset.CLASSES) == {path.stem for path in found}
    unlabelled = CustomDataset(
        str(tmp_path), data_prefix='train', with_label=False)
    assert len(unlabelled) == len(dataset)
    crop = Image.open(dataset[0]['img_path'])
    assert crop.size == (32, 32) and crop.mode == 'RGB'


def test_whole_photographs_are_unchanged(photos, tmp_path):
    _run(photos, tmp_path)
    for source in photos.find_photographs():
        copy = Image.open(tmp_path / 'photos' / f'{source.stem}.png')
        np.testing.assert_array_equal(
            np.asarray(copy), np.asarray(Image.open(source).convert('RGB')))


def test_same_seed_same_files(photos, tmp_path):
    _run(photos, tmp_path / 'a')
    _run(photos, tmp_path / 'b')
    _run(photos, tmp_path / 'c', '--seed', '1')
    first, again, other = (_files(tmp_path / name) for name in 'abc')
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_takes_up_an_interrupted_run(photos, tmp_path, capsys):
    _run(photos, tmp_path)
    whole = _files(tmp_path)
    lost = tmp_path / 'train' / 'chelsea' / '001.jpg'
    lost.unlink()
    lost.with_name('001.jpg.part').write_bytes(b'half a file')
    capsys.readouterr()
    assert _run(photos, tmp_path) == 0
    assert '(1 new)' in capsys.readouterr().out
    assert _files(tmp_path) == whole
    assert not list(tmp_path.rglob('*.part'))


def test_crops_are_random_in_place_and_scale(photos):
    """On a ramp, a crop's mean tells its place and its spread its scale."""
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


def test_small_photograph(photos):
    crop = photos.random_crop(
        Image.new('RGB', (9, 7)), 32, np.random.default_rng(0))
    assert crop.size == (32, 32)


def test_refuses_to_mix_settings(photos, tmp_path, capsys):
    _run(photos, tmp_path)
    assert _run(photos, tmp_path, '--seed', '3') == 1
    message = capsys.readouterr().err
    assert "'seed': 0" in message and 'name another folder' in message


def test_scikit_image_without_photographs(photos, tmp_path, monkeypatch,
                                          capsys):
    monkeypatch.setattr(photos.skimage, '__file__', str(tmp_path / 'x.py'))
    assert _run(photos, tmp_path / 'out') == 1
    assert 'no photographs in its package' in capsys.readouterr().err


@pytest.mark.parametrize('options, message', [
    (['--crops', '0'], '--crops must be at least 1, got 0'),
    (['--size', '4'], '--size must be at least 16, got 4'),
    (['--seed', '-1'], '--seed must be at least 0, got -1'),
])
def test_bad_arguments(photos, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit):
        _run(photos, tmp_path, *options)
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
