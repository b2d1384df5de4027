"""The recipes of HSG are those of the paper, number by number."""

import mmengine
import numpy as np
import pytest
import torch
from helpers.configs import ROOT, load_config
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from mmengine.optim import LinearLR, MultiStepLR, build_optim_wrapper
from torch import nn

from mmhierseg.registry import MODELS

#: Config -> crop, images of a batch (8 GPUs), iterations, learning rate, grid
#: and iterations of k-means, neighbours in the graph, factor of the head's
#: learning rate; classes and grid of k-means in the evaluation.
RECIPES = {
    'hsg_r50_stage1_coco-224x224':
    (224, 16, 350000, 0.1, (1, 1), 1, None, 1, 21, (6, 6)),
    'hsg_r50_stage2_coco-448x448':
    (448, 6, 20000, 8e-3, (4, 4), 15, 2, 10, 21, (6, 6)),
    'hsg_r50_cityscapes-448x448':
    (448, 4, 38000, 0.1, (4, 4), 15, 4, 1, 19, (12, 24)),
    'hsg_r50_kitti-step-448x448':
    (448, 4, 38000, 0.1, (4, 4), 15, 4, 1, 19, (12, 24)),
}
FIRST, SECOND, CITYSCAPES, KITTI = RECIPES
GPUS = 8


@pytest.fixture(scope='module')
def configs():
    return {name: load_config(HSG_PATHS[name]) for name in RECIPES}


@pytest.fixture(scope='module')
def models(configs):
    """Models of the recipes in their full size, drawn anew."""
    built = {}
    for name, cfg in configs.items():
        settings = cfg.model.to_dict()
        for part in ('backbone', 'neck'):
            settings[part].pop('init_cfg', None)
        built[name] = MODELS.build(settings)
    return built


def rates_of(cfg, steps):
    """Learning rate at some iterations."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))],
                                lr=cfg.optim_wrapper.optimizer.lr)
    kinds = dict(LinearLR=LinearLR, MultiStepLR=MultiStepLR)
    schedulers = []
    for options in cfg.param_scheduler:
        options = dict(options)
        schedulers.append(kinds[options.pop('type')](optimizer, **options))
    rates = []
    for _ in range(max(steps) + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return np.array(rates)[steps]


def view_step(cfg, name):
    """A transform of the two views."""
    views, = (step for step in cfg.train_dataloader.dataset.pipeline
              if step.type.endswith('MultiView'))
    assert views.num_views == 2
    found, = (step for step in views.transforms[0]
              if step.type.split('.')[-1] == name)
    return found


@pytest.mark.parametrize('name', RECIPES)
def test_batches_and_schedule(name, configs):
    cfg = configs[name]
    crop, batch, iterations, rate = RECIPES[name][:4]
    assert view_step(cfg, 'RandomCrop').crop_size == (crop, crop)
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == GPUS * batch
    assert cfg.train_cfg.max_iters == iterations
    # What is tested is saved, and what is best is known.
    assert iterations % cfg.default_hooks.checkpoint.interval == 0
    assert iterations % cfg.train_cfg.val_interval == 0
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=rate, momentum=0.9, weight_decay=1e-4)
    assert f'iter_{iterations}.pth' in HSG_PATHS[name].read_text()


@pytest.mark.parametrize('name', RECIPES)
def test_learning_rate(name, configs):
    """Warm-up of 100 iterations from a tenth; at 32, 56 and 75 % less."""
    iterations, rate = RECIPES[name][2:4]
    drops = [int(share * iterations / 100) for share in (32, 56, 75)]
    milestones = configs[name].param_scheduler[1].milestones
    assert milestones == drops
    if name == FIRST:
        # The same, with fewer iterations to walk through.
        cfg = configs[name]
        assert cfg.param_scheduler[0] == (
            configs[CITYSCAPES].param_scheduler[0])
        return
    steps = np.array([0, 50, 99, 100, drops[0] - 1, drops[0], drops[1] - 1,
                      drops[1], drops[2] - 1, drops[2]])
    # MMEngine's warm-up gets where it goes in its last iteration.
    expected = rate * np.array(
        [0.1, 0.1 + 0.9 * 50 / 99, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.001])
    np.testing.assert_allclose(rates_of(configs[name], steps), expected,
                               rtol=1e-6)


@pytest.mark.parametrize('name', RECIPES)
def test_learning_rate_and_decay_of_each_parameter(name, configs, models):
    """Biases x 2 and without decay; of stage 2, all of the head x 10, too."""
    rate, factor = RECIPES[name][3], RECIPES[name][7]
    model = models[name]
    wrapper = build_optim_wrapper(model, configs[name].optim_wrapper)
    names = {id(p): key for key, p in model.named_parameters()}
    seen = set()
    for group in wrapper.param_groups:
        for parameter in group['params']:
            # MMEngine adds a number of its own, to log the learning rate.
            if id(parameter) not in names:
                assert not parameter.shape
                continue
            key = names[id(parameter)]
            seen.add(key)
            bias = key.endswith('bias')
            times = (factor if key.startswith('head.') else 1) * (1 + bias)
            assert group['lr'] == pytest.approx(rate * times), key
            assert group['weight_decay'] == (0 if bias else 1e-4), key
            # Weights of norms are vectors as well.
            assert bias or key.endswith('weight')
    assert seen == {k for k, p in model.named_parameters() if p.requires_grad}
    tops = {'.'.join(key.split('.')[:2]) for key in seen if 'head' in key}
    assert tops == (set() if name == FIRST else {
        'head.positions', 'head.fine_transformer', 'head.coarse_transformer'
    })


@pytest.mark.parametrize('name', RECIPES)
def test_head(name, models):
    _, _, _, _, clusters, iterations, neighbours = RECIPES[name][:7]
    head = models[name].head
    assert head.kmeans_clusters == clusters
    assert head.kmeans_iterations == iterations
    losses = head.losses
    assert losses.contrast.concentration == 16
    if name == FIRST:
        assert not head.with_groups
        assert losses.contrast_weights == (1, 0, 0)
        return
    coco = name == SECOND
    assert losses.contrast_weights == (1, 0.1, 0.1)
    assert losses.dmon.loss_weight == (1 if coco else 0.2)
    assert losses.centroids.loss_weight == (1 if coco else 0.2)
    assert losses.graph_knn == neighbours
    assert losses.graph_within_view == coco
    assert head.pad_length == (256 if coco else None)
    assert head.positions.position_size == 28
    for transformer, groups in ((head.fine_transformer, 8),
                                (head.coarse_transformer, 4)):
        assert transformer.query_embed.weight.shape == (groups, 128)
        for layers in (transformer.encoder, transformer.decoder):
            assert len(layers) == 2
            assert layers[0].self_attn.num_heads == 4
            assert layers[0].linear1.out_features == 256
            assert layers[0].dropout.p == 0.1


@pytest.mark.parametrize('name', RECIPES)
def test_network(name, configs, models):
    """ResNet-50 of stride 16, whose last stage is dilated, and D = 128."""
    model = models[name].eval()
    backbone = model.backbone
    assert [len(getattr(backbone, f'layer{i}')) for i in range(1, 5)] == [
        3, 4, 6, 3
    ]
    strides = [getattr(backbone, f'layer{i}')[0].conv2.stride[0]
               for i in range(1, 5)]
    assert strides == [1, 2, 2, 1]
    assert all(block.conv1.stride == (1, 1) for i in range(1, 5)
               for block in getattr(backbone, f'layer{i}'))
    assert [block.conv2.dilation[0] for block in backbone.layer4] == [1, 4, 8]
    assert {block.conv2.dilation for i in range(1, 4)
            for block in getattr(backbone, f'layer{i}')} == {(1, 1)}
    assert backbone.conv1.kernel_size == (7, 7)
    hidden, out = model.neck.hidden, model.neck.out
    assert hidden.conv.weight.shape == (2048, 2048, 1, 1)
    assert hidden.conv.bias is None and isinstance(hidden.bn, nn.BatchNorm2d)
    assert out.weight.shape == (128, 2048, 1, 1) and out.bias is not None
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 128, 4, 6)
    assert configs[name].sync_bn == 'torch'
    # From scratch, but for the second stage.
    assert (configs[name].model.backbone.get('init_cfg') is None) == (
        name != SECOND)


def test_second_stage_starts_from_the_first(configs):
    cfg = configs[SECOND]
    path = f'work_dirs/{FIRST}/iter_{RECIPES[FIRST][2]}.pth'
    for part in ('backbone', 'neck'):
        assert cfg.model[part].init_cfg == dict(
            type='Pretrained', checkpoint=path, prefix=f'{part}.')


@pytest.mark.parametrize('name', RECIPES)
def test_evaluation(name, configs, models):
    classes, clusters = RECIPES[name][8:]
    cfg, model = configs[name], models[name]
    assert model.num_classes == classes and model.num_neighbors == 20
    assert model.kmeans_clusters == clusters
    assert model.kmeans_iterations == 15 and model.level == 0
    padded = cfg.model.data_preprocessor.get('test_cfg')
    assert padded == (dict(size=(512, 512)) if 'coco' in name else None)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert [one.type for one in evaluator] == [
            'IoUMetric', 'mmhierseg.NFCovering'
        ]
    hook, = cfg.custom_hooks
    assert hook.type == 'mmhierseg.MemoryBankHook'
    resize, = (step for step in cfg.test_dataloader.dataset.pipeline
               if step.type == 'Resize')
    sizes = {KITTI: (1242, 376), CITYSCAPES: (2048, 1024)}
    assert resize.scale == sizes.get(name, (512, 512)) and resize.keep_ratio


def test_the_two_of_one_stage_are_the_same(configs):
    first, second = (configs[name] for name in (CITYSCAPES, KITTI))
    for key in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg',
                'auto_scale_lr', 'sync_bn'):
        assert first[key] == second[key], key


@pytest.mark.parametrize('name', HSG_PATHS)
def test_all_that_is_trained_gets_a_gradient(name):
    """Else training in several processes would stop."""
    cfg = shrink_hsg(HSG_PATHS[name])
    for part in ('backbone', 'neck'):
        cfg.model[part].pop('init_cfg', None)
    model = MODELS.build(cfg.model)
    model.init_weights()
    inputs = torch.randn(4, 4, 96, 128)
    inputs[:, 3] = torch.arange(128) // 32
    losses = model.train().loss(inputs, None, torch.tensor([0, 1, 0, 1]))
    sum(losses.values()).backward()
    without = {
        key for key, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    }
    assert not without


def test_metafile_tells_iterations_and_batch(configs):
    entries = mmengine.load(ROOT / 'configs/hsg/metafile.yml')['Models']
    entries = {entry['Name']: entry['Metadata'] for entry in entries}
    for name, cfg in configs.items():
        assert entries[name]['Iterations'] == cfg.train_cfg.max_iters
        assert (entries[name]['Batch Size'] ==
                GPUS * cfg.train_dataloader.batch_size)
