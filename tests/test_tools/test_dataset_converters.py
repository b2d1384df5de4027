"""Converters of KITTI-STEP and PartImageNet, subsets, photos and regions."""

import json
import shutil

import numpy as np
import pytest
from helpers.disk import contents, fill_disk_at
from helpers.panoptic import make_kitti_step, panoptic_map, save_png
from helpers.part_imagenet import make_part_imagenet
from helpers.scripts import load_script
from mmpretrain.datasets import CustomDataset
from mmseg.datasets import CityscapesDataset
from PIL import Image
from skimage import data

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import LoadImage, LoadSegmentMap
from mmhierseg.oversegmentation import OverSegmenter

SPLITS = ('--splits', 'train', 'val')
CLASSES = ('n01440764', 'n01443537', 'n01484850')


def run(tool, *words):
    main = load_script(f'dataset_converters/{tool}.py').main
    main([str(word) for word in words])


def refuses(message, tool, *words):
    with pytest.raises(UserError, match=message):
        run(tool, *words)


def make_imagenet(root):
    """Three classes: 3 images to train on, 2 to validate."""
    rng = np.random.default_rng(0)
    for split, count in (('train', 3), ('val', 2)):
        for name in CLASSES:
            for i in range(count):
                save_png(
                    rng.integers(0, 256, (8, 9, 3), dtype=np.uint8),
                    root / split / name / f'{name}_{i}.png')
    (root / 'list.txt').write_text(
        f'# ImageNet-2\n\n{CLASSES[2]} shark\n{CLASSES[0]}\n')


def make_images(root):
    noise = np.random.default_rng(0).integers(
        0, 256, (80, 130, 3), dtype=np.uint8)
    for name, image in (('a.png', data.coffee()[:60, 200:290]),
                        ('b/c.png', data.coffee()[99:159, 200:290]),
                        ('b/d/e.png', noise)):
        save_png(image, root / name)
    # The orientation is applied, as when the image is trained on.
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(root / 'a.png') as image:
        image.save(root / 'a.jpg', exif=exif.tobytes())
    (root / 'a.png').unlink()
    (root / 'notes.txt').write_text('no image')


@pytest.mark.parametrize('tool, make, words, full, count', [
    ('kitti_step', make_kitti_step, ('--out', 'out'), '0020/000000', 6),
    # The part map of this image has been written then.
    ('part_imagenet', make_part_imagenet, ('--out', 'out', *SPLITS),
     'object/val/n02835271', 12),
    ('imagenet_subset', make_imagenet,
     ('out', '--classes', 'in/list.txt', '--copy'), 'n01440764_2', 10),
    ('generate_oversegmentation', make_images, ('out', '--workers', '1'),
     'c.png', 3),
])
def test_resume(tool, make, words, full, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / 'in')
    with monkeypatch.context() as patch:
        fill_disk_at(patch, full)
        refuses('No space left.*resumes from', tool, 'in', *words)
    out = tmp_path / 'out'
    assert not list(out.rglob('*.part'))
    done = sorted(out.rglob('*.png'))
    assert 0 < len(done) < count
    before = done[0].stat().st_mtime_ns
    if tool == 'generate_oversegmentation':
        refuses('not empty: --resume continues', tool, 'in', *words)
        words += ('--resume', )
    run(tool, 'in', *words)
    assert done[0].stat().st_mtime_ns == before
    whole = contents(out)
    assert sum(name.endswith('.png') for name in whole) == count
    done[0].rename(done[0].with_name(f'{done[0].name}.0123abcd.part'))
    run(tool, 'in', *words)
    assert contents(out) == whole


def test_kitti_step(tmp_path, capsys):
    maps = make_kitti_step(tmp_path)
    run('kitti_step', tmp_path)
    assert ('lacks 0001, 0003, 0004, 0005, 0009 and 5 more'
            in capsys.readouterr().err)
    for name, pixels in maps.items():
        with Image.open(tmp_path / 'labels' / f'{name}.png') as image:
            np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])
            colors = np.asarray(image.convert('RGB'))
        road = CityscapesDataset.METAINFO['palette'][0]
        assert (colors[pixels[..., 0] == 0] == road).all()
    shutil.rmtree(tmp_path / 'labels')
    # Files are looked for before anything is written.
    (tmp_path / 'images/val/0002/000001.png').unlink()
    refuses('maps has no image: 0002/000001', 'kitti_step', tmp_path)
    pixels = panoptic_map(np.random.default_rng(1))
    save_png(pixels, tmp_path / 'images/val/0001/000000.png')
    refuses("0001, which belongs to 'train'", 'kitti_step', tmp_path)
    assert not (tmp_path / 'labels').exists()


def test_part_imagenet(tmp_path):
    """That PartImageNetDataset reads the label PNGs is tested there."""
    make_part_imagenet(tmp_path)
    refuses("no '.*annotations/test.json'", 'part_imagenet', tmp_path)
    assert not (tmp_path / 'labels').exists()
    run('part_imagenet', tmp_path, *SPLITS)
    names = json.loads((tmp_path / 'labels/part_imagenet.json').read_text())
    assert names['part'][26] == 'Car Tier' and names['object'][7] == 'Car'
    (tmp_path / 'images/val/n02835271/n02835271_11.JPEG').unlink()
    refuses('n02835271_11.JPEG. They are', 'part_imagenet', tmp_path, *SPLITS)


@pytest.mark.parametrize('options', [(), ('--copy', )])
def test_imagenet_subset(options, tmp_path):
    """MMPretrain reads it; links follow a source that has moved."""
    source, out = tmp_path / 'in', tmp_path / 'out'
    make_imagenet(source)
    expected = {
        name: content for name, content in contents(source).items()
        if CLASSES[1] not in name and name != 'list.txt'
    }
    words = ('--classes', tmp_path / 'list.txt', *options)
    shutil.move(source / 'list.txt', tmp_path)
    run('imagenet_subset', source, out, *words)
    train = CustomDataset(data_root=str(out), data_prefix='train')
    assert len(train) == 6 and list(train.CLASSES) == [CLASSES[0], CLASSES[2]]
    assert (out / 'train' / CLASSES[0]).is_symlink() == (not options)
    moved = source.rename(tmp_path / 'elsewhere')
    run('imagenet_subset', moved, out, *words)
    assert {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.glob('*/*/*')
    } == expected and len(expected) == 10
    # Copies and links are not mixed, nor two lists.
    other = () if options else ('--copy', )
    refuses('was made of ', 'imagenet_subset', moved, out, *words[:2], *other)
    (tmp_path / 'list.txt').write_text(CLASSES[0])
    refuses('holds n01484850, which the list', 'imagenet_subset', moved, out,
            *words)


@pytest.mark.parametrize('options, expected', [
    ((), {}),
    (('--num-regions', '5'), dict(num_regions=5)),
    # More than 256 regions.
    (('--threshold', '0'), dict(threshold=0)),
])
def test_over_segmentation(options, expected, tmp_path):
    """LoadSegmentMap finds the maps; images are loaded as in pipelines."""
    images, out = tmp_path / 'in', tmp_path / 'out'
    make_images(images)
    (images / 'b/loop').symlink_to(images)
    (tmp_path / 'other').mkdir()
    shutil.copy(images / 'b/c.png', tmp_path / 'other/f.png')
    (images / 'link').symlink_to(tmp_path / 'other')
    words = ('generate_oversegmentation', images, out, '--workers', '1')
    run(*words, *options)
    assert len(list(out.rglob('*.png'))) == 4
    load = LoadSegmentMap(map_prefix=str(out), img_prefix=str(images))
    segmenter = OverSegmenter(**expected)
    for name in ('a.jpg', 'link/f.png', 'b/c.png', 'b/d/e.png'):
        results = load(LoadImage()(dict(img_path=str(images / name))))
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        assert rgb.shape[:2] == (90, 60) or name != 'a.jpg'
        np.testing.assert_array_equal(results['segment_map'], segmenter(rgb))
    assert (results['segment_map'].max() > 255) == ('0' in options)
    path = out / 'oversegmentation.json'
    assert json.loads(path.read_text()) == dict(
        version=3,
        threshold=segmenter.threshold,
        num_regions=segmenter.num_regions,
        edge_model=None)
    refuses('of other settings .*num_regions .*, requested 7', *words,
            '--resume', '--num-regions', '7')
    path.unlink()
    refuses('not made by this program', *words, '--resume')


def test_bad_input(tmp_path):
    """Nothing is written before everything has been checked."""
    source, images = tmp_path / 'in', tmp_path / 'images'
    path, out = tmp_path / 'list.txt', tmp_path / 'out'
    make_imagenet(source)
    make_images(images)
    (tmp_path / 'empty').mkdir()
    (images / 'b/c.jpg').write_bytes(b'no image')
    subset = ('imagenet_subset', source, out, '--classes', path)
    for names, message in (
        ('\n'.join(f'robin{i}' for i in range(9)), 'train has no class .*'
         'robin4 and 4 more; its folders are named like n01440764'),
        ('n01440764\nn01440764\n', 'names n01440764 more than once'),
        ('../train/n01440764\n', 'name of a folder, not a path'),
    ):
        path.write_text(names)
        refuses(message, *subset)
    path.write_text(f'\ufeff{CLASSES[0]}\r\n\r\n')
    refuses('no folder .*test.*--splits', *subset, '--splits', 'test')
    refuses('outside of SRC', *subset[:2], source / 'subset', *subset[3:])
    for words, message in (
        ((images, out, '--edge-model', 'gone'), "no model .*'gone'"),
        ((tmp_path / 'empty', out), 'no image .*.jpg.*empty'),
        ((images, images / 'maps'), 'is in the folder of the images'),
        ((images, out), "c.jpg' and .*c.png' differ in"),
    ):
        refuses(message, 'generate_oversegmentation', *words)
    for name in CLASSES:
        shutil.rmtree(source / 'val' / name)
    refuses('has no class folders: sort its', *subset)
    assert not out.exists()
    (images / 'b/c.png').unlink()
    refuses("c.jpg' cannot be read .*replace", 'generate_oversegmentation',
            images, out, '--workers', '1')


def test_photographs(tmp_path, monkeypatch):
    """MMPretrain reads them; the seed decides; runs are resumed."""
    photos = load_script('dataset_converters/skimage_photos.py')
    assert len(photos.find_photographs()) == len(photos.PHOTOGRAPHS) >= 10
    monkeypatch.setattr(photos, 'PHOTOGRAPHS', ('camera.png', 'chelsea.png'))

    def make(name, *options):
        photos.main([
            str(tmp_path / name), '--crops', '2', '--size', '32', *options
        ])
        return contents(tmp_path / name)

    first, other = make('a'), make('c', '--seed', '1')
    dataset = CustomDataset(str(tmp_path / 'a'), data_prefix='train')
    assert len(dataset) == 4
    assert list(dataset.CLASSES) == ['camera', 'chelsea']
    crop = Image.open(dataset[0]['img_path'])
    assert crop.size == (32, 32) and crop.mode == 'RGB'
    for source in photos.find_photographs():
        copy = Image.open(tmp_path / 'a/photos' / f'{source.stem}.png')
        np.testing.assert_array_equal(
            np.asarray(copy), np.asarray(Image.open(source).convert('RGB')))
    assert all((first[name] != other[name]) == (not name.endswith('png'))
               for name in first)
    (tmp_path / 'a/train/chelsea/001.jpg').unlink()
    assert make('a') == first
    with pytest.raises(UserError, match='seed 0, requested 3.*another folder'):
        make('a', '--seed', '3')


def test_crops_are_random_in_place_and_scale():
    """On a ramp, a crop's mean gives its place and its spread its scale."""
    photos = load_script('dataset_converters/skimage_photos.py')
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    photo = Image.fromarray(np.tile(ramp[:, None], (200, 1, 3)))
    rng = np.random.default_rng(0)
    crops = np.array([photos.random_crop(photo, 64, rng) for _ in range(50)])
    spreads = np.ptp(crops, axis=(1, 2, 3))
    # Sides run from 64 to 200 of the ramp's 300 columns.
    assert 45 < min(spreads) < 70 and 140 < max(spreads) < 180
    assert crops.mean((1, 2, 3)).std() > 15
