"""Numba kernels of the operators, for CPUs where numba is installed.

Each agrees with its reference implementation in torch; :func:`use_compiled`
decides which of the two is called. Install numba by ``pip install
mmhierseg[speed]``; ``MMHIERSEG_COMPILED=0`` switches it off. Kernels are
compiled once per machine, in the background (:mod:`.background`), or with
``MMHIERSEG_COMPILED=1`` where they are called.
"""

import functools
import importlib.util
import os
import stat
import tempfile
import threading
import time
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import torch
from torch import Tensor

from .background import is_compiled

# Kernels compile those that they call.
_COMPILING = threading.RLock()

#: Seconds of work below which threads lose more than they gain: starting them
#: takes 0.3 ms, or 1.3 while those of torch are still spinning.
_WORTHWHILE = 0.005


@functools.cache
def has_numba() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec('numba') is not None


def use_compiled(tensor: Tensor) -> bool:
    """Whether a tensor is processed by numba kernels.

    That is on the CPU, with numba installed and not switched off
    (``MMHIERSEG_COMPILED=0``), once its kernels are compiled, and outside of
    ``torch.compile`` and ``torch.jit.trace``. Otherwise the reference
    implementation in torch is called.
    """
    # Tracing first: what follows cannot be traced.
    if (torch.compiler.is_compiling() or torch.jit.is_tracing()
            or tensor.device.type != 'cpu' or not has_numba()):
        return False
    switch = os.environ.get('MMHIERSEG_COMPILED')
    return switch == '1' or switch != '0' and is_compiled()


def njit(function: Callable | None = None, **options) -> Callable:
    """As ``numba.njit``, but numba is imported at the first call.

    Machine code is cached on disk, and the interpreter's lock released (see
    :func:`for_each_image`). Options are those of ``numba.njit``.
    """
    if function is None:
        return functools.partial(njit, **options)

    done = []

    def compiled() -> Callable:
        # Threads that come together would all compile.
        with _COMPILING:
            if not done:
                done.append(
                    _compile(_with_compiled_globals(function), options))
        return done[0]

    @functools.wraps(function)
    def call(*args):
        return (done[0] if done else compiled())(*args)

    #: For kernels that call this one.
    call.compiled = compiled
    return call


def _compile(function: Callable, options: dict) -> Callable:
    """Compile a kernel; its cache lies in the package or the user's home."""
    import numba
    compile_ = functools.partial(numba.njit, nogil=True, **options)
    try:
        return compile_(cache=True)(function)
    except RuntimeError as error:
        # Neither can be written to.
        if 'no locator' not in str(error):
            raise
    folder, before = _temporary_folder(), numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = folder
        kernel = compile_(cache=folder != '')(function)
    finally:
        numba.config.CACHE_DIR = before
    _warn_about_cache(folder)
    return kernel


def _temporary_folder() -> str:
    """A folder for machine code that only this user can write to, or ''."""
    user = os.getuid() if hasattr(os, 'getuid') else ''
    folder = os.path.join(tempfile.gettempdir(), f'mmhierseg-numba-{user}')
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError:
        return ''
    own = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    return folder if own and user in ('', status.st_uid) else ''


@functools.cache
def _warn_about_cache(folder: str) -> None:
    worker = torch.utils.data.get_worker_info()
    if worker is not None and worker.id > 0:
        return  # the first one warns
    place = f'kept in {folder!r}' if folder else 'compiled by every process'
    warnings.warn(
        'numba can cache its machine code neither beside the package nor in '
        f"the user's home, so it is {place}. The environment variable "
        'NUMBA_CACHE_DIR names another folder',
        stacklevel=2)


def _with_compiled_globals(function: Callable) -> Callable:
    """The function, with the dispatchers of the kernels it calls by name."""
    names = function.__globals__
    callees = {
        name: names[name].compiled()
        for name in function.__code__.co_names
        if callable(getattr(names.get(name), 'compiled', None))
    }
    if not callees:
        return function
    return types.FunctionType(function.__code__, {**names, **callees},
                              function.__name__, function.__defaults__)


def for_each_image(function: Callable[[int], None], number: int) -> None:
    """Call a function with each image's index, in as many threads as torch.

    Not in numba's threads: a process that has used them cannot be forked, and
    loaders fork. The time of the first image decides whether threads are
    worthwhile. Numba kernels run in parallel in ``function``.
    """
    if number == 1:
        function(0)
        return
    # Shared: whichever thread is free takes the next one.
    indices = iter(range(number))

    def work() -> None:
        for index in indices:
            function(index)

    begin = time.perf_counter()
    for index in indices:
        function(index)
        break
    left = (time.perf_counter() - begin) * (number - 1)
    others = min(torch.get_num_threads(), number - 1) - 1
    if others < 1 or left < _WORTHWHILE:
        work()
        return
    with ThreadPoolExecutor(others) as pool:
        helping = [pool.submit(work) for _ in range(others)]
        work()
        for other in helping:
            other.result()
