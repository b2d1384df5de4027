import gc

import pytest

from benchmarks import timing
from benchmarks.timing import paired_ratio, spread, take_turns


def test_spread():
    assert spread([3., 1., 2.]) == (2., 1.5, 2.5)
    assert spread([7.]) == (7., 7., 7.)
    # One disturbed round does not move the median.
    assert spread([1., 1., 1., 1., 50.]) == (1., 1., 1.)


def test_paired_ratio_is_taken_within_rounds():
    # All were three times slower in the second round.
    assert paired_ratio([2., 6., 2.], [1., 3., 1.]) == (2., 2., 2.)


@pytest.mark.parametrize('call, message', [
    (lambda: spread([]), 'at least one number'),
    (lambda: paired_ratio([1., 2.], [1.]), 'same rounds, got 2 and 1'),
    (lambda: take_turns({}, repeats=0), '`repeats` must be at least 1'),
    (lambda: take_turns({}, 1, warmup=0), '`warmup` must be at least 1'),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances only where work is done."""

    class Clock:
        now = 0.

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
    messages = []
    seconds = take_turns(calls, repeats=2, warmup=1, min_seconds=1.,
                         progress=messages.append)
    assert clock.calls.count('short') == 1 + 2 * 4
    assert clock.calls.count('long') == 1 + 2
    assert seconds == dict(short=[0.25] * 2, long=[2.] * 2)
    assert messages[1:] == ['long: 2000.0 ms after warming up',
                            'round 1 of 2', 'round 2 of 2']


def test_garbage_is_collected_after_an_error():
    with pytest.raises(ZeroDivisionError):
        take_turns(dict(bad=lambda: 1 / 0), repeats=1)
    assert gc.isenabled()
