"""The documentation builds, and what it names is there."""

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

from mmhierseg import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / 'docs').glob('*.md'))
EXAMPLES = sorted((ROOT / 'docs/examples').glob('*.py'))
TEXTS = [
    *PAGES, *EXAMPLES, ROOT / 'README.md', ROOT / 'CHANGELOG.md',
    ROOT / 'benchmarks/README.md', *sorted(ROOT.glob('configs/*/README.md'))
]
REGISTRIES = [getattr(registry, name) for name in registry.__all__]

# What Sphinx writes; MMSegmentation's.
ELSEWHERE = {
    'docs/_build',
    'tools/dataset_converters/voc_aug.py',
}
# Launchers hand options on to the tool.
TOOL_OF = {
    f'tools/{kind}_{task}.sh': f'tools/{task}.py'
    for kind in ('dist', 'slurm') for task in ('train', 'test')
}


def _ids(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def _fences(text, language):
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)


# ------------------------------------------------------------------ the build


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    for module in ('sphinx', 'myst_parser', 'sphinx_copybutton', 'furo'):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp('site')
    result = subprocess.run(
        [
            sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-d',
            folder / 'doctrees', '-b', 'html', ROOT / 'docs', folder / 'html'
        ],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder / 'html'


@pytest.mark.parametrize('page', PAGES, ids=_ids(PAGES))
def test_builds_without_warnings(site, page):
    html = (site / f'{page.stem}.html').read_text(encoding='utf-8')
    heading = re.search('^# (.+)$', page.read_text(), re.M).group(1)
    assert heading in re.sub('<[^>]+>', '', html)


def test_reference_has_what_configs_can_name(site):
    from sphinx.util.inventory import InventoryFile
    with (site / 'objects.inv').open('rb') as file:
        inventory = InventoryFile.load(file, '', os.path.join)
    documented = {name.rpartition('.')[2] for name in inventory['py:class']}
    for kind in REGISTRIES:
        kind.import_from_location()
        # Projects, whose tests run in the same process, register theirs.
        own = {
            name for name, registered in kind.module_dict.items()
            if registered.__module__.startswith('mmhierseg.')
        }
        assert own <= documented


def test_pins_are_those_of_the_environment():
    pins, everything = ((ROOT / name).read_text().splitlines()
                        for name in ('requirements/docs.txt',
                                     'requirements.txt'))
    pins = [line for line in pins if not line.startswith('#')]
    assert pins and set(pins) <= set(everything)


# -------------------------------------------------------------- what is named


def _slugs(path):
    """Anchors of the headings, as GitHub and MyST make them."""
    text = re.sub(r'^```.*?^```', '', path.read_text(), flags=re.M | re.S)
    headings = re.findall(r'^#+ (.+)$', text, re.M)
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        for heading in headings
    }


@pytest.mark.parametrize('path', TEXTS, ids=_ids(TEXTS))
def test_relative_links(path):
    text = re.sub(r'^```\w.*?^```', '', path.read_text(), flags=re.M | re.S)
    for link in re.findall(r'\]\(\s*([^)\s]+)', text):
        if re.match(r'https?://', link):
            continue
        name, _, anchor = link.partition('#')
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in _slugs(target), link


@pytest.mark.parametrize('path', TEXTS, ids=_ids(TEXTS))
def test_paths(path):
    named = re.findall(
        r'(?<![\w/.:-])((?:benchmarks|configs|demo|docs|mmhierseg|projects|'
        r'requirements|tests|tools)/[\w./-]*\w)', path.read_text())
    for name in set(named) - ELSEWHERE:
        assert (ROOT / name).exists(), name
    for name in re.findall(r'mmhierseg::([\w./-]+\w)', path.read_text()):
        assert (ROOT / 'configs' / name).exists(), name


@pytest.mark.parametrize('path', TEXTS, ids=_ids(TEXTS))
def test_python_names(path):
    for name in re.findall(r'(?<!/)\bmmhierseg\.(\w+(?:\.\w+)*)',
                           path.read_text()):
        if '.' in name or not name[0].isupper():
            assert pkgutil.resolve_name(f'mmhierseg.{name}')
        else:
            assert any(kind.get(name) for kind in REGISTRIES), name


def _commands(path):
    """(script, options) of every command line of the repository's own."""
    for fence in _fences(path.read_text(), 'bash'):
        for line in fence.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] in (['python'], ['bash']) and '/' in words[1]:
                yield words[1], [
                    re.match(r'--[\w-]+', word.strip('[]'))[0]
                    for word in words[2:] if word.strip('[]')[:2] == '--'
                ]


@pytest.fixture(scope='module')
def usage():
    """Give what a program of the repository says to --help."""
    known = {}

    def read(script, monkeypatch, capsys):
        if script not in known:
            monkeypatch.setattr(sys, 'argv', [script, '--help'])
            with pytest.raises(SystemExit, match='0'):
                runpy.run_path(str(ROOT / script), run_name='__main__')
            known[script] = capsys.readouterr().out
        return known[script]

    return read


@pytest.mark.parametrize('path', TEXTS, ids=_ids(TEXTS))
def test_options_of_commands(path, usage, monkeypatch, capsys):
    for script, options in _commands(path):
        script = TOOL_OF.get(script, script)
        if script in ELSEWHERE or not options or script.endswith('.sh'):
            continue
        text = usage(script, monkeypatch, capsys)
        for option in options:
            assert re.search(rf'{option}\b(?!-)', text), (script, option)


# -------------------------------------------------------------- what is shown


@pytest.mark.parametrize('page', PAGES, ids=_ids(PAGES))
def test_code(page):
    """Sessions give what they show; everything else is valid Python."""
    fences = _fences(page.read_text(), 'python')
    sessions = [fence for fence in fences if fence.startswith('>>>')]
    test = doctest.DocTestParser().get_doctest('\n'.join(sessions), {},
                                               page.name, str(page), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
    for fence in fences:
        if fence not in sessions:
            # Pieces of a config may be arguments, or leave something out.
            piece = fence.replace('**', '').replace(', ...)', ')')
            if re.match(r'\w+=dict\(', piece):
                piece = f'dict({piece})'
            compile(piece.replace('    ...)', ')'), str(page), 'exec')


def _build(cfg):
    from mmengine.registry import MODELS, init_default_scope
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model)


def test_example_of_segmentation():
    cfg = Config.fromfile(str(ROOT / 'docs/examples/upernet_cast-s.py'))
    # The README shows the same.
    shown, = (
        fence for fence in _fences((ROOT / 'README.md').read_text(), 'python')
        if fence.startswith('_base_'))
    assert Config.fromstring(shown, '.py').model == cfg.model
    # BN over several processes needs a GPU.
    for part in (cfg.model.decode_head, cfg.model.auxiliary_head):
        part.norm_cfg = dict(type='BN')
    model = _build(cfg).eval()
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
    model = _build(cfg).train()
    # The weights fit, and only what comes after the last stage is trained.
    weights = _build(quick_start).backbone.state_dict()
    assert model.backbone.load_state_dict(weights)
    trained = {
        name for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert {'head.fc.weight', 'head.fc.bias'} <= trained
    assert trained <= {
        'head.fc.weight', 'head.fc.bias', 'backbone.norm.weight',
        'backbone.norm.bias'
    }
