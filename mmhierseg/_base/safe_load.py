"""Read checkpoints and YAML without executing code in them.

A checkpoint is a pickle, and unpickling can run any program. PyTorch's
``weights_only`` reader builds only tensors and plain containers. Allowed in
addition are log histories, NumPy arrays and ``argparse.Namespace``, which
MMEngine and training scripts write.

PyTorch's list of allowed names is global, and MMEngine changes it while it
reads. The reader here has its own list, so threads do not interfere and other
code is not affected.
"""

import os
import pickle
import re
import threading
import zipfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from mmengine.fileio.handlers import YamlHandler
from mmengine.logging.history_buffer import HistoryBuffer
from safetensors import SafetensorError, safe_open
from torch import _weights_only_unpickler as unpickler

from mmhierseg._base.errors import UserError


def _history_buffer_method(owner: type, name: str) -> Any:
    """Replacement of ``getattr``, as which methods are pickled."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'{owner!r}.{name} may not be looked up')
    return getattr(owner, name)


def _no_bytes() -> bytes:
    """Stand in for ``bytes``, as which an empty array is pickled."""
    return b''


_core = np._core if hasattr(np, '_core') else np.core
#: Name in a pickle -> object.
PLAIN_OBJECTS = {
    'builtins.getattr': _history_buffer_method,
    'builtins.bytes': _no_bytes,
    **{
        # NumPy 1 and 2.
        f'numpy.{core}.multiarray.{name}': getattr(_core.multiarray, name)
        for core in ('core', '_core') for name in ('_reconstruct', 'scalar')
    },
    **{
        f'{kind.__module__}.{kind.__qualname__}': kind
        for kind in (Namespace, HistoryBuffer, slice, np.ndarray, np.dtype,
                     *(type(np.dtype(code)) for code in '?bBhHiIlLqQefd'))
    }
}


def _with_globals(function: FunctionType, **names: Any) -> FunctionType:
    """Copy a function, with some of its globals replaced."""
    copy = FunctionType(
        function.__code__, function.__globals__ | names, function.__name__,
        function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


class _Unpickler(unpickler.Unpickler):
    load = _with_globals(
        unpickler.Unpickler.load,
        _get_user_allowed_globals=lambda: PLAIN_OBJECTS)


_own = dict(
    _weights_only_unpickler=SimpleNamespace(
        Unpickler=_Unpickler,
        load=_with_globals(unpickler.load, Unpickler=_Unpickler),
        __name__='plain'))
_torch_load = _with_globals(
    torch.serialization.load,
    _legacy_load=_with_globals(torch.serialization._legacy_load, **_own),
    **_own)


def _load(f: Any, map_location: Any = None, *_, mmap: bool | None = None,
          **kwargs) -> Any:
    """``torch.load``, but safe with any arguments and environment."""
    kwargs = {k: v for k, v in kwargs.items() if k == 'encoding'}
    try:
        return _torch_load(
            f, map_location, weights_only=True, mmap=mmap, **kwargs)
    except Exception as error:
        if isinstance(error, pickle.UnpicklingError) or 'TorchScript' in str(
                error):
            path = os.fspath(f) if isinstance(f, os.PathLike) else f
            raise UserError(_message(path, error)) from error
        raise


def load_plain_checkpoint(path: str | os.PathLike) -> Any:
    """Read a file of ``torch.save``, with tensors on the CPU.

    Or of safetensors, by its suffix: a dict with ``state_dict`` and ``meta``.
    Raises FileNotFoundError, or UserError if it is no checkpoint, is damaged,
    or has objects that only code can create.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist (in {os.getcwd()})')
    if path.endswith('.safetensors'):
        return _load_safetensors(path)
    try:
        # Memory-mapped, except for files from before PyTorch 1.6, which are
        # no archives.
        return _load(path, 'cpu', mmap=zipfile.is_zipfile(path))
    except UserError:
        raise
    except Exception as error:
        # The reader fails in many ways on bytes that are no pickle.
        raise UserError(_message(path)) from error


def _load_safetensors(path: str) -> dict[str, dict]:
    try:
        with safe_open(path, 'pt') as file:
            return dict(
                state_dict={key: file.get_tensor(key) for key in file.keys()},
                meta=file.metadata() or {})
    except SafetensorError as error:
        raise UserError(f'{path!r} is no file of safetensors, or is damaged: '
                        f'{error}') from error


def _message(path: Any, error: Exception | None = None) -> str:
    forbidden = re.search(r'GLOBAL (\S+)', str(error))
    if forbidden is None:
        return f'{path!r} is no checkpoint of torch.save, or is damaged'
    return (f'{path!r} was not read, because it wants to make a '
            f'{forbidden[1]}, which could execute a program')


class _YamlLoader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
    """MMEngine's loader, without Python objects other than tuples."""

    def refuse(self, tag: str, node: yaml.Node) -> None:
        """Raise an error for a Python tag."""
        raise UserError(
            f'!!python/{tag} in line {node.start_mark.line + 1}: Python '
            'objects in YAML are not read, since they could execute a program')


_YamlLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
_YamlLoader.add_multi_constructor('tag:yaml.org,2002:python/',
                                  _YamlLoader.refuse)


def _load_yaml(handler: YamlHandler, file: Any, **kwargs) -> Any:
    return yaml.load(file, Loader=_YamlLoader)


_inside = ContextVar('inside', default=False)
_lock = threading.Lock()
#: Number of active blocks, and functions that undo the replacements.
_state = SimpleNamespace(inside=0, restore=[])


@contextmanager
def safe_reading() -> Iterator[None]:
    """Make all code that is called within the block read files safely.

    Nothing in a checkpoint is executed, whether it is loaded by ``init_cfg``,
    by a scheme of MMEngine (``https://``, ``open-mmlab://`` ...) or by
    ``torch.load``; a UserError names what would have been. Python tags in YAML
    files are refused, too. Other threads are not affected.
    """
    token = _inside.set(True)
    with _lock:
        _state.inside += 1
        if _state.inside == 1:
            _state.restore = [
                _replace(owner, name, safe)
                for owner, name, safe in ((torch, 'load', _load),
                                          (torch.serialization, 'load', _load),
                                          (YamlHandler, 'load_from_fileobj',
                                           _load_yaml))
            ]
    try:
        yield
    finally:
        _inside.reset(token)
        with _lock:
            _state.inside -= 1
            if not _state.inside:
                for restore in _state.restore:
                    restore()


def _replace(owner: Any, name: str, safe: Callable) -> Callable[[], None]:
    """Replace a function in `safe_reading`; return how to undo it."""
    original = getattr(owner, name)

    @wraps(original)
    def choose(*args, **kwargs):
        return (safe if _inside.get() else original)(*args, **kwargs)

    def restore():
        # Unless other code has replaced it since.
        if getattr(owner, name) is choose:
            setattr(owner, name, original)

    setattr(owner, name, choose)
    return restore
