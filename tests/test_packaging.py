import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mmhierseg

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of the files that the package is built from."""
    folder = tmp_path_factory.mktemp('source')
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md',
                 'LICENSE', 'NOTICE', 'requirements.txt', 'model-index.yml'):
        shutil.copy(ROOT / name, folder)
    for name in ('requirements', 'configs', 'tools', 'mmhierseg'):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    return folder


def pip(*words):
    subprocess.run([sys.executable, '-m', 'pip', *map(str, words)],
                   check=True)


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('wheel')
    pip('wheel', '--no-deps', '--no-build-isolation', '--no-index', '-w',
        folder, source)
    return next(folder.glob('mmhierseg-*.whl'))


def test_wheel(wheel):
    """It has every module, and the files that configs are looked up in."""
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    for name in ('configs/cast/cast-s_in1k.py', 'configs/cast/metafile.yml',
                 'configs/_base_/default_runtime.py',
                 'configs/cast/swap/cast-s_fcn_voc12aug-512x512.py',
                 'tools/train.py', 'tools/dist_train.sh', 'model-index.yml'):
        assert f'mmhierseg/.mim/{name}' in names
    assert 'mmhierseg/weights/cast-t_imagenette.safetensors' in names
    for path in (ROOT / 'mmhierseg').rglob('*.py'):
        if '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    assert not [
        name for name in names
        if name.endswith('.pyc') or name.startswith(('tests', 'configs'))
    ]
    assert 'mmhierseg/py.typed' in names
    # For a checkout.
    assert not [
        name for name in names
        if name.endswith(('setup_env.sh', 'run_tests.sh', 'quickstart.sh'))
    ]
    info = f'mmhierseg-{mmhierseg.__version__}.dist-info'
    scripts = archive.read(f'{info}/entry_points.txt').decode()
    assert 'mmhierseg = mmhierseg.cli.main:main' in scripts
    metadata = archive.read(f'{info}/METADATA').decode()
    # Links into the repository lead nowhere on the page of a package.
    assert not re.search(r'\]\((?!https://)', metadata)
    assert re.search('^Requires-Python: >=3.10$', metadata, re.M)
    extras = re.findall('^Provides-Extra: (.*)$', metadata, re.M)
    assert sorted(extras) == ['docs', 'onedl', 'speed', 'tests']
    # The original and the OneDL builds exclude each other: the user chooses.
    required = re.findall('^Requires-Dist: ([^;\n]*)$', metadata, re.M)
    assert any(name.startswith('torch') for name in required)
    assert not [name for name in required if 'mm' in name]


def inherit(folder, path):
    """Backbone of a config that is based on one of the package in a path."""
    config = folder / 'config.py'
    config.write_text("_base_ = 'mmhierseg::cast/cast-s_in1k.py'")
    program = ('import mmhierseg; from mmengine.config import Config; '
               f'cfg = Config.fromfile({str(config)!r}); '
               'print(mmhierseg.__file__, cfg.model.backbone.type)')
    where, backbone = subprocess.check_output(
        [sys.executable, '-c', program],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(path)),
        text=True).split()
    assert Path(where).is_relative_to(path)
    return backbone


@pytest.mark.slow
def test_configs_can_be_inherited_from(wheel, source, tmp_path):
    """Installed ones, and those of an editable installation."""
    target = tmp_path / 'installed'
    pip('install', '--no-deps', '--no-index', '--target', target, wheel)
    assert inherit(tmp_path, target) == 'mmhierseg.CAST'
    source = Path(shutil.copytree(source, tmp_path / 'source'))
    # Only the helper of setup.py: setup() needs a command line.
    code = (source / 'setup.py').read_text().split('\nsetup(')[0]
    scope = dict(__file__=str(source / 'setup.py'), __name__='setup_py')
    exec(compile(code, str(source / 'setup.py'), 'exec'), scope)
    for _ in range(2):
        scope['put_mim'](source / 'mmhierseg' / '.mim', link=True)
    # Edited after the installation: a copy would stay behind.
    with (source / 'configs/cast/cast-s_in1k.py').open('a') as file:
        file.write("\nmodel = dict(backbone=dict(type='Edited'))\n")
    assert inherit(tmp_path, source) == 'Edited'


def test_requirements_are_pinned():
    """And both OpenCV packages are of one version."""
    pinned, contrib = (
        re.findall('^[^#\n].*', (ROOT / name).read_text(), re.M)
        for name in ('requirements.txt', 'requirements/contrib.txt'))
    assert all('==' in line for line in pinned)
    version, = (line for line in pinned if line.startswith('opencv-python=='))
    assert contrib == [version.replace('python', 'contrib-python-headless')]
