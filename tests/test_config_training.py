"""Configs train, validate, resume and test on tiny data.

One of each kind is in the fast tier, the others in the slow one.
"""

import math
import re

import numpy as np
import pytest
import torch
from helpers.config_runs import (
    cases,
    log_of,
    measure,
    train,
    train_and_resume,
    unformatted,  # noqa: F401
    write,
)
from helpers.configs import (
    CONFIGS,
    ROOT,
    has_cast,
    is_pretraining,
    load_config,
    make_data,
    save_pretrained,
    save_weights,
    shrink,
)
from helpers.dense import (
    CROP,
    DENSE_PATHS,
    save_dense_pretrained,
    shrink_dense,
)
from helpers.hsg_baselines import (
    BASELINE_PATHS,
    draw_resnet,
    shrink_baseline_test,
    shrink_baseline_training,
)
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.oversegmentation_data import make_oversegmentation_data
from helpers.retrieval import (
    RETRIEVAL_PATHS,
    save_pretraining,
    shrink_retrieval,
)
from helpers.segmentation_data import COUNTS
from mmengine.runner import Runner

from mmhierseg._base.errors import UserError
from mmhierseg.apis import HierarchyInferencer
from mmhierseg.evaluation import MemoryBank
from mmhierseg.registry import MODELS

FIRST, SECOND = (
    'hsg_r50_stage1_coco-224x224', 'hsg_r50_stage2_coco-448x448')
RETRIEVAL = 'cast/cast-s_retrieval_voc12-512'
METRICS = {'mIoU', 'aAcc', 'mAcc'}


@pytest.fixture(scope='module')
def tiny_data(tmp_path_factory):
    """Tiny datasets in the real layouts, and weights of HSG's first stage."""
    root = tmp_path_factory.mktemp('data')
    make_data(root)
    make_oversegmentation_data(root / 'hsg')
    for name in ('coco_stuff164k', 'potsdam'):
        (root / 'data' / name).symlink_to(root / 'hsg/data' / name)
    for second in HSG_PATHS:
        if 'stage1' not in load_config(HSG_PATHS[second]):
            continue
        first = load_config(HSG_PATHS[second]).stage1.split('/')[1]
        torch.manual_seed(3)
        model = MODELS.build(shrink_hsg(HSG_PATHS[first]).model)
        model.init_weights()
        save_weights(root / 'hsg' / load_config(HSG_PATHS[second]).stage1,
                     model.state_dict())
    return root


@pytest.fixture
def folder(tiny_data, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tiny_data)
    return tiny_data


@pytest.fixture
def hsg_folder(tiny_data, monkeypatch):
    """The working directory of HSG and its baselines."""
    monkeypatch.chdir(tiny_data / 'hsg')
    return tiny_data / 'hsg'


def validated(log):
    """Metrics of the one validation in a log."""
    line, = re.findall(r'(?:Iter|Epoch)\(val\) .* mIoU: .*', log)
    return {key: float(value)
            for key, value in re.findall(r'([\w/]+): ([\d.]+)', line)}


@pytest.mark.parametrize('name', cases(
    [str(path.relative_to(ROOT / 'configs').with_suffix(''))
     for path in CONFIGS],
    ['cast/cast-s_in1k', 'cast/cast-s_linear_in1k']))
def test_pretraining_and_classification(name, folder, tmp_path):
    cfg = shrink(load_config(ROOT / f'configs/{name}.py'))
    save_pretrained(cfg, folder)
    config = write(cfg, tmp_path)
    log = train(config, tmp_path / 'work')
    # Batches of 4; of 10 images, 2 are dropped except in linear probing.
    batches = 3 if 'linear' in name else 2
    losses = re.findall(
        rf'Epoch\(train\) +\[1\]\[\d/{batches}\] .* loss: ([\w.]+)', log)
    assert len(losses) == batches
    assert all(math.isfinite(float(loss)) for loss in losses)
    assert ('accuracy/top1' in log) != is_pretraining(cfg)
    if has_cast(cfg):
        # A trained model gives hierarchies.
        inferencer = HierarchyInferencer(
            config, tmp_path / 'work/epoch_1.pth', 'cpu')
        image = np.random.default_rng(1).integers(
            0, 256, (50, 70, 3), dtype=np.uint8)
        prediction, = inferencer(image)['predictions']
        assert len(prediction['num_segments']) == 1 + len(
            cfg.model.backbone.num_clusters)
        assert all(n <= 8 for n in prediction['num_segments'][1:])


# ---------------------------------------------------------------- fine-tuning


@pytest.mark.parametrize('name', cases(
    sorted(name for name in DENSE_PATHS if '/cast-b' not in name),
    ['cast/cast-s_segmenter_ade20k-512x512']))
def test_fine_tuning(name, folder, tmp_path):
    cfg = shrink_dense(DENSE_PATHS[name])
    save_dense_pretrained(cfg, folder)
    config, work = write(cfg, tmp_path), tmp_path / 'work'
    log = train_and_resume(config, work)
    assert 'Iter(val) [4/4]' in log
    written = (work / 'config.py').read_text()
    metrics = measure(config, work / 'iter_2.pth', work)
    # The config of the test is written beside that of training.
    assert (work / 'test_config.py').is_file()
    assert (work / 'config.py').read_text() == written
    # Validation has measured the same weights.
    assert metrics['mIoU'] == pytest.approx(validated(log)['mIoU'], abs=1e-4)


@pytest.mark.parametrize('name', [
    'cast/cast-s_voc12aug-512x512', 'cast/cast-s_segmenter_ade20k-512x512'
])
def test_starts_from_pretrained_weights(name, folder, tmp_path):
    """All that a checkpoint has, and positions in the grid of the crop."""
    cfg = shrink_dense(DENSE_PATHS[name])
    weights = save_dense_pretrained(cfg, folder)
    cfg.work_dir = str(tmp_path)
    model = Runner.from_cfg(cfg).model
    model.init_weights()
    state = model.backbone.state_dict()
    # The norm of the class token goes; the fusion comes, if it is missing.
    assert {key.split('.')[0] for key in weights.keys() - state} <= {'norm'}
    new = {key.split('.')[0] for key in state.keys() - weights}
    assert new == ({'fusion'} if 'segmenter' in name else set())
    for key, value in weights.items():
        if key in state and 'pos_' not in key:
            assert torch.equal(state[key], value), key
    assert state['tokenizer.pos_grid'].tolist() == [side // 8 for side in CROP]
    assert state['tokenizer.pos_embed'].shape == (1, 1 + 6 * 8, 48)
    assert torch.equal(state['tokenizer.pos_embed'][:, 0],
                       weights['tokenizer.pos_embed'][:, 0])


# ------------------------------------------------------------------- retrieval


@pytest.mark.parametrize('name', cases(RETRIEVAL_PATHS, [RETRIEVAL]))
def test_retrieval(name, folder, tmp_path):
    """Fills a bank and tests with a checkpoint of pre-training, as it is."""
    if 'dinov3' in name:
        pytest.importorskip('timm')
    cfg, bank = shrink_retrieval(RETRIEVAL_PATHS[name]), tmp_path / 'bank.pth'
    cfg.custom_hooks[0].save_to = str(bank)
    metrics = measure(write(cfg, tmp_path), save_pretraining(name, folder),
                      tmp_path / 'work')
    other = 'BoundaryFScore/mFscore' if 'voc' in name else 'NFCovering/level1'
    assert {'mIoU', 'aAcc', other} <= set(metrics)
    assert 0 < metrics['mIoU'] < 100
    log = log_of(tmp_path / 'work')
    # All training scenes, of both lists of VOC.
    number, images = map(int, re.search(
        r'Memory bank of (\d+) segments of (\d+) images', log).groups())
    assert images == COUNTS[0]
    # At most six segments an image, not all of one class.
    labels = MemoryBank.load(bank).labels
    assert COUNTS[0] < number == len(labels) <= 6 * COUNTS[0]
    assert labels.unique().numel() > 1
    # Progress, every third batch.
    assert re.findall(r'Memory bank \[(\d)/8\]', log) == ['3', '6', '8']


def test_retrieval_trains_nothing(folder, tmp_path):
    cfg = shrink_retrieval(RETRIEVAL_PATHS[RETRIEVAL])
    with pytest.raises(UserError, match=r'nothing to train.*tools/test'):
        train(write(cfg, tmp_path), tmp_path / 'work')


# ------------------------------------------------------------------------ HSG


@pytest.mark.parametrize('name', cases(HSG_PATHS, [SECOND]))
def test_hsg(name, hsg_folder, tmp_path):
    cfg = shrink_hsg(HSG_PATHS[name])
    # CamVid has a test part.
    cfg.test_dataloader = cfg.val_dataloader
    config, work = write(cfg, tmp_path), tmp_path / 'work'
    log = train_and_resume(config, work)
    for key in ('loss_img_sim', 'loss_hierarchy', 'loss_clustering'):
        values = [float(v) for v in re.findall(rf'{key}: ([\d.]+)', log)]
        assert len(values) == 2 and all(map(math.isfinite, values))
        zero = '_stage1' in name and key != 'loss_img_sim'
        assert all((value == 0) == zero for value in values)
    metrics = measure(config, work / 'iter_2.pth', tmp_path / 'test')
    levels = 1 if '_stage1' in name else 3
    assert set(metrics) == METRICS | {
        f'NFCovering/level{level}' for level in range(levels)}
    found = validated(log)
    for key, value in metrics.items():
        assert value == pytest.approx(found[key], abs=1e-4) and value > 0
    assert re.findall(r'Memory bank of \d+ segments of (\d+) images',
                      log) == [str(COUNTS[0])]


def test_second_stage_starts_from_the_first(hsg_folder, tmp_path, monkeypatch):
    cfg = shrink_hsg(HSG_PATHS[SECOND])
    cfg.work_dir = str(tmp_path)
    model = Runner.from_cfg(cfg).model
    model.init_weights()
    weights, state = torch.load(cfg.stage1)['state_dict'], model.state_dict()
    assert weights.keys() == {
        key for key in state if not key.startswith('head.')}
    assert all(torch.equal(state[key], weights[key]) for key in weights)
    (tmp_path / 'data').symlink_to(hsg_folder / 'data')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='iter_350000.pth'):
        train(write(cfg, tmp_path), tmp_path / 'work')


# ------------------------------------------------------------ baselines of HSG


@pytest.mark.slow
@pytest.mark.parametrize('name, options', [
    ('segsort_r50_coco-224x224', []),
    ('segsort_r50_cityscapes-448x448', []),
    ('segsort_r50_kitti-step-448x448', []),
    ('segsort_r18_camvid', []),
    # The options that the README names.
    ('segsort_r50_cityscapes-448x448',
     ['train_dataloader.dataset.pipeline.2.num_views=1']),
    ('segsort_r50_cityscapes-448x448', ['model.head.cosegment=True']),
])
def test_segsort(name, options, hsg_folder, tmp_path):
    """Trains with the one loss that SegSort has."""
    readme = (BASELINE_PATHS[name].parent / 'README.md').read_text()
    assert all(f'--cfg-options {option}`' in readme for option in options)
    config = write(shrink_hsg(BASELINE_PATHS[name]), tmp_path)
    log = train(config, tmp_path / 'work', *options, flags=['--no-validate'])
    losses = re.findall(r' loss_img_sim: ([\d.]+)', log)
    assert len(losses) == 2 and all(0 < float(v) < 10 for v in losses)
    assert re.findall(r' loss: ([\d.]+)', log) == losses
    metrics = measure(config, tmp_path / 'work/iter_2.pth', tmp_path / 'test')
    assert set(metrics) == METRICS | {'NFCovering/level0'}
    assert metrics['aAcc'] > 0


@pytest.mark.slow
@pytest.mark.parametrize('method', ['moco', 'densecl'])
@pytest.mark.parametrize('trained_on, tested_on', [
    ('r50_coco', 'r50_retrieval_voc12-512'),
    ('r50_cityscapes', 'r50_retrieval_cityscapes-1024x2048'),
    ('r50_kitti-step', 'r50_retrieval_kitti-step-376x1242'),
    ('r18_camvid', 'r18_retrieval_camvid')])
def test_contrastive_baselines(method, trained_on, tested_on, hsg_folder,
                               tmp_path):
    """The checkpoint of MMPretrain's algorithm is tested as it is."""
    cfg = shrink_baseline_training(BASELINE_PATHS[f'{method}_{trained_on}'])
    log = train(write(cfg, tmp_path), tmp_path / 'work')
    # Eight images, four in a batch.
    losses = re.findall(
        r'Epoch\(train\) +\[1\]\[\d/2\] .* loss: ([\d.]+)', log)
    assert len(losses) == 2 and all(math.isfinite(float(v)) for v in losses)
    check_retrieval(f'{method}_{tested_on}', tmp_path / 'work/epoch_1.pth',
                    tmp_path)


def check_retrieval(name, checkpoint, tmp_path):
    """Fill a bank and test a ResNet."""
    config = write(shrink_baseline_test(BASELINE_PATHS[name]), tmp_path)
    metrics = measure(config, checkpoint, tmp_path / 'test')
    # Level 0 are cells, which are not evaluated.
    assert set(metrics) == METRICS | {'NFCovering/level1'}
    assert 0 < metrics['aAcc'] < 100
    number, images = map(int, re.search(
        r'Memory bank of (\d+) segments of (\d+) images',
        log_of(tmp_path / 'test')).groups())
    # At most six clusters an image.
    assert images == COUNTS[0] < number <= 6 * images


@pytest.mark.slow
@pytest.mark.parametrize('data', [
    'voc12-512', 'cityscapes-1024x2048', 'kitti-step-376x1242'])
def test_weights_of_others_are_loaded_as_they_are(data, hsg_folder, tmp_path):
    weights = {f'module.encoder_q.{k}': v for k, v in draw_resnet().items()}
    torch.save(dict(state_dict=weights, epoch=200), tmp_path / 'theirs.pth')
    check_retrieval(f'revisit_r50_retrieval_{data}', tmp_path / 'theirs.pth',
                    tmp_path)


def test_dilated_resnet_agrees_with_the_strided_one():
    """At every fourth cell, stride 8 has the map of stride 32."""
    cfg = load_config(BASELINE_PATHS['moco_r50_retrieval_voc12-512'])
    width = dict(base_channels=4, stem_channels=4)
    dilated = MODELS.build(dict(cfg.model.embedder.backbone, **width))
    strided = MODELS.build(dict(type='mmpretrain.ResNet', depth=50, **width))
    dilated.load_state_dict(strided.state_dict())
    for model in (dilated, strided):
        model.eval()
    image = torch.randn(2, 3, 96, 160)
    (fine, ), (coarse, ) = dilated(image), strided(image)
    assert fine.shape == (2, 128, 12, 20)
    torch.testing.assert_close(fine[..., ::4, ::4], coarse)
