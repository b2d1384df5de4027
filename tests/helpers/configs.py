"""Configs of the repository, shrunk until a CPU trains them in seconds.

Model, images, batches and the length of training shrink; paths of data and
weights stay as they are, relative to the folder that a tool is run in.
"""

import copy
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from PIL import Image

from mmhierseg.registry import MODELS

from .segmentation_data import make_segmentation_data

ROOT = Path(__file__).resolve().parents[2]
ALL_CONFIGS = sorted(
    path for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts)


def _kind(path):
    if path.parent.name in ('hsg', 'swap'):
        return path.parent.name
    for part, kind in (('_r(18|50)_', 'baseline'),
                       ('_retrieval_', 'retrieval'),
                       ('_hierarchy_', 'hierarchy')):
        if re.search(part, path.stem):
            return kind
    # Segmentors have their crop in the name.
    return 'dense' if re.search(r'-\d+(x\d+)?$', path.stem) else 'pretraining'


#: Pre-training and classification; segmentors; retrieval; HSG and its
#: baselines; CAST in configs of MMSegmentation.
(CONFIGS, DENSE_CONFIGS, RETRIEVAL_CONFIGS, HSG_CONFIGS, BASELINE_CONFIGS,
 SWAP_CONFIGS) = ([path for path in ALL_CONFIGS if _kind(path) == kind]
                  for kind in ('pretraining', 'dense', 'retrieval', 'hsg',
                               'baseline', 'swap'))
#: Side of a tiny image.
SIDE = 64
WIDTH = 48

_TRANSFORMS = dict(
    RandomResizedCrop=dict(scale=SIDE),
    ResizeEdge=dict(scale=72),
    CenterCrop=dict(crop_size=SIDE))


@functools.cache
def _read(path):
    return Config.fromfile(path, import_custom_modules='mask2' not in path)


def load_config(path):
    """Config of the repository; sets its default scope."""
    cfg = copy.deepcopy(_read(str(path)))
    init_default_scope(cfg.default_scope)
    return cfg


def load_base(name):
    """A dataset's base as the config of a segmentor has it: with its scope."""
    init_default_scope('mmseg')
    return Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py')


def is_pretraining(cfg):
    return cfg.model.type == 'MoCoV3'


def has_cast(cfg):
    return cfg.model.backbone.type == 'mmhierseg.CAST'


def run_tool(tool, *words, cwd='.', status=0, **env):
    """Run a tool without a GPU, and return what it prints.

    ``status`` is the exit status that it must have.
    """
    program = 'bash' if tool.endswith('.sh') else sys.executable
    result = subprocess.run(
        [program, ROOT / 'tools' / tool, *map(str, words)],
        cwd=cwd,
        env={
            **os.environ, 'PYTHON': sys.executable,
            'PYTHONPATH': str(ROOT),
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
            **env
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600)
    assert result.returncode == status, result.stdout[-3000:]
    return result.stdout


def learning_rates(cfg, steps, epoch_length=None):
    """Learning rates of a recipe in some iterations, counted from 0.

    ``epoch_length`` is needed if the runner counts epochs.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))],
                                lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = []
    for options in cfg.param_scheduler:
        options = dict(options)
        kind = PARAM_SCHEDULERS.get(options.pop('type'))
        every = epoch_length if options['by_epoch'] else 1
        if options.pop('convert_to_iter_based', False):
            kind, every = functools.partial(
                kind.build_iter_from_epoch, epoch_length=epoch_length), 1
        schedulers.append((kind(optimizer=optimizer, **options), every))
    rates = []
    for step in range(1, max(steps) + 2):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler, every in schedulers:
            if step % every == 0:
                scheduler.step()
    return np.array(rates)[steps]


def parameter_groups(model, cfg):
    """(name, learning rate, weight decay) of all trained parameters."""
    names = {id(p): name for name, p in model.named_parameters()}
    settings = dict(cfg.optim_wrapper.to_dict(), type='OptimWrapper')
    for key in ('loss_scale', 'dtype'):
        settings.pop(key, None)
    found = [
        (names[id(parameter)], group['lr'], group['weight_decay'])
        for group in build_optim_wrapper(model, settings).param_groups
        # MMEngine adds a number of its own, to log the learning rate.
        for parameter in group['params'] if id(parameter) in names
    ]
    return found


def make_data(root):
    """Ten images of noise per dataset, in the layouts of the real ones.

    Those of segmentation are scenes; see :mod:`.segmentation_data`.
    """
    rng = np.random.default_rng(0)
    folders = [Path('data/coco/train2017')] * 2
    for name in ('imagenet', 'imagenet100', 'imagenette', 'skimage_photos'):
        for split in ('train', 'val'):
            folders += [
                Path('data', name, split, label)
                for label in ('n01440764', 'n01443537')
            ]
    for i, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for j in range(5):
            noise = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
            Image.fromarray(noise).save(
                root / folder / f'{i}_{j}.JPEG', format='JPEG')
    make_segmentation_data(root)


def shrink(cfg):
    """Shrink a config of MoCo v3 or of a classifier in place; returns it."""
    shrink_steps(cfg._cfg_dict, _TRANSFORMS)
    for field in ('train', 'val', 'test'):
        loader = cfg.get(f'{field}_dataloader')
        if loader is None:
            continue
        loader.update(
            batch_size=4, num_workers=0, persistent_workers=False)
        if loader.dataset.type == 'ImageNet':
            loader.dataset.metainfo = dict(classes=('a', 'b'))
    _shrink_backbone(cfg.model)
    if is_pretraining(cfg):
        cfg.model.neck.update(hid_channels=32, out_channels=16)
        cfg.model.head.predictor.update(
            in_channels=16, hid_channels=32, out_channels=16)
    else:
        cfg.model.data_preprocessor.num_classes = 2
        cfg.model.head.num_classes = 2
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            evaluator.topk = (1, )
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def save_pretrained(cfg, root, **options):
    """Save random weights that a config starts from, if any; returns them."""
    init_cfg = cfg.model.backbone.get('init_cfg')
    if init_cfg is None:
        return None
    torch.manual_seed(3)
    backbone = MODELS.build(
        dict(cfg.model.backbone, init_cfg=None, **options))
    backbone.init_weights()
    weights = backbone.state_dict()
    save_weights(root / init_cfg.checkpoint,
                 {f'backbone.{key}': value for key, value in weights.items()})
    return weights


def save_weights(path, weights):
    """Save a checkpoint of weights only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=weights, meta={}), path)


def shrink_cast(backbone, size, clusters=(8, 6, 4, 2)):
    """Shrink CAST, or MMPretrain's ViT, in place."""
    if 'DINOv3' not in backbone.type:
        backbone.img_size = size
    if 'CAST' not in backbone.type:
        backbone.arch = dict(
            embed_dims=WIDTH, num_layers=2, num_heads=4,
            feedforward_channels=96)
        return
    pools = bool(backbone.num_clusters)
    backbone.arch = dict(
        embed_dims=WIDTH, depths=(1, ) * (4 if pools else 1), num_heads=4)
    backbone.num_clusters = clusters if pools else ()


def shrink_steps(node, sizes):
    """Shrink the transforms in any part of a config, in place.

    ``sizes`` are the new ones by type, of which those are set that are there.
    """
    if isinstance(node, dict):
        new = sizes.get(node.get('type'), {})
        node.update({k: v for k, v in new.items() if k in node})
        if node.get('type') == 'SEEDS' and 'num_segments' in node:
            node.pop('num_segments')
            node['segment_size'] = 16
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            shrink_steps(child, sizes)


def pruned(node, drop):
    """Plain dicts of a config without the parts of which `drop` is true.

    It takes a key, None in a list, and the value.
    """
    if isinstance(node, (dict, Config)):
        return {key: pruned(value, drop) for key, value in node.items()
                if not drop(key, value)}
    if isinstance(node, (list, tuple)):
        return type(node)(pruned(value, drop) for value in node
                          if not drop(None, value))
    return node


def without_weights(node):
    """Config of a model that starts from random weights."""
    return pruned(node, lambda key, value: key == 'init_cfg' and (
        not value or 'Pretrained' in str(value)))


def build_full(cfg):
    """The model of a config in full size, without memory where possible."""
    settings = without_weights(cfg.model)
    init_default_scope(cfg.default_scope)
    try:
        with torch.device('meta'):
            return MODELS.build(settings)
    except (NotImplementedError, RuntimeError):  # reads values it has made
        return MODELS.build(settings)


def _shrink_backbone(model):
    backbone = model.backbone
    width = WIDTH
    if 'SwinTransformer' in backbone.type:
        backbone.img_size = SIDE
        backbone.arch = dict(
            embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4])
        backbone.window_size = 2
        width = 64
    else:
        shrink_cast(backbone, SIDE)
    if 'ViT' in backbone.type and 'frozen_stages' in backbone:
        backbone.frozen_stages = 2
    where = model.neck if model.type == 'MoCoV3' else model.head
    where.in_channels = width
