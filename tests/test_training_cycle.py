"""From pre-training to a test result, with the tools, on tiny data."""

import pytest
import torch
from helpers.configs import ROOT, load_config, make_data, shrink
from helpers.scripts import run_in_process

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny configs, and tiny data under data/."""
    root = tmp_path_factory.mktemp('run')
    make_data(root)
    for name in ('cast-s_in1k', 'cast-s_linear_in1k', 'cast-s_deit_in1k',
                 'cast-s_coco'):
        cfg = shrink(load_config(ROOT / f'configs/cast/{name}.py'))
        cfg.dump(root / f'{name}.py')
    return root


def run_tool(*words, **options):
    """Output of a tool."""
    return run_in_process(*words, **options)[1]


def load(path):
    return torch.load(path, map_location='cpu', weights_only=False)


def accuracy(output):
    return float(output.split('accuracy/top1: ')[-1].split()[0])


def test_linear_probing_of_what_was_pretrained(folder):
    run_tool('train.py', 'cast-s_in1k.py', cwd=folder)
    pretrained = 'work_dirs/cast-s_in1k/epoch_1.pth'
    config = 'cast-s_linear_in1k.py'
    weights = f'model.backbone.init_cfg.checkpoint={pretrained}'
    torch.save(dict(state_dict={'layer.weight': torch.ones(1)}),
               folder / 'other.pth')
    message = run_tool(
        'train.py', config, '--cfg-options',
        'model.backbone.init_cfg.checkpoint=other.pth', cwd=folder, status=1)
    assert "'other.pth' cannot initialise backbone" in message
    run_tool('train.py', config, '--cfg-options', weights, cwd=folder)
    output = run_tool('train.py', config, '--resume', '--cfg-options',
                      weights, 'train_cfg.max_epochs=2', cwd=folder)
    assert 'resumed epoch: 1, iter: 3' in output
    work = folder / 'work_dirs/cast-s_linear_in1k'
    first, second = (load(work / f'epoch_{i}.pth')['state_dict']
                     for i in (1, 2))
    source = load(folder / pretrained)['state_dict']
    for name, value in second.items():
        if name.startswith('backbone.'):
            # Neither weights nor statistics have moved.
            assert torch.equal(value, source[name]), name
        else:
            assert not torch.equal(value, first[name]), name
    tested = run_tool('test.py', config, work / 'epoch_2.pth', cwd=folder)
    assert accuracy(tested) == pytest.approx(accuracy(output), abs=1e-3)


def test_deit_is_tested_without_its_moving_average(folder):
    config = 'cast-s_deit_in1k.py'
    output = run_tool('train.py', config, cwd=folder)
    path = folder / 'work_dirs/cast-s_deit_in1k/epoch_1.pth'
    checkpoint = load(path)
    trained, averaged = checkpoint['state_dict'], checkpoint['ema_state_dict']
    moved = [name for name, value in trained.items()
             if not torch.equal(value, averaged[f'module.{name}'])]
    assert 'head.fc.weight' in moved
    assert any(name.endswith('running_mean') for name in moved)
    tested = run_tool('test.py', config, path, cwd=folder)
    assert accuracy(tested) == pytest.approx(accuracy(output), abs=1e-3)
    # The best one is kept, too.
    best, = path.parent.glob('best_accuracy_top1_epoch_*.pth')
    assert torch.equal(load(best)['state_dict']['head.fc.weight'],
                       trained['head.fc.weight'])


def test_checkpoints_for_retrieval_stay(folder):
    """In addition to the latest ones, of which older ones are removed."""
    run_tool('train.py', 'cast-s_coco.py', '--cfg-options',
             'train_cfg.max_epochs=5', 'custom_hooks.0.interval=2',
             'default_hooks.checkpoint.max_keep_ckpts=2', cwd=folder)
    work = folder / 'work_dirs/cast-s_coco'
    assert {path.name for path in work.glob('*.pth')} == {
        'kept_epoch_2.pth', 'kept_epoch_4.pth', 'epoch_4.pth', 'epoch_5.pth'
    }
    assert (work / 'last_checkpoint').read_text().endswith('epoch_5.pth')
