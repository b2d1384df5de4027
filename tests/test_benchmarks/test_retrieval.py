import json

import pytest
import torch

from benchmarks.retrieval import run, work
from mmhierseg._base.errors import UserError


def test_what_is_naive_reference_is_the_same():
    bank = work.make_bank(300, 900, 24)
    assert bank.queries.shape == (300, 24) and bank.features.shape == (900, 24)
    got = work.retrieve(bank)
    assert torch.equal(got, work.naive_reference(bank))
    assert len(got.unique()) == work.CLASSES


def test_table():
    """2 x 1000 x 10^6 x 50 operations in 4 s are 25 GFLOP/s."""
    text = run.to_markdown([
        dict(bank=10**6, queries=1000, channels=50, seconds=4., peak=2**26,
             products=2., naive_reference=9., written_peak=2**30)
    ])
    assert text.splitlines()[2] == (
        '| 1,000,000 | 1,000 | 3815 | 4 | 25 | 64 | 2 | 2.00 | 9 | 1024 | 400 '
        '|')


def test_whole_run(tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        run.main([
            '--queries', '700', '--banks', '2000', '60000', '--channels', '8',
            '--some', '30', '--threads', '1', '--out',
            str(tmp_path / 'retrieval.json')
        ])
    finally:
        torch.set_num_threads(threads)
    assert '| 60,000 | 700 |' in capsys.readouterr().out
    small, large = json.loads(
        (tmp_path / 'retrieval.json').read_text())['results']
    # All similarities of the larger one would be 160 MiB.
    assert small['peak'] < large['peak'] < 100 * 2**20
    for name in ('seconds', 'products', 'naive_reference', 'written_peak'):
        assert small[name] > 0


@pytest.mark.parametrize('option, message', [
    (['--banks', '4', '100'], '--banks must be at least 20, the number of'),
    (['--queries', '0'], '--queries must be at least 1, got 0'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
