import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.cast import DATA
from helpers.demo import picture
from helpers.hub import Hub
from PIL import Image

import mmhierseg
from mmhierseg.checkpoints.published import read_entries

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
    assert sorted(extras) == [
        'clip', 'docs', 'export', 'onedl', 'sam', 'speed', 'tests', 'timm']
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


def environment(wheel, folder):
    """Python of a new environment: the wheel, and what is installed here."""
    venv.create(folder, symlinks=True)
    python = folder / 'bin/python'
    # No such files are read from folders that one names: an editable
    # installation there stays unknown.
    packages = subprocess.check_output(
        [python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))"
         ], text=True).strip()
    Path(packages, 'outer.pth').write_text('\n'.join(
        path for path in sys.path if path.endswith('-packages')))
    pip('--python', python, 'install', '--no-deps', '--no-index', wheel)
    return python


@pytest.mark.slow
def test_wheel_is_enough(wheel, tmp_path):
    """One line downloads, converts and segments; then without a network."""
    python = environment(wheel, tmp_path / 'venv')
    # The published checkpoint in small.
    (tmp_path / 'small.py').write_text("""
_base_ = 'mmhierseg::cast/cast-s_in1k.py'
model = dict(backbone=dict(
    arch=dict(_delete_=True, embed_dims=48, depths=(2, 1, 1, 1), num_heads=12),
    img_size=64, num_clusters=(8, 6, 4, 2), mask_empty=False))
""")
    Image.fromarray(picture(70, 90)).save(tmp_path / 'photo.png')
    program = '; '.join([
        'import mmhierseg', 'from mmhierseg.apis import HierarchyInferencer',
        "HierarchyInferencer('small.py', 'mmhierseg://cast-s_in1k')"
        "('photo.png', out_dir='out', save_labels='npz')",
        'print(mmhierseg.__file__)'
    ])
    hub = Hub()
    hub.put(read_entries()['cast-s_in1k'].published['File'],
            (DATA / 'cast_moco.pth.tar').read_bytes())
    settings = dict(
        os.environ, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / 'hf'),
        MMHIERSEG_HOME=str(tmp_path / 'home'), CUDA_VISIBLE_DEVICES='',
        NO_PROXY='127.0.0.1,localhost', HF_HUB_DISABLE_TELEMETRY='1')
    settings.pop('PYTHONPATH', None)
    maps = []
    for offline in ('0', '1'):
        output = subprocess.check_output(
            [python, '-c', program], cwd=tmp_path, text=True,
            env=dict(settings, HF_HUB_OFFLINE=offline))
        where = Path(output.splitlines()[-1])
        assert where.is_relative_to(tmp_path / 'venv')
        assert (tmp_path / 'out/photo_hierarchy.png').is_file()
        with np.load(tmp_path / 'out/photo_levels.npz') as levels:
            maps.append(dict(levels))
        shutil.rmtree(tmp_path / 'out')
        if offline == '0':
            assert len(hub.downloads()) == 1
            hub.close()
    assert maps[0]['level_4'].shape == (70, 90)
    for name, level in maps[0].items():
        np.testing.assert_array_equal(maps[1][name], level)


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / '.git').exists(), reason='git says what should be in it')
def test_sdist_is_complete(tmp_path):
    """It has every file of the repository, and its tests run."""
    tracked = subprocess.check_output(
        ['git', 'ls-files', '-z'], cwd=ROOT, text=True).split('\0')[:-1]
    source = tmp_path / 'source'
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, '-c', 'from setuptools import build_meta; '
         "build_meta.build_sdist('..')"], cwd=source, check=True)
    archive, = tmp_path.glob('*.tar.gz')
    shutil.unpack_archive(archive, tmp_path)
    folder = tmp_path / f'mmhierseg-{mmhierseg.__version__}'
    assert not [name for name in tracked if not (folder / name).is_file()]
    subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-n0', '-m', 'not slow',
         'tests/test_layering.py', 'tests/test_structures',
         'tests/test_apis/test_images.py', 'tests/test_tools/test_records.py'],
        cwd=folder, env=dict(os.environ, PYTHONPATH=str(folder)), check=True)


def test_requirements_are_pinned():
    """And both OpenCV packages are of one version."""
    pinned, contrib = (
        re.findall('^[^#\n].*', (ROOT / name).read_text(), re.M)
        for name in ('requirements.txt', 'requirements/contrib.txt'))
    assert all('==' in line for line in pinned)
    version, = (line for line in pinned if line.startswith('opencv-python=='))
    assert contrib == [version.replace('python', 'contrib-python-headless')]
