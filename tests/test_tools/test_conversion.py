import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest
from conversion import convert_all, default_workers
from helpers.jobs import interrupt_waits, its_process

from mmhierseg._base.errors import UserError


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

    with pytest.raises(UserError, match='(No space|bad).*goes on from'):
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


def test_processes():
    """Several are others, a single one is this."""
    jobs = [os.getpid()] * 6
    assert convert_all(its_process, jobs, 2, 'Numbers', processes=True) == 6
    assert convert_all(its_process, jobs, 1, 'Numbers', processes=True) == 0


def test_processes_are_not_interrupted():
    """Not even while they start, which takes a second of imports."""
    jobs = [0] * 4
    assert convert_all(interrupt_waits, jobs, 2, 'Jobs', processes=True) == 4
    # This process is again.
    assert not interrupt_waits(0)


def test_processes_end_with_the_main_one(tmp_path):
    """One that is killed says no word to them; they finish what they do."""
    code = ('from helpers.jobs import write_slowly\n'
            'from conversion import convert_all\n'
            "if __name__ == '__main__':\n"
            f'    jobs = [{str(tmp_path)!r} + f"/{{i}}" for i in range(999)]\n'
            "    convert_all(write_slowly, jobs, 2, 'Jobs', processes=True)\n")
    script = tmp_path / 'script.py'
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={
            **os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)
        })
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / '3').exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        # Comes to an end when all who could write to it have ended.
        process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    files = [path.read_text() for path in tmp_path.iterdir() if path != script]
    assert 3 <= len(files) < 999 and set(files) == {'begun, done'}


@pytest.mark.parametrize('job, message', [
    (-1, 'bad job'),
    # As when the machine runs out of memory.
    (-2, 'process'),
])
def test_processes_that_fail(job, message):
    with pytest.raises(
            UserError, match=f'{message}.*; make again goes on from'):
        convert_all(its_process, [1, 2, job], 2, 'Numbers', processes=True,
                    again='make again')


def test_processes_beside_threads_of_opencv():
    """A copy of this process would wait for them for ever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((512, 512, 3), np.float32), (31, 31), 5)
    try:
        test_processes()
    finally:
        cv2.setNumThreads(threads)


def test_what_cannot_be_sent():
    with pytest.raises(Exception, match="[Cc]an't pickle|get local object"):
        convert_all(lambda job: True, [1], 2, 'Numbers', processes=True)
