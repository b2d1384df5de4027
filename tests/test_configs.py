"""Every config has a header and a metafile entry, and builds its model."""

import re

import benchmark_table
import make_table
import pytest
import torch
from helpers.cast import random_inputs
from helpers.configs import (
    ALL_CONFIGS,
    CONFIGS,
    DENSE_CONFIGS,
    HSG_CONFIGS,
    ROOT,
    SWAP_CONFIGS,
    has_cast,
    is_pretraining,
    load_config,
    shrink,
    without_weights,
)
from helpers.dense import shrink_dense
from helpers.hsg_baselines import BASELINE_PATHS, shrink_baseline_training
from helpers.hsg_configs import shrink_hsg
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from mmhierseg.checkpoints import published_names
from mmhierseg.registry import MODELS


def _name(path):
    return str(path.relative_to(ROOT / 'configs').with_suffix(''))


# ---------------------------------------------------------------- descriptions


@pytest.mark.parametrize('path', ALL_CONFIGS, ids=_name)
def test_header(path):
    """Command and status; no numbers of the paper, but where they are."""
    header = path.read_text().split('"""')[1]
    # The command is of this config, or of the quick start.
    command = header.split('Command:')[1].split('Status:')[0]
    assert f'{path.stem}.py' in command
    assert not re.search(r'\d top-1|\d boundary|\d pixel acc|GFLOPs', header)
    for name, table in make_table.TABLES.items():
        if any(path.stem in row[len(table['headings']):]
               for row in table['rows']) and path not in SWAP_CONFIGS:
            assert f'table `{name}`, row' in ' '.join(header.split())


def test_metafiles_describe_every_config():
    collections, models = make_table.read_metafiles()
    for collection in collections.values():
        assert (ROOT / collection['README']).is_file()
        code = collection.get('Code')
        assert code is None or (ROOT / code['URL']).is_file()
    configs = {str(path.relative_to(ROOT)) for path in ALL_CONFIGS}
    assert configs == {
        model['Config'] for model in models.values() if 'Config' in model}
    for name, model in models.items():
        # No others are published.
        assert model.get('Weights') in (None, f'mmhierseg://{name}')
        assert ('Weights' in model) == (name in published_names())
        # Some entries are rows of the papers' tables that have no config.
        if 'Config' not in model:
            continue
        meta, cfg = model['Metadata'], load_config(ROOT / model['Config'])
        assert name == re.sub(
            r'configs/\w+/(2x2/)?|\.py', '', model['Config'])
        for key, setting in (('Epochs', 'max_epochs'),
                             ('Iterations', 'max_iters')):
            assert key not in meta or meta[key] == cfg.train_cfg[setting]
        if 'Batch Size' in meta:
            gpus = re.search(r'Hardware: (\d) GPU',
                             (ROOT / model['Config']).read_text())
            assert meta['Batch Size'] == cfg.train_dataloader.batch_size * int(
                gpus[1] if gpus else 1)


@pytest.mark.parametrize('folder', ['cast', 'hsg', 'baselines'])
def test_readme_is_up_to_date(folder):
    """Else run `benchmark_table.py --update-readmes`."""
    text = (ROOT / f'configs/{folder}/README.md').read_text()
    assert text == benchmark_table.updated(text)
    _, models = make_table.read_metafiles()
    for path in (ROOT / 'configs' / folder).glob('*.py'):
        assert f'[{path.stem}]({path.name})' in text
        assert path.stem in models


def test_every_cell_has_its_config():
    """configs/README.md leads from the papers' tables to configs."""
    text = (ROOT / 'configs/README.md').read_text()
    named = set(
        re.findall(r'`((?:cast|baselines|hsg)/[\w.-]+_[\w.-]+)`', text))
    paths = {str(path.relative_to(ROOT / 'configs').with_suffix(''))
             for path in ALL_CONFIGS}
    assert named <= paths
    cells = set(re.findall(r'[\w-]+_[\w-]+',
                           (ROOT / 'configs/tables.yml').read_text()))
    cells &= {path.split('/')[-1] for path in paths}
    assert len(cells) > 30
    assert cells <= {name.split('/')[-1] for name in named}


def test_readme_names_the_checkpoint_of_the_quick_start():
    text = (ROOT / 'README.md').read_text()
    names = set(re.findall(r'work_dirs/cast-t_photos/(\w+\.pth)', text))
    cfg = load_config(ROOT / 'configs/cast/cast-t_photos.py')
    assert names == {f'epoch_{cfg.train_cfg.max_epochs}.pth'}


# --------------------------------------------------------------------- models


def losses_of_classification(path):
    cfg = shrink(load_config(path))
    model = initialised(cfg)
    views = [random_inputs(4, 64, 64, 16, seed) for seed in (0, 1)]
    if not has_cast(cfg):
        views = [view[:, :3] for view in views]
    if is_pretraining(cfg):
        return model, model.loss(views, None)
    samples = [DataSample().set_gt_label(i % 2) for i in range(4)]
    return model, model.loss(views[0], samples)


def losses_of_segmentation(path):
    cfg = shrink_dense(path)
    inputs = torch.randn(2, 4, 48, 64)
    inputs[:, 3] = torch.arange(48)[:, None] // 16 * 4 + torch.arange(64) // 16
    samples = [
        SegDataSample(gt_sem_seg=PixelData(
            data=torch.randint(0, 19, (1, 48, 64)))) for _ in range(2)]
    model = initialised(cfg)
    losses = model.loss(inputs if has_cast(cfg) else inputs[:, :3], samples)
    return model, {'loss': losses['decode.loss_ce']}


def losses_of_hsg(path):
    model = initialised(shrink_hsg(path))
    inputs = torch.randn(4, 4, 96, 128)
    inputs[:, 3] = torch.arange(128) // 32
    return model, model.loss(inputs, None, torch.tensor([0, 1, 0, 1]))


def losses_of_contrast(path):
    model = initialised(shrink_baseline_training(path))
    return model, model.loss([torch.rand(4, 3, 64, 64) for _ in range(2)],
                             None)


def initialised(cfg):
    """As MMEngine does: initialise, wrap, and only then start training."""
    model = MODELS.build(without_weights(cfg.model))
    model.init_weights()
    model.expected = {n for n, p in model.named_parameters()
                      if p.requires_grad}
    model = revert_sync_batchnorm(model)
    model.train()
    return model


TRAINED = [
    *((losses_of_classification, path) for path in CONFIGS),
    *((losses_of_segmentation, path) for path in DENSE_CONFIGS),
    *((losses_of_hsg, path) for path in HSG_CONFIGS),
    *((losses_of_hsg if 'segsort' in name else losses_of_contrast, path)
      for name, path in BASELINE_PATHS.items() if 'retrieval' not in name)
]


#: One model of each kind is in the fast tier.
FAST = {
    'cast-s_in1k', 'cast-s_linear_in1k', 'cast-s_deit_in1k', 'vit-s_in1k',
    'swin-t_in1k', 'cast-s_voc12aug-512x512', 'vit-s_voc12aug-512x512',
    'cast-s_segmenter_ade20k-512x512', 'hsg_r50_stage1_coco-224x224',
    'hsg_r50_stage2_coco-448x448', 'segsort_r50_coco-224x224',
    'moco_r50_coco', 'densecl_r50_coco'
}


@pytest.mark.parametrize('losses_of, path', [
    pytest.param(losses_of, path, id=_name(path),
                 marks=() if path.stem in FAST else pytest.mark.slow)
    for losses_of, path in TRAINED])
def test_all_that_is_trained_gets_a_gradient(losses_of, path):
    """Else data-parallel training would stop, unless asked to look for it."""
    model, losses = losses_of(path)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    found = {n for n, p in model.named_parameters() if p.grad is not None}
    if load_config(path).get('find_unused_parameters'):
        assert found < model.expected
    else:
        assert found == model.expected


def test_no_config_is_left_out():
    """Others are in test_swap_configs.py, or are tested, not trained."""
    tested = [path for path in ALL_CONFIGS
              if re.search('_(retrieval|hierarchy)_', path.stem)]
    assert sorted([path for _, path in TRAINED] + tested +
                  SWAP_CONFIGS) == ALL_CONFIGS
