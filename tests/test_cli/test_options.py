import re

import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli import options
from mmhierseg.cli.options import (
    is_segmentation,
    read_config,
    with_test_options,
    with_train_options,
)
from mmhierseg.cli.parser import parse_test_args, parse_train_args


def config(**fields):
    loader = dict(
        num_workers=2,
        dataset=dict(
            pipeline=[dict(type='LoadImageFromFile'),
                      dict(type='PackInputs')]))
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


def test(cfg, *words):
    return with_test_options(cfg,
                             parse_test_args(['a/b.py', 'c.pth', *words]))


# Named as the tool is; it is no test.
test.__test__ = False


@pytest.mark.parametrize('fields, expected', [
    (dict(default_scope='mmseg'), True),
    (dict(default_scope='mmpretrain'), False),
    (dict(default_scope='mmhierseg'), False),
    (dict(default_scope='mmhierseg', model=dict(data_preprocessor=dict(
        type='SuperpixelSegDataPreProcessor'))), True),
    (dict(default_scope='mmseg', data_preprocessor=dict(
        type='mmpretrain.SelfSupDataPreprocessor')), False),
    (dict(default_scope='mmpretrain', data_preprocessor=dict(
        num_classes=3)), False),
])
def test_is_segmentation(fields, expected):
    assert is_segmentation(Config(fields)) is expected


@pytest.mark.parametrize('word', ['a', "a=[dict(type='A',b=0)]"])
def test_options_that_cannot_be_read(word, capsys):
    with pytest.raises(SystemExit):
        parse_train_args(['a.py', '--cfg-options', word])
    assert 'error: --cfg-options takes KEY=VALUE' in capsys.readouterr().err


def test_missing_config(tmp_path):
    with pytest.raises(UserError, match="there is no config file 'no.py'"):
        read_config('no.py')
    path = tmp_path / 'child.py'
    path.write_text("_base_ = ['parent.py']")
    with pytest.raises(UserError, match=r'child\.py: .*parent\.py'):
        read_config(str(path))


def test_train_leaves_its_input_alone():
    cfg = config()
    before = cfg.pretty_text
    train(cfg, '--amp', '--no-validate', '--resume', 'x.pth',
          '--cfg-options', 'optim_wrapper.clip_grad=3')
    assert cfg.pretty_text == before


def test_work_dir():
    assert train(config()).work_dir == 'work_dirs/b'
    assert train(config(work_dir='own')).work_dir == 'own'
    assert train(config(work_dir='own'), '--work-dir', 'x').work_dir == 'x'


def test_resume():
    assert 'resume' not in train(config())
    cfg = train(config(), '--resume', 'x.pth')
    assert cfg.resume is True and cfg.load_from == 'x.pth'


def test_resume_of_the_latest():
    """Which one it is, is looked up later: `test_resume.py`."""
    cfg = train(config(load_from='w.pth'), '--resume')
    assert cfg.resume == 'auto' and cfg.load_from == 'w.pth'


@pytest.mark.parametrize('name, text, message', [
    ('notes.txt', 'no config', 'notes.txt: '),
    ('broken.py', 'model = dict(', r'broken\.py: '),
    ('part.py', 'optim_wrapper = dict()', 'part.py has no `model`'),
])
def test_files_that_are_no_configs(name, text, message, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_config(str(path))


def test_nothing_to_train_on():
    with pytest.raises(UserError, match='has no train_dataloader'):
        train(config(train_dataloader=None))


def test_tta_and_drawing_of_a_classifier():
    cfg = config(default_hooks=dict(visualization=dict(type='V')))
    with pytest.raises(UserError, match='--tta does not go with --show'):
        test(cfg, '--tta', '--show-dir', 'x')


def test_tta_of_a_data_set_in_wrappers():
    inner = config().test_dataloader.dataset
    loader = dict(dataset=dict(type='RepeatDataset', dataset=inner))
    cfg = test(config(test_dataloader=loader), '--tta')
    pipeline = cfg.test_dataloader.dataset.dataset.pipeline
    assert pipeline[-1].type == 'TestTimeAug'
    loader = dict(dataset=dict(type='ConcatDataset', datasets=[inner]))
    with pytest.raises(UserError, match='ConcatDataset has none'):
        test(config(test_dataloader=loader), '--tta')


def test_amp():
    cfg = train(config(), '--amp')
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper', loss_scale='dynamic')
    own = config(optim_wrapper=dict(type='AmpOptimWrapper', loss_scale=512.))
    assert train(own, '--amp').optim_wrapper.loss_scale == 512.
    with pytest.raises(UserError, match="this one has 'ApexOptimWrapper'"):
        train(config(optim_wrapper=dict(type='ApexOptimWrapper')), '--amp')


def test_no_validate():
    cfg = train(config(), '--no-validate')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None


def test_auto_scale_lr():
    cfg = train(config(auto_scale_lr=dict(base_batch_size=256)),
                '--auto-scale-lr')
    assert cfg.auto_scale_lr == dict(base_batch_size=256, enable=True)
    with pytest.raises(UserError, match=r'base_batch_size=N'):
        train(config(), '--auto-scale-lr')


def test_loader_defaults_of_mmpretrain(monkeypatch):
    monkeypatch.setattr(options, 'has_accelerator', lambda: True)
    loader = train(config()).train_dataloader
    assert loader.collate_fn == dict(type='default_collate')
    assert loader.persistent_workers and loader.pin_memory
    assert not train(config(), '--no-pin-memory').val_dataloader.pin_memory
    own = train(config(), '--cfg-options',
                'train_dataloader.collate_fn.type=pseudo_collate')
    assert own.train_dataloader.collate_fn == dict(type='pseudo_collate')


def test_no_memory_is_pinned_without_a_gpu(monkeypatch):
    monkeypatch.setattr(options, 'has_accelerator', lambda: False)
    assert not train(config()).train_dataloader.pin_memory


def test_mmsegmentation_keeps_the_collating_of_mmengine():
    cfg = train(config(default_scope='mmseg'))
    assert 'collate_fn' not in cfg.train_dataloader


@pytest.mark.parametrize('scope', ['mmseg', 'mmpretrain'])
def test_no_workers_to_persist(scope):
    cfg = train(config(default_scope=scope), '--cfg-options',
                'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=True')
    assert not cfg.train_dataloader.persistent_workers


@pytest.mark.parametrize('field', ['test_dataloader', 'test_evaluator'])
def test_nothing_to_test(field):
    with pytest.raises(UserError, match=f'a/b.py has no {field}'):
        test(config(**{field: None}))


def test_cfg_options_reach_the_model_under_augmentation():
    cfg = test(config(), '--tta', '--cfg-options', 'model.head.topk=5')
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.head == dict(topk=5)
    assert cfg.load_from == 'c.pth'


def test_drawing():
    hooks = dict(visualization=dict(type='VisualizationHook'))
    cfg = test(config(default_hooks=hooks), '--show-dir', 'd', '--interval',
               '3')
    hook = cfg.default_hooks.visualization
    assert hook.enable and hook.out_dir == 'd' and hook.interval == 3
    cfg = test(config(default_hooks=hooks, default_scope='mmseg',
                      visualizer=dict(type='SegLocalVisualizer')),
               '--show-dir', 'd')
    assert cfg.default_hooks.visualization.draw
    assert cfg.visualizer.save_dir == 'd'
    with pytest.raises(UserError, match='need a visualization hook'):
        test(config(), '--show')


def test_label_maps():
    evaluators = [dict(type='mine'), dict(type='mmseg.IoUMetric')]
    cfg = test(config(default_scope='mmseg', test_evaluator=evaluators),
               '--out', 'maps')
    assert cfg.test_evaluator[0] == dict(type='mine')
    assert cfg.test_evaluator[1].output_dir == 'maps'
    with pytest.raises(UserError, match='none of the metrics'):
        test(config(default_scope='mmseg'), '--out', 'maps')
    with pytest.raises(UserError, match='for a classifier it is a file'):
        test(config(), '--out', 'maps')


@pytest.mark.parametrize('words, message', [
    (['--out-item', 'pred'], 'give --out as well'),
    (['--out', 'a.json'], r'predictions go to a \.pkl file'),
])
def test_unfit_out(words, message, capsys):
    with pytest.raises(SystemExit):
        test(config(), *words)
    assert re.search(message, capsys.readouterr().err)
