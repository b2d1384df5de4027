"""What `tests/test_resume.py` cannot show of it."""

import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.training import record_two_processes, recorded_run


def test_validation_does_not_disturb(tmp_path):
    """It comes after the checkpoint, so a resumed run is without it."""
    whole = recorded_run(tmp_path / 'a', val=True)
    assert torch.equal(whole, recorded_run(tmp_path / 'b'))
    resumed = recorded_run(
        tmp_path / 'c',
        val=True,
        resume=True,
        load_from=str(tmp_path / 'a/epoch_1.pth'))
    assert torch.equal(resumed, whole[2:])


@pytest.mark.parametrize('options', [
    dict(),
    dict(workers=1),
    dict(workers=1, persistent=False),
], ids=str)
def test_augmentation_differs_between_epochs(options, tmp_path):
    assert distinct_draws(tmp_path, **options) == 2 * 4 * 3


@pytest.mark.parametrize('options', [
    dict(own_init=True),
    dict(hook=False, persistent=False),
], ids=str)
def test_augmentation_repeats(options, tmp_path):
    """By a worker_init_fn of one's own, or by MMEngine's without the hook."""
    assert distinct_draws(tmp_path, workers=1, **options) == 4 * 3


def distinct_draws(folder, **options):
    """How many numbers the items of two epochs have drawn."""
    items = recorded_run(folder, epochs=2, **options)[:, :8].reshape(-1, 4)
    assert sorted(items[:4, 0]) == sorted(items[4:, 0]) == [0, 1, 2, 3]
    return items[:, 1:].unique().numel()


def test_fine_tuning_draws_its_own_numbers(tmp_path):
    expected = recorded_run(tmp_path / 'a', epochs=1)
    tuned = recorded_run(
        tmp_path / 'b', epochs=1, load_from=str(tmp_path / 'a/epoch_1.pth'))
    assert torch.equal(tuned, expected)


def test_training_by_iterations_is_left_alone(tmp_path):
    runs = [
        recorded_run(
            tmp_path / str(hook),
            hook=hook,
            workers=1,
            train_cfg=dict(by_epoch=False, max_iters=3))
        for hook in (True, False)
    ]
    assert torch.equal(*runs)


@pytest.mark.parametrize('change, words', [
    (lambda c: c.pop('random_states'), 'holds no random states'),
    (lambda c: c['random_states']['ranks'].append({}),
     'holds those of 2 processes, not of 1'),
])
def test_missing_states_are_said(change, words, tmp_path):
    recorded_run(tmp_path / 'a', epochs=1)
    path = tmp_path / 'a/epoch_1.pth'
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)
    recorded_run(tmp_path / 'b', epochs=2, resume=True, load_from=str(path))
    log, = (tmp_path / 'b').rglob('*.log')
    assert words in log.read_text()


@pytest.mark.distributed
def test_each_process_goes_on_with_its_own_states(tmp_path):
    run_on_two_processes(record_two_processes, tmp_path)
    runs = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    for whole, resumed in runs:
        assert len(whole) == 3 and torch.equal(resumed, whole[1:])
    # Drop path, for example, is drawn by each process for itself.
    assert not (runs[0][0][:, -1] == runs[1][0][:, -1]).any()
