"""Options of the command line in a config."""

import re

import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli.options import (
    parse_test_args,
    parse_train_args,
    read_config,
    with_test_options,
    with_train_options,
)


def loader_of(*names):
    return dict(num_workers=2, dataset=dict(
        pipeline=[dict(type=name) for name in names]))


def config(**fields):
    loader = loader_of('LoadImageFromFile', 'PackInputs')
    return Config(dict({
        'model': dict(type='ImageClassifier'),
        'optim_wrapper': dict(type='OptimWrapper'),
        'train_dataloader': loader,
        'val_dataloader': loader,
        'val_cfg': {},
        'val_evaluator': dict(type='Accuracy'),
        'test_dataloader': loader,
        'test_cfg': {},
        'test_evaluator': dict(type='Accuracy'),
        'default_scope': 'mmpretrain'
    }, **fields))


def train(cfg, *words):
    return with_train_options(cfg, parse_train_args(['a/b.py', *words]))


def run_test(cfg, *words):
    return with_test_options(cfg,
                             parse_test_args(['a/b.py', 'c.pth', *words]))


@pytest.mark.parametrize('parse, words, message', [
    (parse_train_args, ['--cfg-options', "a=[dict(type='A',b=0)]"],
     'takes KEY=VALUE'),
    (parse_test_args, ['c', '--out-item', 'pred'], 'needs --out'),
    (parse_test_args, ['c', '--out', 'a.json'], r'go to a \.pkl file'),
])
def test_unfit_words(parse, words, message, capsys):
    with pytest.raises(SystemExit):
        parse(['a.py', *words])
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize('name, text, message', [
    ('missing.py', None, 'there is no config file .*missing.py'),
    ('child.py', "_base_ = ['parent.py']", r'child\.py: .*parent\.py'),
    ('notes.txt', 'no config', 'notes.txt: '),
    ('broken.py', 'model = dict(', r'broken\.py: '),
    ('part.py', 'optim_wrapper = dict()', 'part.py has no `model`'),
    ('list.yaml', '- model', 'list.yaml: '),
    ('endless.yaml', 'model: &a [*a]', 'endless.yaml: '),
])
def test_files_that_are_no_configs(name, text, message, tmp_path):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_config(str(path))


def test_train_options():
    cfg = config()
    before = cfg.pretty_text
    new = train(cfg, '--amp', '--no-validate', '--resume', 'x.pth',
                '--no-pin-memory', '--cfg-options',
                'optim_wrapper.clip_grad=3')
    assert cfg.pretty_text == before  # it is copied
    assert new.optim_wrapper == dict(
        type='AmpOptimWrapper', loss_scale='dynamic', clip_grad=3)
    assert new.val_cfg is new.val_dataloader is new.val_evaluator is None
    assert new.resume is True and new.load_from == 'x.pth'
    assert new.train_dataloader.pin_memory is False
    assert new.work_dir == 'work_dirs/b'
    new = train(config(work_dir='own', load_from='w.pth'), '--resume')
    assert new.work_dir == 'own'
    # Which one is the latest is looked up later.
    assert new.resume == 'auto' and new.load_from == 'w.pth'
    assert train(config(work_dir='own'), '--work-dir', 'x').work_dir == 'x'
    own = config(optim_wrapper=dict(type='AmpOptimWrapper', loss_scale=512.))
    assert train(own, '--amp').optim_wrapper.loss_scale == 512.
    cfg = train(config(auto_scale_lr=dict(base_batch_size=256)),
                '--auto-scale-lr')
    assert cfg.auto_scale_lr == dict(base_batch_size=256, enable=True)


def test_drawing():
    hooks = dict(visualization=dict(type='VisualizationHook'))
    words = ['--show-dir', 'd', '--interval', '3']
    hook = run_test(
        config(default_hooks=hooks), *words).default_hooks.visualization
    assert hook.enable and hook.out_dir == 'd' and hook.interval == 3
    cfg = run_test(
        config(default_hooks=hooks, default_scope='mmseg', visualizer={}),
        *words)
    assert cfg.default_hooks.visualization.draw
    assert cfg.visualizer.save_dir == 'd'


def test_label_maps_and_runner():
    """On the plain runner, also of a sharded training."""
    evaluators = [dict(type='mine'), dict(type='mmseg.IoUMetric')]
    cfg = run_test(
        config(default_scope='mmseg', test_evaluator=evaluators,
               runner_type='FlexibleRunner', strategy=dict(type='A')),
        '--out', 'maps')
    assert cfg.test_evaluator[0] == dict(type='mine')
    assert cfg.custom_hooks == [
        dict(type='mmhierseg.SaveLabelMapsHook', out_dir='maps')]
    evaluators[1]['type'] = 'CityscapesMetric'
    cfg = run_test(config(default_scope='mmseg', test_evaluator=evaluators),
                   '--out', 'maps')
    assert cfg.test_evaluator[1].output_dir == 'maps'
    assert cfg.custom_hooks[0].type == 'mmhierseg.UniqueNamesHook'
    assert 'runner_type' not in cfg and 'strategy' not in cfg
    assert cfg.load_from == 'c.pth'


@pytest.mark.parametrize('apply, fields, words, message', [
    (run_test, dict(test_dataloader=None), '', 'b.py has no test_dataloader'),
    (run_test, dict(test_evaluator=None), '', 'b.py has no test_evaluator'),
    (run_test, {}, '--show', 'need a hook'),
    (run_test, {}, '--tta --show-dir x', '--tta excludes --show'),
    (run_test, {}, '--out maps', 'takes one of .*IoU.* a file ends with'),
    (run_test, dict(default_scope='mmseg'), '--tta', 'needs tta_model'),
    (run_test,
     dict(default_scope='mmseg', model=dict(type='mmhierseg.HSG'),
          tta_model=dict(type='A'), tta_pipeline=[dict(type='B')]),
     '--tta', 'HSG is tested by retrieval'),
    (train, dict(train_dataloader=None), '', 'b.py has no train_dataloader'),
    (train, dict(optim_wrapper=dict(type='ApexOptimWrapper')), '--amp',
     "this one has 'ApexOptimWrapper'"),
    (train, {}, '--auto-scale-lr', 'base_batch_size=N'),
])
def test_options_that_do_not_fit_a_config(apply, fields, words, message):
    with pytest.raises(UserError, match=message):
        apply(config(**fields), *words.split())


@pytest.mark.parametrize('middle, split', [
    ('Crop', 2), ('mmhierseg.GenerateSuperpixels', 1)])
def test_mirror_image_of_a_classifier(middle, split):
    """Every image gets its own superpixels."""
    names = ['Load', middle, 'Pack']
    loader = loader_of(*names)
    loader['dataset'] = dict(type='Repeat', dataset=loader['dataset'])
    cfg = run_test(config(test_dataloader=loader), '--tta', '--cfg-options',
                   'model.head.topk=5')
    dataset = cfg.test_dataloader.dataset
    *plain, augment = dataset.dataset.pipeline
    assert [step.type for step in plain] == names[:split]
    flips, *rest = augment.transforms
    assert [(flip.type, flip.prob) for flip in flips] == [
        ('RandomFlip', 0.), ('RandomFlip', 1.)]
    assert [step.type for step, in rest] == names[split:]
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.head == dict(topk=5)


@pytest.mark.parametrize('scope', ['mmseg', 'mmpretrain'])
@pytest.mark.parametrize('own', [{}, dict(data_preprocessor=dict(num=1))])
def test_augmentation_of_the_config(own, scope):
    """With the model's own preprocessor; MMSegmentation's is at the top."""
    cfg = run_test(
        config(tta_model=dict(type='Mean'), default_scope=scope,
               tta_pipeline=[dict(type='Mine')],
               model=dict(type='ImageClassifier', **own),
               data_preprocessor=dict(num=2)), '--tta')
    assert cfg.model.type == 'Mean'
    assert cfg.model.module.type == 'ImageClassifier'
    assert cfg.test_dataloader.dataset.pipeline == [dict(type='Mine')]
    assert cfg.model.get('data_preprocessor') == own.get('data_preprocessor')
