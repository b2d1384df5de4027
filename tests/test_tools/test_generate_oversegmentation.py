"""The tool that divides the images of a folder."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers.scripts import TOOLS, load_script
from PIL import Image
from skimage import data

from mmhierseg._base import atomic
from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import LoadImage, LoadSegmentMap
from mmhierseg.datasets.transforms.segment_map_png import encode_segment_map
from mmhierseg.oversegmentation import OverSegmenter

SCRIPT = TOOLS / 'dataset_converters/generate_oversegmentation.py'
NAMES = ('a.jpg', 'b/c.png', 'b/d/e.JPEG')


@pytest.fixture(scope='module')
def script():
    return load_script('dataset_converters/generate_oversegmentation.py')


@pytest.fixture
def images(tmp_path):
    root = tmp_path / 'images'
    for i, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        part = data.coffee()[100 * i:100 * i + 60, 200:290]
        Image.fromarray(part).save(root / name)
    (root / 'notes.txt').write_text('no image')
    return root


@pytest.fixture
def make(script, images, tmp_path):

    def run(*options, workers=1):
        script.main([
            str(images), str(tmp_path / 'out'), '--workers', str(workers),
            *options
        ])
        return tmp_path / 'out'

    return run


def maps_of(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*.png')
    }


def test_maps(make, images, capsys):
    """Those of the images as pipelines load them, found by LoadSegmentMap."""
    out = make()
    assert 'maps of 3 images (3 new)' in capsys.readouterr().out
    assert sorted(maps_of(out)) == ['a.png', 'b/c.png', 'b/d/e.png']
    load = LoadSegmentMap(map_prefix=str(out), img_prefix=str(images))
    for name in NAMES:
        results = load(LoadImage()(dict(img_path=str(images / name))))
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        assert np.array_equal(results['segment_map'], OverSegmenter()(rgb))
    assert json.loads((out / 'oversegmentation.json').read_text()) == dict(
        version=2, threshold=0.25, num_regions=48, edge_model=None)


@pytest.mark.parametrize('options, expected', [
    (('--num-regions', '5'), dict(num_regions=5)),
    (('--threshold', '0.02'), dict(threshold=0.02)),
    (('--threshold', '0.02', '--num-regions', '9'),
     dict(threshold=0.02, num_regions=9)),
])
def test_options(make, images, options, expected):
    out = make(*options)
    found = np.asarray(Image.open(out / 'b/c.png'))
    rgb = np.asarray(Image.open(images / 'b/c.png'))
    assert np.array_equal(found, OverSegmenter(**expected)(rgb))


def test_more_than_256_regions(make, images):
    Image.fromarray(data.coffee()).save(images / 'b/c.png')
    out = make('--threshold', '0.05')
    assert Image.open(out / 'b/c.png').mode == 'I;16'
    assert np.asarray(Image.open(out / 'b/c.png')).max() > 255
    assert Image.open(out / 'a.png').mode == 'L'


def test_turned_photograph(script, images, tmp_path):
    """Its orientation is obeyed, as when it is trained on."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.coffee()[:50, :80]).save(
        images / 'a.jpg', exif=exif.tobytes())
    script.main([str(images), str(tmp_path / 'out'), '--workers', '1'])
    assert Image.open(tmp_path / 'out/a.png').size == (50, 80)


def test_resume(make, images, capsys, monkeypatch):
    replace = os.replace

    def full(source, target):
        if str(target).endswith('c.png'):
            raise OSError(28, 'No space left on device', str(target))
        replace(source, target)

    monkeypatch.setattr(atomic.os, 'replace', full)
    with pytest.raises(
            UserError,
            match=r'No space left.*command with --resume goes on from there'):
        make()
    monkeypatch.undo()
    out = images.parent / 'out'
    done = len(maps_of(out))
    assert done < 3 and (out / 'a.png').is_file()
    assert not list(out.rglob('*.part'))
    # Not by accident.
    with pytest.raises(UserError, match='not empty: --resume goes on'):
        make()
    before = (out / 'a.png').stat().st_mtime_ns
    capsys.readouterr()
    make('--resume')
    assert f'maps of 3 images ({3 - done} new)' in capsys.readouterr().out
    assert (out / 'a.png').stat().st_mtime_ns == before
    # Nothing is left to do, until there are new images.
    make('--resume')
    assert '(0 new)' in capsys.readouterr().out
    Image.fromarray(data.coffee()[:40, :50]).save(images / 'new.png')
    make('--resume')
    assert 'maps of 4 images (1 new)' in capsys.readouterr().out


def test_resume_from_nothing(make):
    assert len(maps_of(make('--resume'))) == 3


def test_settings_are_not_mixed(make, images):
    out = make()
    with pytest.raises(
            UserError,
            match='of other settings .threshold 0.25, asked for None; '
            'num_regions 48, asked for 7'):
        make('--resume', '--num-regions', '7')
    (out / 'oversegmentation.json').unlink()
    for options in ((), ('--resume', )):
        with pytest.raises(UserError, match='not made by this program'):
            make(*options)


def test_interrupted_processes(script, tmp_path, capsys):
    """As the terminal does it: the interrupt is for all of the group."""
    images, out = tmp_path / 'images', tmp_path / 'out'
    images.mkdir()
    image = data.coffee()[:240, :320]
    for i in range(120):
        Image.fromarray(image).save(images / f'{i}.png', compress_level=0)
    process = subprocess.Popen(
        [sys.executable, SCRIPT, images, out, '--workers', '2'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            **os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)
        })
    try:
        deadline = time.monotonic() + 120
        while not any(out.rglob('*.png')):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, errors
    assert 'the same command with --resume goes on from here' in errors
    assert 'Images' in errors and 'Traceback' not in errors
    assert not list(out.rglob('*.part'))
    done = len(maps_of(out))
    assert 0 < done < 120
    # What is missing is made, and all of it is whole.
    script.main([str(images), str(out), '--resume', '--workers', '1'])
    assert f'120 images ({120 - done} new)' in capsys.readouterr().out
    expected = encode_segment_map(OverSegmenter()(image))
    assert set(maps_of(out).values()) == {expected}


def test_broken_image(make, images):
    (images / 'b/c.png').write_bytes(b'no png')
    with pytest.raises(UserError, match=r"c.png' cannot be read .*replace"):
        make()


@pytest.mark.parametrize('options, message', [
    (('--threshold', '3'), 'from 0 to 1, got 3'),
    (('--num-regions', '0'), 'at least 1, got 0'),
    (('--edge-model', 'gone.yml.gz'), "no model .*'gone.yml.gz'"),
])
def test_bad_options(make, options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        make(*options)
    assert not (tmp_path / 'out').exists()


def test_bad_command_line(make, capsys):
    with pytest.raises(SystemExit):
        make(workers=0)
    assert '--workers must be at least 1, got 0' in capsys.readouterr().err


def test_bad_folders(script, make, images, tmp_path):
    empty = tmp_path / 'empty'
    empty.mkdir()
    for folder, out, message in (
        ('gone', 'out', "no folder '.*gone' of images"),
        ('empty', 'out', 'no image .*.jpg.*empty'),
        ('images', 'images/maps', 'is in the folder of the images'),
        ('images', 'images', 'is in the folder of the images'),
        ('images', 'images/a.jpg', 'is in the folder of the images'),
    ):
        with pytest.raises(UserError, match=message):
            script.main([str(tmp_path / folder), str(tmp_path / out)])
    (images / 'a.png').write_bytes((images / 'b/c.png').read_bytes())
    with pytest.raises(UserError, match="a.jpg' and .*a.png' differ in"):
        make()
    assert not (tmp_path / 'out').exists()
