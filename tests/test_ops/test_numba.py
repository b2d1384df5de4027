import importlib.metadata
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from mmhierseg.ops import _numba, for_each_image, has_numba, njit, use_compiled
from mmhierseg.ops._numba import background

needs_numba = pytest.mark.skipif(not has_numba(), reason='needs numba')


@needs_numba
def test_switch(monkeypatch):
    assert use_compiled(torch.zeros(2))
    assert not use_compiled(torch.zeros(2, device='meta'))
    # Traces take the reference implementation.
    traced = torch.compile(
        lambda x: x + (1 if use_compiled(x) else 2), backend='eager',
        fullgraph=True)
    assert traced(torch.zeros(1)) == 2
    with monkeypatch.context() as context:
        context.setenv('MMHIERSEG_COMPILED', '0')
        assert not use_compiled(torch.zeros(2))
    monkeypatch.setattr(_numba, 'has_numba', lambda: False)
    assert not use_compiled(torch.zeros(2))


_PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import torch
from mmhierseg.ops import use_compiled
from mmhierseg.superpixels import TorchSLIC
image = (torch.arange(3 * 64 * 48) * 7919 % 256).to(torch.uint8)
# As in a loader.
image = image.view(1, 64, 48, 3).permute(0, 3, 1, 2)
labels = TorchSLIC(segment_size=16)(image)
print('numba' in sys.modules, labels.flatten().tolist())
"""


def _start(tmp_path):
    environment = {**os.environ, 'MMHIERSEG_HOME': '.',
                   'NUMBA_CACHE_DIR': 'cache', 'PYTHONSAFEPATH': '1'}
    environment.pop('MMHIERSEG_COMPILED')
    environment.pop('PYTHONPATH', None)
    return subprocess.Popen([sys.executable, '-W', 'ignore', '-c', _PROGRAM],
                            env=environment, stdout=subprocess.PIPE, text=True,
                            cwd=tmp_path)


@needs_numba
@pytest.mark.slow
def test_kernels_compile_once_in_the_background(tmp_path):
    first = [_start(tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in first]
    # Both were served by the reference.
    assert outputs[0] == outputs[1] and outputs[0].startswith('False [')
    deadline = time.monotonic() + 500
    while not [*tmp_path.glob('numba/' + 16 * '?')]:
        assert time.monotonic() < deadline
        time.sleep(.5)
    code = {x: x.stat().st_mtime_ns for x in tmp_path.rglob('*.nbc')}
    assert code
    then = _start(tmp_path).communicate(timeout=300)[0]
    assert then == outputs[0].replace('False', 'True')
    # Nothing was compiled again, by the other process or by this one.
    assert code == {x: x.stat().st_mtime_ns for x in tmp_path.rglob('*.nbc')}
    assert len([*tmp_path.glob('numba/*.lock')]) == 1


@pytest.fixture
def nothing_compiled(tmp_path, monkeypatch):
    monkeypatch.delenv('MMHIERSEG_COMPILED')
    monkeypatch.setenv('MMHIERSEG_HOME', str(tmp_path))
    monkeypatch.setattr(background, '_looked', -float('inf'))
    monkeypatch.setattr(background, '_process', None)
    monkeypatch.setattr(background, '_INTERVAL', 0.)
    background.marker.cache_clear()
    yield
    background.marker.cache_clear()


@needs_numba
@pytest.mark.usefixtures('nothing_compiled')
@pytest.mark.parametrize('change', [
    lambda x: x.setenv('MMHIERSEG_HOME', os.devnull),
    lambda x: x.setattr(background.metadata, 'version', _raise),
    lambda x: x.setattr(sys, 'executable', None),
    lambda x: x.setattr(sys, 'executable', '/bin/true'),  # embeds Python
    lambda x: x.setattr(sys, 'frozen', True, raising=False)])
def test_kernels_compile_where_they_are_called(change, monkeypatch):
    change(monkeypatch)
    monkeypatch.setattr(subprocess, 'Popen', None)
    assert use_compiled(torch.zeros(2))


def _raise(name):
    raise importlib.metadata.PackageNotFoundError(name)


@needs_numba
@pytest.mark.usefixtures('nothing_compiled')
@pytest.mark.parametrize('fails', [False, True])
def test_end_of_the_background_process(fails, tmp_path, monkeypatch):
    module = tmp_path / 'ends.py'
    module.write_text(
        'import sys, time\ndef main():\n    ' +
        ('0 / 0' if fails else 'open(sys.argv[1], "w"); time.sleep(.5)'))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(background, 'WARM_UP', 'ends')
    deadline = time.monotonic() + 60
    while not use_compiled(torch.zeros(2)):
        assert time.monotonic() < deadline
        # As in a worker that has been forked: not its own process.
        with monkeypatch.context() as context:
            context.setattr(os, 'getpid', lambda: 0)
            assert not use_compiled(torch.zeros(2)) or (
                not fails and background.marker().exists())
        monkeypatch.setattr(background, '_looked', -float('inf'))
    # It is no zombie.
    process, _ = background._process
    assert process.returncode == fails
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


@njit
def _add(x, y):
    for i in range(len(x)):
        x[i] += y


@njit(error_model='numpy')
def _add_twice(x, y, zero):
    _add(x, y)
    _add(x, y)
    return y / zero


@needs_numba
def test_kernels():
    x = np.arange(3.)
    assert _add_twice(x, 1., 0.) == np.inf
    assert x.tolist() == [2, 3, 4]
    assert _add_twice.compiled().nopython_signatures


@pytest.mark.parametrize('threads', [1, 2, 3])
def test_each_image_once(threads, monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: threads)
    monkeypatch.setattr(_numba, '_WORTHWHILE', 0.)
    done, names = [], set()
    together = threading.Barrier(threads)

    def work(index):
        # The first is processed before the others begin.
        assert bool(done) == bool(index)
        if 1 <= index <= threads:
            together.wait(timeout=60)
        names.add(threading.current_thread().name)
        done.append(index)

    for_each_image(work, 7)
    assert sorted(done) == list(range(7))
    assert len(names) == threads

    def fail(index):
        if index == bad:
            raise ValueError(f'image {index}')

    for bad in (0, 1, 4):
        with pytest.raises(ValueError, match=f'image {bad}'):
            for_each_image(fail, 5)
    # Little work takes one thread.
    monkeypatch.setattr(_numba, '_WORTHWHILE', 60.)
    names.clear()
    for_each_image(lambda _: names.add(threading.current_thread()), 50)
    assert names == {threading.current_thread()}


@needs_numba
def test_threads_compile_once():
    @njit
    def double(x):
        return 2 * x

    together = threading.Barrier(4)

    def call(index):
        together.wait(timeout=60)
        assert double(index) == 2 * index
        return double.compiled()

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(call, range(4))
    assert all(other is first for other in others)
    assert len(first.signatures) == 1


@needs_numba
@pytest.mark.parametrize('planted', [False, True])
def test_without_a_folder_for_machine_code(planted, tmp_path, monkeypatch):
    """As of a read-only installation without a home; one warning."""
    from numba.core import caching
    impl = caching.CompileResultCacheImpl
    monkeypatch.setattr(impl, '_locator_classes', [
        cls for cls in impl._locator_classes
        if 'UserProvided' in cls.__name__
    ])
    monkeypatch.setattr(_numba.tempfile, 'gettempdir', lambda: str(tmp_path))
    folder = tmp_path / f'mmhierseg-numba-{os.getuid()}'
    if planted:  # by another user, who could put code there
        (tmp_path / 'theirs').mkdir()
        folder.symlink_to('theirs')
    _numba._warn_about_cache.cache_clear()

    def double(x):
        return x + x

    def triple(x):
        return x + x + x

    with pytest.warns(UserWarning, match='numba can cache') as found:
        assert njit(double)(2) == 4 and njit(triple)(2) == 6
    assert len(found) == 1
    assert any(tmp_path.rglob('*.nbi')) != planted
