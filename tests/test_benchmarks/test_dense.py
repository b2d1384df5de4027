import json

import pytest
import torch

from benchmarks.dense import run, work
from mmhierseg._base.errors import UserError


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize('name', work.SEGMENTORS)
def test_steps(name):
    """Losses in training; in inference, a class for every pixel."""
    losses = work.SegmentorStep(name, True, 2, 64, 'cpu')()
    assert 0 < losses['loss'].item() < 20
    samples = work.SegmentorStep(name, False, 2, 64, 'cpu')()
    assert [x.pred_sem_seg.shape for x in samples] == [(64, 64)] * 2


def test_all_have_as_many_classes_and_no_weights_to_read():
    for name in work.SEGMENTORS:
        step = work.SegmentorStep(name, False, 1, 64, 'cpu')
        assert step.model.decode_head.num_classes == 150
        assert step.held_bytes() > 4 * 20e6


@pytest.mark.slow
def test_whole_run(tmp_path, capsys):
    out = tmp_path / 'dense.json'
    run.main(['--img-size', '64', '--batch-size', '2', '--repeats', '1',
              '--threads', '1', '--out', str(out)])
    text = capsys.readouterr().out
    assert text.count('| Segmenter, ViT-S |') == 2
    assert '| 1.00 |' in text.split('| Segmenter, ViT-S |')[1]
    results = json.loads(out.read_text())['results']
    for mode in work.MODES:
        assert set(results[mode]) == set(work.SEGMENTORS)
    one = 'Segmenter, CAST-S'
    assert results['training'][one]['step'] > results['inference'][one]['step']


@pytest.mark.parametrize('option, message', [
    (['--img-size', '65'], '--img-size must be a multiple of 32, got 65'),
    (['--repeats', '0'], '--repeats must be at least 1, got 0'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
