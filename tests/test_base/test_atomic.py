import errno
import fcntl
import multiprocessing
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
    write_atomically(path, b'newer')
    assert contents(tmp_path) == dict(a=b'newer')


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='No such file'):
        write_atomically(tmp_path / 'no' / 'a', b'')
    AtomicBackend().put(b'x', tmp_path / 'no' / 'a')
    assert (tmp_path / 'no' / 'a').read_bytes() == b'x'
    assert 'free space unknown' in free_space(str(tmp_path / 'none'))


def test_others_are_left_alone(tmp_path):
    """A live writer's file, a planted link, other files."""
    live, link, *others = (
        tmp_path / name for name in ('a.01234567.part', 'a.89abcdef.part',
                                     'a.part', 'b.01234567.part', 'target'))
    for path in (live, *others):
        path.write_bytes(b'x')
    link.symlink_to('target')
    with open(live, 'rb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / 'a', b'new')
        assert len(contents(tmp_path)) == 6 and link.is_symlink()
    write_atomically(tmp_path / 'a', b'new')
    assert not live.exists() and link.is_symlink()
    assert all(path.read_bytes() == b'x' for path in others)


def write_often(path, letter):
    for _ in range(40):
        write_atomically(path, letter * 10**6, sync=letter == b'a')


@pytest.mark.slow
def test_several_writers_of_one_file(tmp_path):
    """Processes that also remove each other's leftovers."""
    path = tmp_path / 'a'
    write_atomically(path, b'a' * 10**6)
    processes = [multiprocessing.Process(target=write_often,
                                         args=(path, letter))
                 for letter in (b'a', b'b', b'c', b'a')]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        content = path.read_bytes()
        assert len(content) == 10**6 and len(set(content)) == 1
    assert [process.exitcode for process in processes] == [0] * 4
    assert [found.name for found in tmp_path.iterdir()] == ['a']
