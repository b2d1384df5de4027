"""HSG's baselines train and are tested by retrieval, on tiny data."""

import json
import math
import re

import pytest
import torch
from helpers.configs import load_config
from helpers.hsg_baselines import (
    BASELINE_PATHS,
    draw_resnet,
    shrink_baseline_test,
    shrink_baseline_training,
)
from helpers.hsg_configs import shrink_hsg
from helpers.oversegmentation_data import make_oversegmentation_data
from helpers.segmentation_data import COUNTS
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from paper_tables import TABLES

from mmhierseg.cli import launch

#: Where a baseline learns -> where it is tested.
DATA = {
    'coco': 'voc12-512',
    'cityscapes': 'cityscapes-1024x2048',
    'kitti-step': 'kitti-step-376x1242'
}
TRAINED = [f'{method}_r50_{data}' for method in ('moco', 'densecl')
           for data in DATA]
TESTED = [f'{method}_r50_retrieval_{data}'
          for method in ('moco', 'densecl', 'revisit')
          for data in DATA.values()]
SEGSORT = [f'segsort_r50_{data}' for data in
           ('coco-224x224', 'cityscapes-448x448', 'kitti-step-448x448')]
METRICS = {'mIoU', 'aAcc', 'mAcc'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: images, over-segmentation, annotations."""
    root = tmp_path_factory.mktemp('baselines')
    make_oversegmentation_data(root)
    return root


@pytest.fixture(autouse=True)
def unformatted(monkeypatch):
    """MMEngine has yapf format each config, which takes half of the time."""
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode',
                        lambda text, **options: (text, False))


def write(cfg, folder):
    path = folder / 'config.py'
    cfg.dump(str(path))
    return str(path)


def metrics_of(config, checkpoint, work, *options):
    """What `tools/test.py` measures."""
    out = work.with_suffix('.json')
    launch.test([
        config, str(checkpoint), '--work-dir', str(work), '--out', str(out),
        '--out-item', 'metrics', *options
    ])
    return json.loads(out.read_text())


def test_there_are_configs():
    assert {*TRAINED, *TESTED, *SEGSORT} == set(BASELINE_PATHS)


def test_each_cell_of_the_table_has_a_config():
    names = {'MoCo': 'moco', 'DenseCL': 'densecl', 'Revisit': 'revisit',
             'SegSort': 'segsort'}
    found = [
        cell.config for row in TABLES['hsg'].rows for cell in row.cells
        if row.texts[0] in names
    ]
    assert found == [*TESTED, *SEGSORT]


@pytest.mark.parametrize('name', SEGSORT)
def test_segsort(name, folder, tmp_path, monkeypatch):
    """Two iterations, validation, test: one loss, one level."""
    monkeypatch.chdir(folder)
    cfg = shrink_hsg(BASELINE_PATHS[name])
    config = write(cfg, tmp_path)
    work = tmp_path / 'work'
    launch.train([config, '--work-dir', str(work)])
    log, = (path.read_text() for path in work.rglob('*.log'))
    losses = re.findall(r' loss_img_sim: ([\d.]+)', log)
    assert len(losses) == 2 and all(0 < float(v) < 10 for v in losses)
    assert re.findall(r' loss: ([\d.]+)', log) == losses
    metrics = metrics_of(config, work / 'iter_2.pth', tmp_path / 'test')
    assert set(metrics) == METRICS | {'NFCovering/level0'}
    assert metrics['aAcc'] > 0
    # Nothing of transformers.
    state = MODELS.build(cfg.model).state_dict()
    assert {key.split('.')[0] for key in state} == {'backbone', 'neck'}


@pytest.mark.parametrize('name, option', [
    ('one', 'train_dataloader.dataset.pipeline.2.num_views=1'),
    ('cosegmented', 'model.head.cosegment=True'),
])
def test_segsort_of_other_views(name, option, folder, tmp_path, monkeypatch):
    """By the options that the README names."""
    readme = (BASELINE_PATHS[SEGSORT[1]].parent / 'README.md').read_text()
    assert f'--cfg-options {option}`' in readme
    monkeypatch.chdir(folder)
    cfg = shrink_hsg(BASELINE_PATHS[SEGSORT[1]])
    work = tmp_path / 'work'
    launch.train([
        write(cfg, tmp_path), '--work-dir', str(work), '--no-validate',
        # Runs of one name within a second of one process share a log.
        '--cfg-options', option, f'experiment_name={name}'
    ])
    log, = (path.read_text() for path in work.rglob('*.log'))
    losses = re.findall(r' loss_img_sim: ([\d.]+)', log)
    assert len(losses) == 2 and all(0 < float(v) < 10 for v in losses)


@pytest.mark.parametrize('name', SEGSORT)
def test_segsort_is_hsg_but_for_its_losses(name):
    cfg = load_config(BASELINE_PATHS[name])
    head = cfg.model.head
    assert (head.kmeans_clusters, head.kmeans_iterations) == ((4, 4), 15)
    assert head.img_sim_weight == 1 and head.cosegment is False
    assert not any(head[f'{key}_weight'] for key in (
        'fine', 'coarse', 'grouping', 'centroid'))
    stage = 'stage1_' if 'coco' in name else ''
    hsg = load_config(BASELINE_PATHS[name].parents[1] / 'hsg' /
                      f'{name.replace("segsort_r50_", f"hsg_r50_{stage}")}.py')
    for key in ('train_dataloader', 'test_dataloader', 'custom_hooks',
                'optim_wrapper', 'param_scheduler', 'train_cfg',
                'test_evaluator'):
        assert cfg[key] == hsg[key]
    assert {key: value for key, value in cfg.model.items() if key != 'head'
            } == {key: value for key, value in hsg.model.items()
                  if key != 'head'}


@pytest.mark.parametrize('name', TRAINED)
def test_contrastive_models_train_and_are_tested(name, folder, tmp_path,
                                                 monkeypatch):
    """The checkpoint of MMPretrain's algorithm is tested as it is."""
    monkeypatch.chdir(folder)
    work = tmp_path / 'work'
    cfg = shrink_baseline_training(BASELINE_PATHS[name])
    launch.train([write(cfg, tmp_path), '--work-dir', str(work)])
    log, = (path.read_text() for path in work.rglob('*.log'))
    # Eight images, four in a batch.
    losses = re.findall(r'Epoch\(train\) \[1\]\[\d/2\] .* loss: ([\d.]+)', log)
    assert len(losses) == 2 and all(math.isfinite(float(v)) for v in losses)
    method, data = name.split('_r50_')
    test = f'{method}_r50_retrieval_{DATA[data]}'
    config = write(shrink_baseline_test(BASELINE_PATHS[test]), tmp_path)
    metrics = metrics_of(config, work / 'epoch_1.pth', tmp_path / 'test')
    # Level 0 are cells, of which nothing is measured.
    assert set(metrics) == METRICS | {'NFCovering/level1'}
    assert 0 < metrics['aAcc'] < 100
    log, = (path.read_text() for path in (tmp_path / 'test').rglob('*.log'))
    number, images = map(int, re.search(
        r'Memory bank of (\d+) segments of (\d+) images', log).groups())
    # At most six clusters an image.
    assert images == COUNTS[0] < number <= 6 * images


@pytest.mark.parametrize('name', TRAINED)
def test_all_that_is_trained_gets_a_gradient(name):
    """Else training in several processes would stop."""
    cfg = shrink_baseline_training(BASELINE_PATHS[name])
    assert not cfg.get('find_unused_parameters')
    init_default_scope('mmpretrain')
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
    views = [torch.rand(4, 3, 64, 64) for _ in range(2)]
    sum(model.loss(views, None).values()).backward()
    assert all((p.grad is not None) == p.requires_grad
               for p in model.parameters())


@pytest.mark.parametrize('name', TRAINED)
def test_settings_of_training(name):
    cfg = load_config(BASELINE_PATHS[name])
    assert cfg.train_dataloader.batch_size * 8 == 256
    size = {'coco': 118287, 'cityscapes': 2975, 'kitti-step': 5027}
    size = size[name.split('_r50_')[1]]
    # No image finds itself among what it must differ from.
    assert cfg.model.queue_len <= size - 256
    # Batches of all processes fill the queue without a rest.
    assert cfg.model.queue_len % 256 == 0
    scheduler, = cfg.param_scheduler
    epochs = cfg.train_cfg.max_epochs
    assert scheduler.T_max == scheduler.end == epochs
    if size < 1e5:  # as many as HSG sees
        assert epochs * size == pytest.approx(38000 * 32, rel=0.05)


@pytest.mark.parametrize('data, prefix', [
    ('voc12-512', ''),  # torchvision's names
    ('cityscapes-1024x2048', 'module.encoder_q.'),  # MoCo's
    ('kitti-step-376x1242', 'module.'),
])
def test_revisit_is_loaded_as_it_is(data, prefix, folder, tmp_path,
                                    monkeypatch):
    monkeypatch.chdir(folder)
    config = write(
        shrink_baseline_test(BASELINE_PATHS[f'revisit_r50_retrieval_{data}']),
        tmp_path)
    weights = {prefix + key: value for key, value in draw_resnet().items()}
    weights[f'{prefix}fc.0.weight'] = torch.zeros(3, 3)
    checkpoint = tmp_path / 'theirs.pth.tar'
    torch.save(dict(state_dict=weights, epoch=200, arch='resnet50'),
               checkpoint)
    metrics = metrics_of(config, checkpoint, tmp_path / 'test')
    assert set(metrics) == METRICS | {'NFCovering/level1'}
    assert 0 < metrics['aAcc'] < 100


def test_clusters_of_pixels(folder, tmp_path, monkeypatch):
    """By the option that the README names."""
    monkeypatch.chdir(folder)
    cfg = shrink_baseline_test(BASELINE_PATHS['moco_r50_retrieval_voc12-512'])
    torch.save(dict(state_dict=draw_resnet()), tmp_path / 'resnet.pth')
    metrics = metrics_of(
        write(cfg, tmp_path), tmp_path / 'resnet.pth', tmp_path / 'test',
        '--cfg-options', 'model.embedder.at=pixel')
    assert 0 < metrics['aAcc'] < 100


@pytest.mark.parametrize('name', TESTED)
def test_settings_of_retrieval(name):
    cfg = load_config(BASELINE_PATHS[name])
    model, voc = cfg.model, 'voc' in name
    assert (model.num_classes, model.num_neighbors) == (21 if voc else 19, 20)
    assert model.kmeans == dict(
        num_clusters=(6, 6) if voc else (12, 24), num_iterations=15,
        location=True)
    data = name.split('_retrieval_')[1]
    hsg = {'voc12-512': 'stage2_coco-448x448',
           'cityscapes-1024x2048': 'cityscapes-448x448',
           'kitti-step-376x1242': 'kitti-step-448x448'}[data]
    hsg = load_config(BASELINE_PATHS[name].parents[1] / f'hsg/hsg_r50_{hsg}.py')
    # Tested on the same images, of the same size, with the same bank.
    assert cfg.test_dataloader == hsg.test_dataloader
    assert cfg.custom_hooks == hsg.custom_hooks
    assert model.kmeans.num_clusters == hsg.model.kmeans_clusters
    assert model.data_preprocessor.get(
        'test_cfg') == hsg.model.data_preprocessor.get('test_cfg')


def test_dilated_as_it_was_trained():
    """At every second cell, stride 16 has the map of stride 32."""
    cfg = load_config(BASELINE_PATHS['moco_r50_retrieval_voc12-512'])
    width = dict(base_channels=4, stem_channels=4)
    dilated = MODELS.build(dict(cfg.model.embedder.backbone, **width))
    torch.manual_seed(0)
    strided = MODELS.build(
        dict(type='mmpretrain.ResNet', depth=50, **width))
    dilated.load_state_dict(strided.state_dict())
    for model in (dilated, strided):
        model.eval()
    image = torch.randn(2, 3, 96, 160)
    fine, = dilated(image)
    coarse, = strided(image)
    assert fine.shape == (2, 128, 6, 10)
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)
