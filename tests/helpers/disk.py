"""Full disks, malicious files, and the processes of a converter."""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress


@contextmanager
def file_size_limit(count):
    """Limit files to so many bytes; writing more raises an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill_disk_at(monkeypatch, part):
    """Fail to finish files whose path contains a string."""
    replace = os.replace

    def full(source, target):
        if part in str(target):
            raise OSError(28, 'No space left on device', str(target))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', full)


class Executes:
    """A malicious object: reading it from a pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def contents(root):
    """Contents of all files below a folder, by path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*') if path.is_file()
    }


def run_and_stop(words, out, pattern, number=signal.SIGINT):
    """Run a program, and interrupt or kill it once it has written.

    An interrupt goes to all of its processes, as from a terminal. Returns
    standard error and exit status, once all processes have ended.
    """
    path = os.pathsep.join(sys.path)
    process = subprocess.Popen([sys.executable, *map(str, words)],
                               stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE,
                               text=True,
                               start_new_session=True,
                               env={**os.environ, 'PYTHONPATH': path})
    try:
        deadline = time.monotonic() + 120
        while not any(out.rglob(pattern)):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        send = os.killpg if number == signal.SIGINT else os.kill
        send(process.pid, number)
        _, errors = process.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return errors, process.returncode
