"""The tool that over-segments the images of a folder."""

import json

import numpy as np
import pytest
from helpers.disk import contents, fill_disk_at, run_and_interrupt
from helpers.scripts import TOOLS, load_script
from PIL import Image
from skimage import data

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import LoadImage, LoadSegmentMap
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map
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
        if name == 'b/d/e.JPEG':
            part = np.random.default_rng(0).integers(
                0, 256, (80, 130, 3), dtype=np.uint8)
        # The orientation is applied, as when the image is trained on.
        exif = Image.Exif()
        exif[0x0112] = 6 if name == 'a.jpg' else 1
        Image.fromarray(part).save(root / name, exif=exif.tobytes())
    (root / 'notes.txt').write_text('no image')
    return root


@pytest.fixture
def make(script, images, tmp_path):

    def run(*options):
        script.main([
            str(images), str(tmp_path / 'out'), '--workers', '1', *options
        ])
        return tmp_path / 'out'

    return run


@pytest.mark.parametrize('options, expected', [
    ((), {}),
    (('--num-regions', '5'), dict(num_regions=5)),
    (('--threshold', '0.02', '--num-regions', '9'),
     dict(threshold=0.02, num_regions=9)),
    # More than 256 regions.
    (('--threshold', '0'), dict(threshold=0)),
])
def test_maps(make, images, capsys, options, expected):
    """LoadSegmentMap finds them; images are loaded as in pipelines."""
    out = make(*options)
    assert 'maps of 3 images (3 new)' in capsys.readouterr().out
    assert sorted(contents(out)) == [
        'a.png', 'b/c.png', 'b/d/e.png', 'oversegmentation.json'
    ]
    load = LoadSegmentMap(map_prefix=str(out), img_prefix=str(images))
    segmenter = OverSegmenter(**expected)
    for name in NAMES:
        results = load(LoadImage()(dict(img_path=str(images / name))))
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        if name == 'a.jpg':
            assert rgb.shape[:2] == (90, 60)
        assert np.array_equal(results['segment_map'], segmenter(rgb))
    if '0' in options:
        assert results['segment_map'].max() > 255
    assert json.loads((out / 'oversegmentation.json').read_text()) == dict(
        version=2,
        threshold=segmenter.threshold,
        num_regions=segmenter.num_regions,
        edge_model=None)


def test_resume(make, images, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_at(patch, 'c.png')
        with pytest.raises(UserError, match='No space left.*--resume resumes'):
            make()
    out = images.parent / 'out'
    assert [path.name for path in out.rglob('*.p*')] == ['a.png']
    # Not by accident.
    with pytest.raises(UserError, match='not empty: --resume continues'):
        make()
    before = (out / 'a.png').stat().st_mtime_ns
    make('--resume')
    assert 'maps of 3 images (2 new)' in capsys.readouterr().out
    assert (out / 'a.png').stat().st_mtime_ns == before
    # New images may be added.
    Image.fromarray(data.coffee()[:40, :50]).save(images / 'new.png')
    make('--resume')
    assert 'maps of 4 images (1 new)' in capsys.readouterr().out
    with pytest.raises(
            UserError,
            match='of other settings .threshold 0.25, requested None; '
            'num_regions 48, requested 7'):
        make('--resume', '--num-regions', '7')
    (out / 'oversegmentation.json').unlink()
    with pytest.raises(UserError, match='not made by this program'):
        make('--resume')


@pytest.mark.slow
def test_interrupted_processes(script, tmp_path, capsys):
    images, out = tmp_path / 'images', tmp_path / 'out'
    images.mkdir()
    image = data.coffee()[:240, :320]
    for i in range(120):
        Image.fromarray(image).save(images / f'{i}.png', compress_level=0)
    errors, status = run_and_interrupt(
        [SCRIPT, images, out, '--workers', '2'], out, '*.png')
    assert status == 130, errors
    assert 'the same command with --resume resumes from here' in errors
    assert 'Images' in errors and 'Traceback' not in errors
    assert not list(out.rglob('*.part'))
    done = len(list(out.rglob('*.png')))
    assert 0 < done < 120
    # Resuming makes the missing ones, and all of them are complete.
    script.main([str(images), str(out), '--resume', '--workers', '1'])
    assert f'120 images ({120 - done} new)' in capsys.readouterr().out
    expected = encode_segment_map(OverSegmenter()(image))
    assert {path.read_bytes() for path in out.rglob('*.png')} == {expected}


def test_bad_options(make, tmp_path):
    for options, message in (
        (('--threshold', '3'), 'at most 1, got 3'),
        (('--num-regions', '0'), 'at least 1, got 0'),
        (('--edge-model', 'gone.yml.gz'), "no model .*'gone.yml.gz'"),
    ):
        with pytest.raises(UserError, match=message):
            make(*options)
    assert not (tmp_path / 'out').exists()


def test_bad_folders(script, make, images, tmp_path):
    (tmp_path / 'empty').mkdir()
    for folder, out, message in (
        ('gone', 'out', "no folder '.*gone' of images"),
        ('empty', 'out', 'no image .*.jpg.*empty'),
        ('images', 'images/maps', 'is in the folder of the images'),
        ('images', 'images', 'is in the folder of the images'),
    ):
        with pytest.raises(UserError, match=message):
            script.main([str(tmp_path / folder), str(tmp_path / out)])
    (images / 'a.png').write_bytes((images / 'b/c.png').read_bytes())
    with pytest.raises(UserError, match="a.jpg' and .*a.png' differ in"):
        make()
    assert not (tmp_path / 'out').exists()
    (images / 'a.png').write_bytes(b'no png')
    (images / 'a.jpg').unlink()
    with pytest.raises(UserError, match=r"a.png' cannot be read .*replace"):
        make()
