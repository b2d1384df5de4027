"""Two processes measure what one does, for each kind of segmentor.

Retrieval, whose bank is shared out: `test_memory_bank_hook.py`.
"""

import json

import pytest
import torch
from helpers.dense import DENSE_PATHS, shrink_dense
from helpers.segmentation_data import make_segmentation_data
from helpers.swap import SWAP_PATHS, shrink_swap
from mmengine.dataset import pseudo_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from mmhierseg.registry import DATASETS, MODELS

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny data under data/, in the real layouts."""
    root = tmp_path_factory.mktemp('dist')
    make_segmentation_data(root, ('voc', 'cityscapes'))
    return root


def fine_tuning():
    """Segments, SEEDS in the loader, whole images."""
    return shrink_dense(DENSE_PATHS['cast/cast-s_voc12aug-512x512'])


def segmenter():
    """Mask transformer on segments, sliding windows."""
    return shrink_dense(
        DENSE_PATHS['cast/cast-s_segmenter_cityscapes-768x768'])


def swap():
    """Feature maps, superpixels on the device, views of two sizes."""
    cfg = shrink_swap(SWAP_PATHS['cast-s_fcn_voc12aug-512x512'])
    cfg.tta_pipeline[1].transforms[0] = [
        dict(type='Resize', scale_factor=factor, keep_ratio=True)
        for factor in (0.5, 1.)
    ]
    return cfg


def let_classes_compete(cfg):
    """State dict of a segmentor that predicts every class of the data.

    One of random weights predicts one class everywhere, which would hide that
    processes predict different things. Here logits have mean 0 and standard
    deviation 1 over the test images.
    """
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    torch.manual_seed(0)
    # Without the file of weights that fine-tuning starts from.
    cfg.model.backbone.init_cfg = None
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).eval()
    head = model.decode_head
    last = getattr(head, 'mask_norm', None) or head.conv_seg
    if hasattr(head, 'cls_emb'):
        # Far from each other, which it takes training to become.
        nn.init.normal_(head.cls_emb)
    logits, truth = [], []
    last.register_forward_hook(lambda *args: logits.append(args[-1]))
    for i in range(len(dataset)):
        sample, = model.test_step(pseudo_collate([dataset[i]]))
        truth.append(sample.gt_sem_seg.data.flatten())
    classes = len(last.bias)
    axis = [value.shape[1:].index(classes) + 1 for value in logits]
    values = torch.cat([
        value.movedim(k, -1).reshape(-1, classes)
        for value, k in zip(logits, axis)
    ])
    mean, scale = values.mean(0), 1 / values.std(0)
    with torch.no_grad():
        shape = [-1] + [1] * (last.weight.dim() - 1)
        last.weight *= scale.view(shape)
        last.bias.copy_((last.bias - mean) * scale - 1e4)
        known = torch.cat(truth).unique()
        last.bias[known[known != 255]] += 1e4
    return model.state_dict()


@pytest.mark.parametrize('kind', [fine_tuning, segmenter, swap])
def test_two_processes_are_one(kind, folder, tool, tmp_path, monkeypatch):
    """Three images: one of the processes has one more."""
    monkeypatch.chdir(folder)
    cfg, options = kind(), ['--tta'] * (kind is swap)
    cfg.test_evaluator = [
        dict(type='IoUMetric', iou_metrics=['mIoU']),
        dict(type='mmhierseg.BoundaryFScore', tolerance=0.05)
    ]
    cfg.test_dataloader.dataset.indices = 3
    checkpoint = tmp_path / 'model.pth'
    torch.save(dict(state_dict=let_classes_compete(cfg)), checkpoint)
    config = tmp_path / 'config.py'
    cfg.dump(str(config))
    metrics = {}
    for number, words in ((1, ['test.py', config, checkpoint]),
                          (2, ['dist_test.sh', config, checkpoint, 2])):
        work = tmp_path / str(number)
        tool(*words, *options, '--work-dir', work, cwd=folder)
        # One process writes the record.
        record, = (json.loads(path.read_text())
                   for path in work.glob('test_*.json'))
        assert record['processes'] == number
        metrics[number] = record['metrics']
    one = metrics[1]
    assert metrics[2] == pytest.approx(one)
    # Not of one class alone.
    assert one['mIoU'] > 1 and one['BoundaryFScore/mFscore'] > 1
