import os
import signal

import cv2
import numpy as np
import pytest
from conversion import convert_all, write_file
from helpers.disk import run_and_stop
from helpers.jobs import interrupt_waits, its_process

from mmhierseg._base.errors import UserError


@pytest.mark.parametrize('error', [
    OSError(28, 'No space'), ValueError('bad'), KeyboardInterrupt
])
def test_stops_early(error, capsys, tmp_path, monkeypatch):
    """Without a partial file; the message says how to resume."""
    path = tmp_path / 'folder' / 'file'
    write_file(path, b'old')

    def fail(*_):
        raise error

    monkeypatch.setattr(os, 'replace', fail)
    done = []

    def convert(job):
        if job == 2:
            write_file(path, b'new')
        done.append(job)
        return True

    with pytest.raises((UserError, SystemExit)) as caught:
        convert_all(convert, range(10000), 2, 'Numbers')
    if error is KeyboardInterrupt:
        assert caught.value.code == 130
        assert 'the same command resumes' in capsys.readouterr().err
    else:
        assert caught.match('(No space|bad).*resumes from')
    # Jobs that have not begun are dropped.
    assert 1 <= len(done) < 10000
    assert [p.name for p in path.parent.iterdir()] == ['file']
    assert path.read_bytes() == b'old'


def test_each_job_is_done_once():
    done = []
    for workers in (1, 3):
        assert convert_all(lambda job: job % 2 == 0 or done.append(job) or 0,
                           range(9), workers, 'Numbers') == 5
    assert sorted(done) == [1, 1, 3, 3, 5, 5, 7, 7]
    jobs = [os.getpid()] * 6
    for workers, expected in ((1, 0), (2, 6)):
        assert convert_all(its_process, jobs, workers, 'Numbers', 'fork',
                           chunk=2) == expected
    with pytest.raises(Exception, match="[Cc]an't pickle|get local object"):
        convert_all(lambda job: True, [1], 2, 'Numbers', 'fork')


@pytest.mark.slow
def test_processes_are_not_interrupted():
    """Not even while they start, and beside OpenCV's threads."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((512, 512, 3), np.float32), (31, 31), 5)
    for method in ('forkserver', 'fork'):
        assert convert_all(interrupt_waits, [0] * 4, 2, 'Jobs', method) == 4
    cv2.setNumThreads(threads)
    # The main process receives interrupts again.
    assert not interrupt_waits(0)


@pytest.mark.parametrize('job, message', [
    (-1, 'bad job'),
    # As when the machine runs out of memory.
    (-2, 'process'),
])
def test_processes_that_fail(job, message):
    with pytest.raises(
            UserError, match=f'{message}.*; make again resumes from'):
        convert_all(its_process, [1, 2, job], 2, 'Numbers', 'fork',
                    again='make again')


SCRIPT = """
import sys
from helpers.jobs import write_slowly
from conversion import convert_all
if __name__ == '__main__':
    jobs = [f'{sys.argv[1]}/{i}' for i in range(999)]
    convert_all(write_slowly, jobs, 2, 'Jobs', sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize('method', ['forkserver', 'fork'])
def test_processes_end_with_a_killed_main_process(tmp_path, method):
    """They finish their jobs before."""
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    run_and_stop([script, tmp_path, method], tmp_path, '3', signal.SIGKILL)
    files = [path.read_text() for path in tmp_path.iterdir() if path != script]
    assert 3 <= len(files) < 999 and set(files) == {'begun, done'}
