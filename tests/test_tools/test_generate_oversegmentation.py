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

SCRIPT = 'dataset_converters/generate_oversegmentation.py'
NAMES = ('a.jpg', 'b/c.png', 'b/d/e.JPEG')


@pytest.fixture
def images(tmp_path):
    root = tmp_path / 'images'
    noise = np.random.default_rng(0).integers(
        0, 256, (80, 130, 3), dtype=np.uint8)
    parts = (data.coffee()[:60, 200:290], data.coffee()[99:159, 200:290],
             noise)
    for name, part in zip(NAMES, parts):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        # The orientation is applied, as when the image is trained on.
        exif = Image.Exif()
        exif[0x0112] = 6 if name == 'a.jpg' else 1
        Image.fromarray(part).save(root / name, exif=exif.tobytes())
    (root / 'notes.txt').write_text('no image')
    return root


@pytest.fixture
def make(images, tmp_path):
    main = load_script(SCRIPT).main

    def run(*options, folder='images', out='out'):
        main([
            str(tmp_path / folder), str(tmp_path / out), '--workers', '1',
            *options
        ])
        return tmp_path / out

    return run


@pytest.mark.parametrize('options, expected', [
    ((), {}),
    (('--num-regions', '5'), dict(num_regions=5)),
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
    assert (results['segment_map'].max() > 255) == ('0' in options)
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
    # New images may be added.
    Image.fromarray(data.coffee()[:40, :50]).save(images / 'new.png')
    make('--resume')
    assert 'maps of 4 images (3 new)' in capsys.readouterr().out
    assert (out / 'a.png').stat().st_mtime_ns == before
    with pytest.raises(
            UserError,
            match='of other settings .threshold 0.25, requested None; '
            'num_regions 48, requested 7'):
        make('--resume', '--num-regions', '7')
    (out / 'oversegmentation.json').unlink()
    with pytest.raises(UserError, match='not made by this program'):
        make('--resume')


@pytest.mark.slow
def test_interrupted_processes(make, tmp_path, capsys):
    images, out = tmp_path / 'many', tmp_path / 'out'
    images.mkdir()
    image = data.coffee()[:240, :320]
    for i in range(120):
        Image.fromarray(image).save(images / f'{i}.png', compress_level=0)
    errors, status = run_and_interrupt(
        [TOOLS / SCRIPT, images, out, '--workers', '2'], out, '*.png')
    assert status == 130, errors
    assert 'the same command with --resume resumes from here' in errors
    assert 'Images' in errors and 'Traceback' not in errors
    assert not list(out.rglob('*.part'))
    done = len(list(out.rglob('*.png')))
    assert 0 < done < 120
    # Resuming makes the missing ones, and all of them are complete.
    make('--resume', folder='many')
    assert f'120 images ({120 - done} new)' in capsys.readouterr().out
    expected = encode_segment_map(OverSegmenter()(image))
    assert {path.read_bytes() for path in out.rglob('*.png')} == {expected}


def test_bad_options_and_folders(make, images, tmp_path):
    (tmp_path / 'empty').mkdir()
    (images / 'b/c.jpg').write_bytes(b'no image')
    for options, folders, message in (
        (('--threshold', '3'), {}, 'from 0 to 1, got 3'),
        (('--edge-model', 'gone.yml.gz'), {}, "no model .*'gone.yml.gz'"),
        ((), dict(folder='gone'), "no folder '.*gone' of images"),
        ((), dict(folder='empty'), 'no image .*.jpg.*empty'),
        ((), dict(out='images/maps'), 'is in the folder of the images'),
        ((), {}, "c.jpg' and .*c.png' differ in"),
    ):
        with pytest.raises(UserError, match=message):
            make(*options, **folders)
    assert not (tmp_path / 'out').exists()
    (images / 'b/c.png').unlink()
    with pytest.raises(UserError, match=r"c.jpg' cannot be read .*replace"):
        make()
