"""Options of the command line in a config."""

import re

import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli.options import (
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
    # Which one is the latest is looked up later: `test_resume.py`.
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
    with pytest.raises(UserError, match='--tta excludes --show'):
        test(cfg, '--tta', '--show-dir', 'x')


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


def test_memory_that_is_not_pinned():
    cfg = train(config(), '--no-pin-memory')
    assert cfg.train_dataloader.pin_memory is False
    assert cfg.val_dataloader.pin_memory is False


def test_tests_use_the_plain_runner():
    cfg = test(config(runner_type='FlexibleRunner', strategy=dict(type='A')))
    assert 'runner_type' not in cfg and 'strategy' not in cfg
    assert cfg.load_from == 'c.pth'


@pytest.mark.parametrize('field', ['test_dataloader', 'test_evaluator'])
def test_nothing_to_test(field):
    with pytest.raises(UserError, match=f'a/b.py has no {field}'):
        test(config(**{field: None}))


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


# -------------------------------------------------- test-time augmentation


def loader_of(*names):
    return dict(dataset=dict(pipeline=[dict(type=name) for name in names]))


def steps(cfg):
    """Names of the transforms, and of those that are augmented."""
    pipeline = cfg.test_dataloader.dataset.pipeline
    return [transform.type for transform in pipeline], [
        [step.type for step in steps] for steps in pipeline[-1].transforms
    ]


MIRROR = ['RandomFlip', 'RandomFlip']


def test_mirror_image_of_a_classifier():
    cfg = test(config(test_dataloader=loader_of('Load', 'Crop', 'Pack')),
               '--tta', '--cfg-options', 'model.head.topk=5')
    assert steps(cfg) == (['Load', 'Crop', 'TestTimeAug'],
                          [MIRROR, ['Pack']])
    flips = cfg.test_dataloader.dataset.pipeline[-1].transforms[0]
    assert [flip.prob for flip in flips] == [0., 1.]
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.head == dict(topk=5)


def test_every_image_gets_its_own_superpixels():
    loader = loader_of('Load', 'mmhierseg.GenerateSuperpixels', 'Pack')
    assert steps(test(config(test_dataloader=loader), '--tta')) == (
        ['Load', 'TestTimeAug'],
        [MIRROR, ['mmhierseg.GenerateSuperpixels'], ['Pack']])


@pytest.mark.parametrize('scope', ['mmseg', 'mmpretrain'])
def test_augmentation_of_the_config(scope):
    cfg = test(config(tta_model=dict(type='Mean'), default_scope=scope,
                      tta_pipeline=[dict(type='Mine')]), '--tta')
    assert cfg.model.type == 'Mean'
    assert cfg.model.module.type == 'ImageClassifier'
    assert cfg.test_dataloader.dataset.pipeline == [dict(type='Mine')]


@pytest.mark.parametrize('own', [{}, dict(data_preprocessor=dict(num=1))])
def test_preprocessor_is_the_models_own(own):
    """MMSegmentation's base configs leave theirs at the top."""
    cfg = test(config(model=dict(type='A', **own),
                      data_preprocessor=dict(num=2)), '--tta')
    assert cfg.model.get('data_preprocessor') == own.get('data_preprocessor')


def test_augmentation_of_a_dataset_in_wrappers():
    inner = config().test_dataloader.dataset
    loader = dict(dataset=dict(type='RepeatDataset', dataset=inner))
    cfg = test(config(test_dataloader=loader), '--tta')
    pipeline = cfg.test_dataloader.dataset.dataset.pipeline
    assert pipeline[-1].type == 'TestTimeAug'
    loader = dict(dataset=dict(type='ConcatDataset', datasets=[inner]))
    with pytest.raises(UserError, match='ConcatDataset has none'):
        test(config(test_dataloader=loader), '--tta')


def test_segmentor_needs_settings_for_augmentation():
    with pytest.raises(UserError, match='needs tta_model and tta_pipeline'):
        test(config(default_scope='mmseg'), '--tta')


@pytest.mark.parametrize('kind', ['RetrievalSegmentor', 'HSG'])
def test_retrieval_has_no_scores_to_merge(kind):
    cfg = config(
        default_scope='mmseg', model=dict(type=f'mmhierseg.{kind}'),
        tta_model=dict(type='SegTTAModel'), tta_pipeline=[dict(type='A')])
    with pytest.raises(UserError, match=f'{kind} is tested by retrieval'):
        test(cfg, '--tta')
