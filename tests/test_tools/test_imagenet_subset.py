import shutil

import numpy as np
import pytest
from helpers.disk import fill_disk_at
from helpers.scripts import load_script
from mmpretrain.datasets import CustomDataset
from PIL import Image

from mmhierseg._base.errors import UserError

CLASSES = ('n01440764', 'n01443537', 'n01484850')


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
def run(source, tmp_path):
    """Run the script with a list of classes; returns OUT."""
    script = load_script('dataset_converters/imagenet_subset.py')

    def run_script(*options, src=source, out='out',
                   classes='# ImageNet-2\n\nn01484850 shark\nn01440764\n'):
        path = tmp_path / 'classes.txt'
        path.write_text(classes)
        script.main([
            str(src), str(tmp_path / out), '--classes', str(path), *options
        ])
        return tmp_path / out

    return run_script


def files(folder):
    """Contents by path; links are followed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob('*/*/*'))
    }


@pytest.mark.parametrize('options', [(), ('--copy', )])
def test_subset(run, source, options, capsys, tmp_path):
    """MMPretrain reads it; links follow a source that has moved."""
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
    moved = source.rename(tmp_path / 'elsewhere')
    assert files(run(*options, src=moved)) == expected


def test_resume(run, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_at(patch, 'n01440764_2')
        with pytest.raises(UserError, match='No space left.*resumes from'):
            run('--copy')
    out = run('--copy')
    assert not list(out.rglob('*.part'))
    whole = files(out)
    first, second = sorted((out / 'train' / 'n01440764').iterdir())[:2]
    first.unlink()
    first.with_name(f'{first.name}.part').write_bytes(b'half')
    second.write_bytes(b'cut')
    shutil.rmtree(out / 'val' / 'n01484850')
    before = (out / 'val' / 'n01440764').stat().st_mtime_ns
    capsys.readouterr()
    run('--copy')
    assert files(out) == whole and len(whole) == 10
    assert '(2 class folders new)' in capsys.readouterr().out
    assert (out / 'val' / 'n01440764').stat().st_mtime_ns == before


def test_bad_lists_and_sources(run, source, tmp_path):
    for classes, message in (
        ('\n'.join(f'robin{i}' for i in range(9)), 'train has no class .*'
         'robin4 and 4 more; its folders are named like n01440764'),
        ('n01440764\nn01440764\n', 'names n01440764 more than once'),
        ('# nothing\n', 'names no class'),
        ('../train/n01440764\n', 'must be the name of a folder, not a path'),
    ):
        with pytest.raises(UserError, match=message):
            run(classes=classes)
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
    run('--splits', 'train')
    with pytest.raises(UserError, match='holds n01484850, which the list'):
        run('--splits', 'train', classes='n01440764\n')
    with pytest.raises(UserError, match='was made of links'):
        run('--splits', 'train', '--copy')
    with pytest.raises(UserError, match='outside of SRC'):
        run('--splits', 'train', out='imagenet/subset')


@pytest.mark.slow
def test_errors_come_without_a_traceback(tool, tmp_path):
    result = tool('dataset_converters/imagenet_subset.py', tmp_path,
                  tmp_path / 'out', '--classes', tmp_path / 'none.txt',
                  check=False)
    assert result.returncode == 1 and 'Traceback' not in result.stdout
    assert 'imagenet_subset.py: error: cannot read' in result.stdout
