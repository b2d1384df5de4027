import errno
import os
import signal
import subprocess
import sys

import pytest
from helpers.disk import contents, file_size_limit

from mmhierseg._base.atomic import (
    AtomicBackend,
    free_space,
    write_atomically,
)


def test_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'old')
    with file_size_limit(5000):
        with pytest.raises(OSError, match=r'too large \(it needs 1\.0 MiB, '
                           r'\d+\.\d MiB are free') as info:
            write_atomically(path, b'x' * 2**20)
    assert info.value.errno == errno.EFBIG
    assert info.value.filename == str(path)
    assert contents(tmp_path) == dict(a=b'old')


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_interruption_leaves_the_old_file(step, tmp_path, monkeypatch):
    path = tmp_path / 'a'
    path.write_bytes(b'old')

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b'new')
    assert contents(tmp_path) == dict(a=b'old')


@pytest.mark.slow
@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_killed_process_leaves_the_old_file(step, tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'old')
    script = ('import os, signal, sys\n'
              'from mmhierseg._base.atomic import write_atomically\n'
              'die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n'
              f'os.{step} = die\n'
              "write_atomically(sys.argv[1], b'new')")
    result = subprocess.run([sys.executable, '-c', script, path])
    assert result.returncode == -signal.SIGKILL
    assert path.read_bytes() == b'old'
    part, = set(contents(tmp_path)) - {'a'}
    assert part.endswith('.part')
    # It is not in the way of the next write.
    write_atomically(path, b'newer')
    assert contents(tmp_path) == {'a': b'newer', part: b'new'}


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='free space unknown'):
        write_atomically(tmp_path / 'no' / 'a', b'')
    AtomicBackend().put(b'x', tmp_path / 'no' / 'a')
    assert (tmp_path / 'no' / 'a').read_bytes() == b'x'
    assert 'free space unknown' in free_space(str(tmp_path / 'none'))
