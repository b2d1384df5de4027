import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.datasets import CustomDataset
from PIL import Image

from mmhierseg._base.errors import UserError

SCRIPT = (
    Path(__file__).parents[2] / 'tools/dataset_converters/imagenet_subset.py')
CLASSES = ('n01440764', 'n01443537', 'n01484850')


@pytest.fixture(scope='module')
def script():
    spec = importlib.util.spec_from_file_location('imagenet_subset', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path):
    """ImageNet of three classes: 3 images to train on, 2 to validate."""
    rng = np.random.default_rng(0)
    for split, number in (('train', 3), ('val', 2)):
        for name in CLASSES:
            folder = tmp_path / 'imagenet' / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                image = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
                Image.fromarray(image).save(folder / f'{name}_{i}.JPEG')
    return tmp_path / 'imagenet'


@pytest.fixture
def run(script, source, tmp_path):
    """Run the script with a list of classes; returns OUT."""

    def run_script(*options, classes='n01484850\nn01440764\n', out='out'):
        path = tmp_path / 'classes.txt'
        path.write_text(classes)
        script.main([
            str(source), str(tmp_path / out), '--classes', str(path),
            *options
        ])
        return tmp_path / out

    return run_script


def files(folder):
    """Contents by path; links are followed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ('train', 'val') for path in sorted(
            (folder / name).glob('*/*'))
    }


@pytest.mark.parametrize('options', [(), ('--copy', )])
def test_mmpretrain_reads_what_is_written(run, source, options, capsys):
    out = run(*options)
    assert '2 classes in train, val' in capsys.readouterr().out
    train = CustomDataset(data_root=str(out), data_prefix='train')
    val = CustomDataset(data_root=str(out), data_prefix='val')
    assert (len(train), len(val)) == (6, 4)
    assert list(train.CLASSES) == ['n01440764', 'n01484850']
    unlabelled = CustomDataset(
        data_root=str(out), data_prefix='train', with_label=False)
    assert len(unlabelled) == 6
    expected = {
        name: content for name, content in files(source).items()
        if 'n01443537' not in name
    }
    assert files(out) == expected and len(expected) == 10


def test_links_are_links_and_copies_are_not(run):
    linked, copied = run(), run('--copy', out='copied')
    assert (linked / 'train' / 'n01440764').is_symlink()
    assert not any(path.is_symlink() for path in copied.rglob('*'))


def test_one_split(run):
    out = run('--splits', 'train')
    assert [path.name for path in out.iterdir()] == ['train']


def test_list_may_have_comments_and_descriptions(run):
    out = run(classes='# ImageNet-1\n\n  n01443537 goldfish\n')
    assert [path.name for path in (out / 'val').iterdir()] == ['n01443537']


def test_takes_up_an_interrupted_run(run, source, capsys):
    out = run('--copy')
    whole = files(out)
    folder = out / 'train' / 'n01440764'
    first, second = sorted(folder.iterdir())[:2]
    first.unlink()
    first.with_name(f'{first.name}.part').write_bytes(b'half')
    second.write_bytes(b'cut')
    shutil.rmtree(out / 'val' / 'n01484850')
    before = (out / 'val' / 'n01440764').stat().st_mtime_ns
    capsys.readouterr()
    run('--copy')
    assert files(out) == whole
    assert '(2 class folders new)' in capsys.readouterr().out
    assert (out / 'val' / 'n01440764').stat().st_mtime_ns == before
    run('--copy')
    assert '(0 class folders new)' in capsys.readouterr().out


def test_links_follow_a_source_that_moved(script, source, run, tmp_path):
    out = run()
    moved = source.rename(tmp_path / 'elsewhere')
    script.main([str(moved), str(out), '--classes',
                 str(tmp_path / 'classes.txt')])
    assert len(files(out)) == 10


@pytest.mark.parametrize('classes, message', [
    ('n01440764\nn01443538\n', r'imagenet/train has no class n01443538 '
     r'\(for n01443538, did you mean n01443537\?\)'),
    ('robin\n', 'has no class robin; its folders are named like n01440764'),
    ('\n'.join(f'robin{i}' for i in range(9)), 'robin4 and 4 more'),
    ('n01440764\nn01440764\n', 'names n01440764 more than once'),
    ('# nothing\n', 'names no class'),
    ('../train/n01440764\n', 'must be the name of a folder, not a path'),
])
def test_bad_lists(run, tmp_path, classes, message):
    with pytest.raises(UserError, match=message):
        run(classes=classes)
    assert not (tmp_path / 'out').exists()


def test_unreadable_list(script, source, tmp_path):
    with pytest.raises(UserError, match='cannot read the list'):
        script.main([str(source), str(tmp_path / 'out'), '--classes',
                     str(tmp_path / 'missing.txt')])


def test_empty_class_folder(run, source, tmp_path):
    folder = source / 'val' / 'n01484850'
    for path in folder.iterdir():
        path.unlink()
    (folder / 'notes.txt').write_text('no image')
    with pytest.raises(UserError, match='no image in n01484850: the data'):
        run()
    assert not (tmp_path / 'out').exists()


def test_validation_images_in_a_heap(run, source):
    for folder in list((source / 'val').iterdir()):
        for path in folder.iterdir():
            path.rename(source / 'val' / path.name)
        folder.rmdir()
    with pytest.raises(UserError, match='has no class folders: sort its'):
        run()


def test_missing_split(run):
    with pytest.raises(UserError, match='no folder .*test.*--splits'):
        run('--splits', 'test')


def test_does_not_mix(run):
    run()
    with pytest.raises(UserError, match='holds n01484850, which the list'):
        run(classes='n01440764\n')
    with pytest.raises(UserError, match='was made of links'):
        run('--copy')
    run('--copy', out='copied')
    with pytest.raises(UserError, match='go on with --copy'):
        run(out='copied')


def test_refuses_to_write_into_the_source(run):
    with pytest.raises(UserError, match='outside of SRC'):
        run(out='imagenet/subset')


def test_full_disk(run, script, monkeypatch, tmp_path):
    """What was being written is not taken for an image afterwards."""

    def copyfile(source, target):
        Path(target).write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(script.shutil, 'copyfile', copyfile)
        with pytest.raises(UserError, match='No space left.*goes on from'):
            run('--copy')
    out = run('--copy')
    assert len(files(out)) == 10
    assert not list(out.rglob('*.part'))


def test_errors_come_without_a_traceback(tool, tmp_path):
    result = tool('dataset_converters/imagenet_subset.py', tmp_path,
                  tmp_path / 'out', '--classes', tmp_path / 'none.txt',
                  check=False)
    assert result.returncode == 1 and 'Traceback' not in result.stdout
    assert 'imagenet_subset.py: error: cannot read' in result.stdout
