"""The documentation builds, and what it names exists."""

import doctest
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmhierseg import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / 'docs').glob('*.md'))
TEXTS = [
    *PAGES, *sorted((ROOT / 'docs/examples').glob('*.py')),
    *(ROOT / name
      for name in ('README.md', 'CHANGELOG.md', 'CONTRIBUTING.md',
                   'tests/README.md', 'benchmarks/README.md')),
    *sorted(ROOT.glob('configs/*/README.md'))
]
REGISTRIES = [getattr(registry, name) for name in registry.__all__
              if name.isupper()]
# What Sphinx writes; MMSegmentation's.
ELSEWHERE = {'docs/_build', 'tools/dataset_converters/voc_aug.py'}
# Launchers pass options on to the tool.
TOOL_OF = {
    f'tools/{kind}_{task}.sh': f'tools/{task}.py'
    for kind in ('dist', 'slurm') for task in ('train', 'test')
}


def each(paths):
    return pytest.mark.parametrize(
        'path', paths, ids=[str(path.relative_to(ROOT)) for path in paths])


def fences(text, language):
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)


def without_fences(path):
    return re.sub(r'^```\w.*?^```', '', path.read_text(), flags=re.M | re.S)


@pytest.mark.slow
def test_builds_without_warnings(tmp_path):
    for module in ('sphinx', 'myst_parser', 'sphinx_copybutton', 'furo'):
        pytest.importorskip(module)
    result = subprocess.run(
        [
            sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-d',
            tmp_path / 'doctrees', '-b', 'html', ROOT / 'docs', tmp_path
        ],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    for page in PAGES:
        assert (tmp_path / f'{page.stem}.html').is_file()


def test_reference_has_every_registered_class():
    text = (ROOT / 'docs/api.rst').read_text()
    documented = set(re.findall(r'autoclass:: [\w.]+\.(\w+)', text))
    for name in re.findall(r'automodule:: (\S+)\n   :members:', text):
        documented |= set(pkgutil.resolve_name(name).__all__)
    for kind in REGISTRIES:
        kind.import_from_location()
        # Tests of projects register classes in the same process.
        own = {
            name for name, registered in kind.module_dict.items()
            if registered.__module__.startswith('mmhierseg.')
        }
        assert own <= documented


def test_architecture_names_every_folder():
    text = (ROOT / 'docs/architecture.md').read_text()
    packages = {
        path.parent.name for path in ROOT.glob('mmhierseg/*/__init__.py')
    }
    assert packages == set(re.findall(r'^\| `(\w+)` \|', text, re.M))


def test_table_of_guarantees_has_every_test_file():
    folder = ROOT / 'tests'
    named = re.findall(r'`((?:\w+/)*test_\w+\.py)` \|',
                       (folder / 'README.md').read_text())
    assert sorted(named) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob('test_*.py'))


def test_pins_are_those_of_the_environment():
    pins, everything = ({
        line for line in (ROOT / name).read_text().splitlines()
        if not line.startswith('#')
    } for name in ('requirements/docs.txt', 'requirements.txt'))
    assert pins and pins <= everything


def anchors(path):
    """Anchors of the headings, as GitHub and MyST make them."""
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        for heading in re.findall(r'^#+ (.+)$', without_fences(path), re.M)
    }


@each(TEXTS)
def test_relative_links(path):
    for link in re.findall(r'\]\(\s*([^)\s]+)', without_fences(path)):
        if re.match(r'https?://', link):
            continue
        name, _, anchor = link.partition('#')
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each(TEXTS)
def test_paths(path):
    named = re.findall(
        r'(?<![\w/.:-])((?:benchmarks|configs|demo|docs|mmhierseg|projects|'
        r'requirements|tests|tools)/[\w./-]*\w)', path.read_text())
    for name in set(named) - ELSEWHERE:
        assert (ROOT / name).exists(), name
    for name in re.findall(r'mmhierseg::([\w./-]+\w)', path.read_text()):
        assert (ROOT / 'configs' / name).exists(), name


@each(TEXTS)
def test_python_names(path):
    for name in re.findall(r'(?<!/)\bmmhierseg\.(\w+(?:\.\w+)*)',
                           path.read_text()):
        if '.' in name or not name[0].isupper():
            assert pkgutil.resolve_name(f'mmhierseg.{name}')
        else:
            assert any(kind.get(name) for kind in REGISTRIES), name


def commands(path):
    """(program, options) of the commands that run the repository's own."""
    for fence in fences(path.read_text(), 'bash'):
        for line in fence.splitlines():
            words = shlex.split(line, comments=True)
            words = words[words[:1] in (['python'], ['bash']):]
            if not words or '/' not in words[0] or '=' in words[0]:
                continue
            program = TOOL_OF.get(words[0], words[0])
            if program == 'benchmarks/run.py':
                program += f' {words[1]}'
            options = re.findall(r'(?<!\S)\[?(--[\w-]+)', ' '.join(words[1:]))
            yield program, {*options} - {'--help'}


HELP = {}  # program -> its help


@each(TEXTS)
def test_options_of_commands(path, monkeypatch, capsys):
    for program, options in commands(path):
        script, *rest = program.split()
        if not options or script in ELSEWHERE or script.endswith('.sh'):
            continue
        if program not in HELP:
            monkeypatch.setattr(sys, 'argv', [script, *rest, '--help'])
            # As Python does for a script.
            monkeypatch.syspath_prepend((ROOT / script).parent)
            with pytest.raises(SystemExit, match='0'):
                runpy.run_path(str(ROOT / script), run_name='__main__')
            HELP[program] = capsys.readouterr().out
        for option in options:
            assert re.search(rf'{option}\b(?!-)', HELP[program]), option


@each(PAGES)
def test_code(path):
    """Sessions give what they show; everything else is valid Python."""
    blocks = fences(path.read_text(), 'python')
    sessions = [block for block in blocks if block.startswith('>>>')]
    test = doctest.DocTestParser().get_doctest('\n'.join(sessions), {},
                                               path.name, str(path), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
    for block in blocks:
        if block not in sessions:
            # Pieces of a config may be arguments, or leave something out.
            piece = block.replace('**', '').replace(', ...)', ')')
            if re.match(r'\w+=dict\(', piece):
                piece = f'dict({piece})'
            compile(piece.replace('    ...)', ')'), str(path), 'exec')


def test_authors_options_are_keys_of_the_config():
    text = (ROOT / 'docs/from_the_authors.md').read_text()
    parts = re.findall(r'Keys are those of `(.+?)`\.(.*?)(?=\n## |\Z)', text,
                       re.S)
    assert len(parts) == 3
    for config, table in parts:
        cfg = Config.fromfile(str(ROOT / config))
        keys = re.findall(r'`(\w+(?:\.\w+)+)`', table)
        assert len(keys) > 10
        for key in keys:
            if key.startswith('mmhierseg.') or key.endswith('.py'):
                continue
            value = cfg
            for name in key.split('.'):
                value = value[int(name) if name.isdigit() else name]


def build(cfg):
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model)


def test_example_of_segmentation():
    cfg = Config.fromfile(str(ROOT / 'docs/examples/upernet_cast-s.py'))
    # The README shows the same.
    shown, = (block
              for block in fences((ROOT / 'README.md').read_text(), 'python')
              if block.startswith('_base_'))
    assert Config.fromstring(shown, '.py').model == cfg.model
    # SyncBN needs a GPU.
    for part in (cfg.model.decode_head, cfg.model.auxiliary_head):
        part.norm_cfg = dict(type='BN')
    model = build(cfg).eval()
    images = [torch.randint(0, 256, (3, 96, 128), dtype=torch.uint8)] * 2
    inputs = model.data_preprocessor(dict(inputs=images))['inputs']
    with torch.no_grad():
        assert model(inputs, mode='tensor').shape == (2, 150, 12, 16)


def test_example_of_probing():
    cfg = Config.fromfile(str(ROOT / 'docs/examples/probe.py'))
    quick_start = Config.fromfile(str(ROOT / 'configs/cast/cast-t_photos.py'))
    epochs = quick_start.train_cfg.max_epochs
    init_cfg = cfg.model.backbone.pop('init_cfg')
    assert init_cfg.checkpoint.endswith(f'cast-t_photos/epoch_{epochs}.pth')
    model = build(cfg).train()
    # The weights fit, and only what follows the last stage is trained.
    assert model.backbone.load_state_dict(
        build(quick_start).backbone.state_dict())
    trained = {
        name for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    head = {'head.fc.weight', 'head.fc.bias'}
    norm = {'backbone.norm.weight', 'backbone.norm.bias'}
    assert head <= trained <= head | norm
