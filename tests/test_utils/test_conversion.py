import pytest

from mmhierseg.utils.conversion import convert_all, default_workers
from mmhierseg.utils.errors import CommandError


def test_each_job_is_done_once():
    done = []

    def convert(job):
        done.append(job)
        return job % 2 == 0

    assert convert_all(convert, range(9), 3, 'Numbers') == 5
    assert sorted(done) == list(range(9))
    assert convert_all(convert, [], 1, 'Numbers') == 0
    assert default_workers() >= 1


@pytest.mark.parametrize('error', [OSError(28, 'No space'), ValueError('bad')])
def test_stops_at_an_error(error):
    """What had not begun is left out, and the message says how to go on."""
    done = []

    def convert(job):
        if job == 2:
            raise error
        done.append(job)
        return True

    with pytest.raises(CommandError, match='(No space|bad).*goes on from'):
        convert_all(convert, range(10000), 1, 'Numbers')
    assert len(done) < 10000


def test_interrupt():
    done = []

    def convert(job):
        if job == 2:
            raise KeyboardInterrupt
        done.append(job)
        return True

    with pytest.raises(KeyboardInterrupt):
        convert_all(convert, range(10000), 1, 'Numbers')
    assert 2 <= len(done) < 10000
