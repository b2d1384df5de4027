import shutil

import numpy as np
import pytest
from helpers.disk import fill_disk_at
from helpers.scripts import load_script
from mmpretrain.datasets import CustomDataset
from PIL import Image

from mmhierseg._base.errors import UserError

CLASSES = ('n01440764', 'n01443537', 'n01484850')


@pytest.fixture(scope='module')
def script():
    return load_script('dataset_converters/imagenet_subset.py')


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
def test_mmpretrain_reads_the_subset(run, source, options, capsys):
    out = run(*options)
    assert '2 classes in train, val' in capsys.readouterr().out
    train = CustomDataset(data_root=str(out), data_prefix='train')
    assert len(train) == 6
    assert list(train.CLASSES) == ['n01440764', 'n01484850']
    expected = {
        name: content for name, content in files(source).items()
        if 'n01443537' not in name
    }
    assert files(out) == expected and len(expected) == 10
    assert (out / 'train' / 'n01440764').is_symlink() == (not options)


def test_list_may_have_comments_and_descriptions(run):
    out = run(
        '--splits', 'val', classes='# ImageNet-1\n\n  n01443537 goldfish\n')
    assert [str(path.relative_to(out)) for path in out.glob('*/*')
            ] == ['val/n01443537']


def test_resume(run, source, script, capsys, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_at(patch, 'n01440764_2')
        with pytest.raises(UserError, match='No space left.*resumes from'):
            run('--copy')
    out = run('--copy')
    assert files(out).keys() < files(source).keys() and len(files(out)) == 10
    assert not list(out.rglob('*.part'))
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
    # Links follow a source that has moved.
    linked = run(out='linked')
    moved = source.rename(tmp_path / 'elsewhere')
    script.main([str(moved), str(linked), '--classes',
                 str(tmp_path / 'classes.txt')])
    assert files(linked) == whole


def test_bad_lists(run, tmp_path):
    for classes, message in (
        ('n01440764\nn01443538\n', 'imagenet/train has no class n01443538 '
         r'\(for n01443538, did you mean n01443537\?\)'),
        ('\n'.join(f'robin{i}' for i in range(9)),
         'robin4 and 4 more; its folders are named like n01440764'),
        ('n01440764\nn01440764\n', 'names n01440764 more than once'),
        ('# nothing\n', 'names no class'),
        ('../train/n01440764\n', 'must be the name of a folder, not a path'),
    ):
        with pytest.raises(UserError, match=message):
            run(classes=classes)
    assert not (tmp_path / 'out').exists()


def test_bad_source(run, source, tmp_path):
    with pytest.raises(UserError, match='no folder .*test.*--splits'):
        run('--splits', 'test')
    for path in (source / 'val' / 'n01484850').iterdir():
        path.rename(source / 'val' / path.name)
    with pytest.raises(UserError, match='no image in n01484850: the dataset'):
        run()
    for name in CLASSES:
        shutil.rmtree(source / 'val' / name)
    with pytest.raises(UserError, match='has no class folders: sort its'):
        run()
    assert not (tmp_path / 'out').exists()


def test_refuses_to_mix(run):
    run()
    with pytest.raises(UserError, match='holds n01484850, which the list'):
        run(classes='n01440764\n')
    with pytest.raises(UserError, match='was made of links'):
        run('--copy')
    with pytest.raises(UserError, match='outside of SRC'):
        run(out='imagenet/subset')


@pytest.mark.slow
def test_errors_come_without_a_traceback(tool, tmp_path):
    result = tool('dataset_converters/imagenet_subset.py', tmp_path,
                  tmp_path / 'out', '--classes', tmp_path / 'none.txt',
                  check=False)
    assert result.returncode == 1 and 'Traceback' not in result.stdout
    assert 'imagenet_subset.py: error: cannot read' in result.stdout
