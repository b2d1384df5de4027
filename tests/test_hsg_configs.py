"""Every config of HSG trains, validates, resumes and tests on tiny data."""

import json
import math
import re
import shutil

import pytest
import torch
from helpers.cast import DATA
from helpers.configs import load_config
from helpers.hsg import with_resnet
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.oversegmentation_data import make_oversegmentation_data
from helpers.segmentation_data import COUNTS
from mmengine.runner import Runner

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.hsg import convert_hsg_checkpoint
from mmhierseg.cli import launch
from mmhierseg.registry import MODELS

FIRST, SECOND = (
    'hsg_r50_stage1_coco-224x224', 'hsg_r50_stage2_coco-448x448')
#: Losses that a recipe has, of the keys of the log.
LOSSES = ('loss_img_sim', 'loss_hierarchy', 'loss_clustering')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny data, and weights of the first stage."""
    root = tmp_path_factory.mktemp('hsg')
    make_oversegmentation_data(root)
    save_first_stage(root / load_config(HSG_PATHS[SECOND]).stage1)
    return root


@pytest.fixture(autouse=True)
def unformatted(monkeypatch):
    """MMEngine has yapf format each config, which takes half of the time."""
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode',
                        lambda text, **options: (text, False))


def save_first_stage(path):
    """Draw a checkpoint as the first stage leaves it."""
    torch.manual_seed(3)
    model = MODELS.build(shrink_hsg(HSG_PATHS[FIRST]).model)
    model.init_weights()
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)


def write(cfg, folder):
    config = str(folder / 'config.py')
    cfg.dump(config)
    return config


def test_there_are_configs():
    assert set(HSG_PATHS) == {
        FIRST, SECOND, 'hsg_r50_cityscapes-448x448',
        'hsg_r50_kitti-step-448x448', 'hsg_r18_scenes-96x96'
    }


@pytest.mark.parametrize('name', HSG_PATHS)
def test_trains_resumes_validates_and_tests(name, folder, tmp_path,
                                            monkeypatch):
    """What the two tools do, in this process."""
    monkeypatch.chdir(folder)
    config = write(shrink_hsg(HSG_PATHS[name]), tmp_path)
    work = tmp_path / 'work'
    words = [config, '--work-dir', str(work)]
    launch.train([
        *words, '--no-validate', '--cfg-options', 'train_cfg.max_iters=1'
    ])
    launch.train([*words, '--resume'])
    logs = sorted(work.rglob('*.log'))
    text = ''.join(path.read_text() for path in logs)
    steps = re.findall(r'Iter\(train\) \[(\d)/\d\] .*', text)
    assert steps == ['1', '2']
    for key in LOSSES:
        values = [float(v) for v in re.findall(rf'{key}: ([\d.]+)', text)]
        assert len(values) == 2 and all(map(math.isfinite, values))
        first_stage = name == FIRST and key != 'loss_img_sim'
        assert all((value == 0) == first_stage for value in values)
    metrics = tmp_path / 'metrics.json'
    launch.test([
        config, str(work / 'iter_2.pth'), '--work-dir',
        str(tmp_path / 'test'), '--out', str(metrics), '--out-item', 'metrics'
    ])
    metrics = json.loads(metrics.read_text())
    levels = 1 if name == FIRST else 3
    assert set(metrics) == {'mIoU', 'aAcc', 'mAcc'} | {
        f'NFCovering/level{level}' for level in range(levels)
    }
    # What validation measured, of the same weights.
    line, = re.findall(r'Iter\(val\) .* mIoU: .*', text)
    for key, value in metrics.items():
        found = float(re.search(rf'\b{key}: ([\d.]+)', line)[1])
        assert value == pytest.approx(found, abs=1e-4) and value > 0
    number = re.findall(r'Memory bank of \d+ segments of (\d+) images', text)
    assert number == [str(COUNTS[0])]


def test_second_stage_starts_from_the_first(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    cfg = shrink_hsg(HSG_PATHS[SECOND])
    cfg.work_dir = str(tmp_path)
    model = Runner.from_cfg(cfg).model
    model.init_weights()
    weights = torch.load(cfg.stage1)['state_dict']
    state = model.state_dict()
    assert weights.keys() == {
        key for key in state if not key.startswith('head.')
    }
    for key, value in weights.items():
        assert torch.equal(state[key], value), key


def test_second_stage_without_the_first(folder, tmp_path, monkeypatch):
    cfg = shrink_hsg(HSG_PATHS[SECOND])
    shutil.copytree(folder / 'data', tmp_path / 'data', symlinks=True)
    monkeypatch.chdir(tmp_path)
    config = write(cfg, tmp_path)
    with pytest.raises(UserError, match='iter_350000.pth'):
        launch.train([config, '--work-dir', str(tmp_path / 'work')])


def test_converted_checkpoint_fits():
    """What the converter makes of the authors' file fills the model."""
    source, _ = with_resnet(
        load_plain_checkpoint(DATA / 'hsg_coco.pth'), 18, 'detectron2')
    converted = convert_hsg_checkpoint(source)
    cfg = shrink_hsg(HSG_PATHS[SECOND])
    cfg.model.neck.out_channels = converted.options['embed_dims']
    cfg.model.head.update(converted.options)
    model = MODELS.build(cfg.model)
    model.load_state_dict(converted.state_dict)
    hierarchy = model.eval().segments(torch.rand(1, 3, 64, 96)).hierarchy
    assert hierarchy.num_levels == 3 and (hierarchy.labels >= 0).all()


def test_other_level(folder, tmp_path, monkeypatch):
    """Coarse groups are looked up, by an option of the command line."""
    monkeypatch.chdir(folder)
    cfg = shrink_hsg(HSG_PATHS['hsg_r50_cityscapes-448x448'])
    cfg.work_dir = str(tmp_path)
    cfg.model.update(level=2, num_neighbors=1)
    metrics = Runner.from_cfg(cfg).val()
    log, = (path.read_text() for path in tmp_path.rglob('*.log'))
    entries = int(re.search(r'Memory bank of (\d+) segments', log)[1])
    # At most four groups an image.
    assert COUNTS[0] <= entries <= 4 * COUNTS[0]
    assert metrics['aAcc'] > 0
