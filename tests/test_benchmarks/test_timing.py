import gc

import pytest

from benchmarks import timing
from benchmarks.timing import paired_ratio, spread, take_turns


def test_spread():
    assert spread([3., 1., 2.]) == (2., 1.5, 2.5)
    assert spread([7.]) == (7., 7., 7.)
    # One disturbed round does not move the median.
    assert spread([1., 1., 1., 1., 50.]) == (1., 1., 1.)
    with pytest.raises(ValueError, match='at least one number'):
        spread([])


def test_paired_ratio_is_taken_within_rounds():
    # All were three times slower in the second round.
    ratio = paired_ratio([2., 6., 2.], [1., 3., 1.])
    assert ratio == (2., 2., 2.)
    assert paired_ratio([2., 5.], [2., 5.]) == (1., 1., 1.)
    with pytest.raises(ValueError, match='same rounds, got 2 and 1'):
        paired_ratio([1., 2.], [1.])


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances only where work is done."""

    class Clock:
        now = 0.
        calls = []

        def work(self, name, seconds):

            def call():
                assert not gc.isenabled()
                self.calls.append(name)
                self.now += seconds

            return call

    clock = Clock()
    clock.calls = []
    monkeypatch.setattr(timing.time, 'perf_counter', lambda: clock.now)
    return clock


def test_variants_take_turns(clock):
    calls = dict(a=clock.work('a', 2.), b=clock.work('b', 3.),
                 c=clock.work('c', 5.))
    seconds = take_turns(calls, repeats=6, warmup=2, min_seconds=0.)
    assert seconds == dict(a=[2.] * 6, b=[3.] * 6, c=[5.] * 6)
    assert clock.calls[:6] == list('aabbcc')
    rounds = [clock.calls[i:i + 3] for i in range(6, 24, 3)]
    assert all(sorted(names) == list('abc') for names in rounds)
    # Not always in the same order.
    assert len({tuple(names) for names in rounds}) > 1
    assert gc.isenabled()


def test_a_turn_is_as_many_calls_as_fill_it(clock):
    calls = dict(short=clock.work('short', 0.25), long=clock.work('long', 2.))
    seconds = take_turns(calls, repeats=2, warmup=1, min_seconds=1.)
    assert clock.calls.count('short') == 1 + 2 * 4
    assert clock.calls.count('long') == 1 + 2
    assert seconds == dict(short=[0.25] * 2, long=[2.] * 2)


def test_garbage_is_collected_after_an_error():
    with pytest.raises(ZeroDivisionError):
        take_turns(dict(bad=lambda: 1 / 0), repeats=1)
    assert gc.isenabled()


def test_progress_is_reported(clock):
    messages = []
    calls = dict(a=clock.work('a', 1.))
    take_turns(calls, repeats=2, progress=messages.append)
    assert messages == [
        'a: 1000.0 ms after warming up', 'round 1 of 2', 'round 2 of 2'
    ]


@pytest.mark.parametrize('name', ['repeats', 'warmup'])
def test_numbers_below_one(name):
    options = dict(dict(repeats=1), **{name: 0})
    with pytest.raises(ValueError, match=f'`{name}` must be at least 1'):
        take_turns({}, **options)
