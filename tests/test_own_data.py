"""The recipes for own data run, with their marked lines changed."""

import re
import shutil

import numpy as np
import pytest
import torch
from helpers.config_runs import unformatted  # noqa: F401
from helpers.configs import ROOT
from helpers.own_data import EXAMPLES, edit, make_own_data
from helpers.scripts import load_script, run_in_process
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmhierseg.checkpoints import read_checkpoint
from mmhierseg.registry import MODELS

RECIPES = sorted(EXAMPLES.glob('own_*.py'))
# In this process.
ALONE = [
    f'{name}_dataloader.{key}' for name in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]


@pytest.fixture(scope='module')
def own_data(tmp_path_factory):
    root = tmp_path_factory.mktemp('own')
    make_own_data(root)
    return root


@pytest.fixture
def here(own_data, tmp_path, monkeypatch):
    """A folder with the data, where the commands are given."""
    shutil.copytree(own_data / 'data', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(config, work, *options):
    """Train as the tool does; the output."""
    return run_in_process('train.py', config, '--work-dir', work,
                          '--cfg-options', *options)[1]


def evaluate(config, checkpoint, *options, flags=()):
    """Test as the tool does; the output."""
    return run_in_process('test.py', config, checkpoint, *flags,
                          '--cfg-options', *options)[1]


def demo(name, *words):
    load_script(ROOT / f'demo/{name}_demo.py').main([*map(str, words)])


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_recipe_builds_and_its_page_shows_it(path):
    cfg = Config.fromfile(str(path))
    init_default_scope(cfg.default_scope)
    assert sum(p.numel() for p in MODELS.build(cfg.model).parameters()) > 1e6
    pages = [page.read_text() for page in ROOT.glob('docs/own_*.md')]
    shown = f'{{literalinclude}} examples/{path.name}'
    page, = (page for page in pages if shown in page)
    assert f'python tools/train.py docs/examples/{path.name}' in page
    assert '# CHANGE' in path.read_text()


@pytest.mark.slow
def test_pictures(here):
    """Pre-training, a figure, a linear probe of its weights, fine-tuning."""
    photos = edit('own_photos.py', here, batch_size=3,
                  max_epochs__warmup_epochs='2, 1')
    train(photos, here / 'work_dirs/own_photos', *ALONE[:2])
    checkpoint = 'work_dirs/own_photos/epoch_2.pth'
    demo('hierarchy', 'data/own/photos', '--config', photos, '--checkpoint',
         checkpoint, '--out', 'outputs', '--device', 'cpu')
    assert len(list((here / 'outputs').rglob('*_hierarchy.png'))) == 6

    probe = edit('own_probe.py', here, num_classes=2,
                 checkpoint=repr(checkpoint))
    shutil.copy(EXAMPLES / 'probe.py', here)
    train(probe, here / 'probe', *ALONE, 'train_cfg.max_epochs=1',
          'train_dataloader.batch_size=3')
    trained = read_checkpoint('probe/epoch_1.pth')['state_dict']
    before = read_checkpoint(checkpoint)['state_dict']
    same = [
        torch.equal(value, before[name]) for name, value in trained.items()
        if name.startswith('backbone.') and not name.startswith(
            'backbone.norm.')
    ]
    assert len(same) > 100 and all(same)
    assert 'accuracy/top1' in evaluate(probe, 'probe/epoch_1.pth', *ALONE)

    tune = edit('own_finetune.py', here, max_epochs=1)
    log = train(tune, here / 'tune', *ALONE, 'train_dataloader.batch_size=3')
    assert 'accuracy/top1' in log


@pytest.mark.slow
def test_masks(here):
    """Binary masks are converted; training, test, new pictures."""
    page = (ROOT / 'docs/own_masks.md').read_text()
    converting, predicting = re.findall(
        r'^```python\n(.*?)^```', page, re.M | re.S)
    exec(converting, {})
    masks = [np.array(Image.open(path))
             for path in (here / 'data/own/masks/ann_dir').rglob('*.png')]
    assert len(masks) == 6 and {*np.unique(masks[0])} == {0, 1}

    config = edit('own_masks.py', here,
                  crop__batch_size__max_iters='64, 2, 1')
    work = here / 'work_dirs/own_masks'
    train(config, work, *ALONE)
    assert 'mIoU' in evaluate(
        config, work / 'iter_1.pth', *ALONE[4:],
        flags=('--out', 'outputs/labels', '--show-dir',
               here / 'outputs/figures'))
    for path in (here / 'data/own/masks/img_dir/val').iterdir():
        labels = np.array(Image.open(f'outputs/labels/{path.stem}.png'))
        assert labels.shape == Image.open(path).size[::-1]
        assert labels.max() <= 1
    assert [*(here / 'outputs/figures').rglob('*.png')]

    words = {
        'docs/examples/own_masks.py': config,
        'iter_2000': 'iter_1',
    }
    for old, new in words.items():
        assert old in predicting
        predicting = predicting.replace(old, new)
    exec(predicting, {})
    assert len([*(here / 'outputs/new').rglob('*.png')]) > 1


@pytest.mark.slow
def test_hsg(here):
    """Over-segmentation, training without validation, both figures."""
    photos, maps = 'data/own/photos', 'data/own/oversegmentation'
    load_script('dataset_converters/generate_oversegmentation.py').main(
        [photos, maps, '--workers', '1'])
    config = edit('own_hsg.py', here, crop__batch_size__max_iters='64, 2, 1')
    work = here / 'work_dirs/own_hsg'
    log = train(config, work, *ALONE[:2], 'default_hooks.logger.interval=1')
    assert 'loss' in log and 'Iter(val)' not in log
    options = ['--config', config, '--checkpoint', work / 'iter_1.pth',
               '--device', 'cpu', '--img-size', 64, '--out', 'outputs']
    demo('hierarchy', photos, *options)
    demo('retrieve', f'{photos}/0.jpg', '--point', 80, 64, '--bank', photos,
         '--level', 1, *options)
    assert len([*(here / 'outputs').rglob('*.png')]) == 6 + 1
