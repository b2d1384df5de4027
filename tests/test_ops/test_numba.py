import importlib
import sys
import threading

import numpy as np
import pytest
import torch

from mmhierseg.ops._numba import (
    for_each_image,
    has_numba,
    njit,
    switch,
    use_compiled,
)

needs_numba = pytest.mark.skipif(not has_numba(), reason='needs numba')


@needs_numba
def test_switch(monkeypatch):
    assert use_compiled(torch.zeros(2))
    assert not use_compiled(torch.zeros(2, device='meta'))
    monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
    assert not use_compiled(torch.zeros(2))


@needs_numba
def test_traces_take_the_reference_implementation():
    def branch(x):
        return x + 1 if use_compiled(x) else x + 2

    traced = torch.compile(branch, backend='eager', fullgraph=True)
    assert branch(torch.zeros(1)) == 1
    assert traced(torch.zeros(1)) == 2


def test_without_numba(monkeypatch):
    monkeypatch.setattr('mmhierseg.ops._numba.switch.has_numba', lambda: False)
    assert not use_compiled(torch.zeros(2))


@njit
def _add(x, y):
    for i in range(len(x)):
        x[i] += y


@njit(error_model='numpy')
def _divide(x, y):
    return x / y


@njit
def _add_twice(x, y):
    _add(x, y)
    _add(x, y)


@needs_numba
def test_kernels():
    x = np.arange(3.)
    _add_twice(x, 1.)
    assert x.tolist() == [2, 3, 4]
    assert _add_twice.compiled().nopython_signatures
    assert _divide(1., 0.) == np.inf


def test_compiled_is_a_deprecated_alias(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmhierseg.compiled', raising=False)
    with pytest.warns(DeprecationWarning, match='import from mmhierseg.ops'):
        compiled = importlib.import_module('mmhierseg.compiled')
    assert compiled.njit is njit and compiled.use_compiled is use_compiled


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """Number of threads, for however little work."""
    monkeypatch.setattr(torch, 'get_num_threads', lambda: request.param)
    monkeypatch.setattr(switch, '_WORTHWHILE', 0.)
    return request.param


def test_each_image_once(threads):
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


def test_little_work_takes_one_thread(monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 4)
    monkeypatch.setattr(switch, '_WORTHWHILE', 60.)
    names = []
    for_each_image(
        lambda index: names.append(threading.current_thread()), 50)
    assert names == 50 * [threading.current_thread()]


@pytest.mark.parametrize('bad', [0, 1, 4])
def test_errors_are_raised(threads, bad):

    def fail(index):
        if index == bad:
            raise ValueError(f'image {index}')

    with pytest.raises(ValueError, match=f'image {bad}'):
        for_each_image(fail, 5)


@needs_numba
def test_threads_compile_once():
    @njit
    def double(x):
        return 2 * x

    found, together = [], threading.Barrier(4)

    def call(index):
        together.wait(timeout=60)
        found.append(double.compiled())
        assert double(index) == 2 * index

    threads = [threading.Thread(target=call, args=(i, )) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1
    assert len(found[0].signatures) == 1
