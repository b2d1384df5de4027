import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from benchmarks.common import tools
from benchmarks.finetuning import run
from benchmarks.finetuning.tables import to_markdown
from benchmarks.finetuning.vit_weights import to_mmseg_vit
from mmhierseg._base.errors import UserError
from mmhierseg.datasets.scenes import class_names


def load(stage, model):
    return Config.fromfile(run.CONFIGS / stage / f'{model}.py')


def build(cfg, scope):
    init_default_scope(scope)
    model = MODELS.build(cfg)
    # Not chained: `train` of MMPretrain's MoCoV3ViT returns nothing.
    model.eval()
    return model


@pytest.mark.parametrize('model', run.MODELS)
def test_stages_have_the_same_weights(model):
    """What was pre-trained is tuned, and is what retrieval is by."""
    pretrained = build(load('pretrain', model).model, 'mmpretrain')
    tuned = build(load('finetune', model).model, 'mmseg')
    segmentor = build(load('retrieve', model).model, 'mmseg')
    expected = pretrained.backbone.state_dict()
    result = segmentor.load_state_dict(pretrained.state_dict(), strict=False)
    # Positions are for one size only; theirs is that of pre-training.
    assert not result.missing_keys
    weights = expected if model != 'vit' else to_mmseg_vit(expected)
    shapes = {name: x.shape for name, x in weights.items()
              if 'pos_embed' not in name}
    assert shapes == {
        name: x.shape for name, x in tuned.backbone.state_dict().items()
        if 'pos_embed' not in name}


def test_vit_of_mmsegmentation_is_that_of_mmpretrain():
    pretrained = load('pretrain', 'vit').model.backbone
    source = build(dict(pretrained, out_type='featmap'), 'mmpretrain')
    torch.manual_seed(0)
    for parameter in source.parameters():
        parameter.data = 0.1 * torch.randn(parameter.shape)
    target = load('finetune', 'vit').model.backbone
    target = build(dict(target, img_size=(128, 128)), 'mmseg')
    target.load_state_dict(to_mmseg_vit(source.state_dict()))
    image = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(
            target(image)[0], source(image)[0], rtol=1e-4, atol=1e-4)


def test_all_models_see_the_same():
    for stage in ('finetune', 'retrieve'):
        cfgs = [load(stage, model) for model in run.MODELS]
        for key in ('train_dataloader', 'test_dataloader', 'bank_dataloader',
                    'optim_wrapper', 'param_scheduler', 'test_evaluator'):
            first, *others = (cfg.get(key) for cfg in cfgs)
            assert all(other == first for other in others), key
        dataset = cfgs[0].test_dataloader.dataset
        assert dataset.metainfo.classes == class_names()[:5]


def test_table():
    runs = [
        dict(retrieve={'mIoU': 10., 'BoundaryFScore/mFscore': 2.},
             finetune={'mIoU': 30. + i, 'BoundaryFScore/mFscore': 4.})
        for i in (0, 1, 2)
    ]
    lines = to_markdown(dict(cast=runs, vit=runs[:1])).splitlines()
    assert lines[2] == '| ViT | patches | no | 10.0 | 2.0 | 30.0 | 4.0 |'
    assert lines[3] == ('| CAST | superpixels | yes | 10.0 ± 0.0 | '
                        '2.0 ± 0.0 | 31.0 ± 1.0 | 4.0 ± 0.0 |')


@pytest.mark.slow
def test_whole_run(tmp_path, monkeypatch, capsys):
    argv = [
        '--models', 'vit', '--seeds', '0', '--pairs', '64', '--iters', '8',
        '8', '--images', '4', '2', '--work-dir',
        str(tmp_path)
    ]
    run.main(argv)
    assert '| ViT | patches | no |' in capsys.readouterr().out
    content = json.loads((tmp_path / 'finetuning.json').read_text())
    result, = content['results']['vit']
    assert 0 <= result['retrieve']['mIoU'] <= 100
    assert 0 <= result['finetune']['BoundaryFScore/mFscore'] <= 100
    # The weights of pre-training were taken, but for the head's.
    log = (tmp_path / 'vit_seed0/finetune/log.txt').read_text()
    assert 'unexpected key' not in log and 'missing keys' not in log
    # What is there is not made again, and not mixed with anything else.
    for module in (run, tools):
        monkeypatch.setattr(module, 'run_tool', None)
    run.main(argv)
    with pytest.raises(UserError, match='another setting of images: name'):
        run.main([*argv, '--images', '4', '3'])


@pytest.mark.parametrize('option, message', [
    (['--iters', '8', '2'], '--iters must be at least 8 each'),
    (['--images', '0', '9'], '--images must be at least 2 each'),
    (['--pairs', '0'], '--pairs must be at least 64, got 0'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
