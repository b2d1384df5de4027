"""Repairs of the installed stack; each does nothing where it is not needed.

* **torchvision beside a CPU-only torch.** Where the compiled operators of the
  wheel do not load, ``import torchvision`` fails with "operator
  torchvision::nms does not exist". Declaring their schemas is enough; calling
  one remains an error.
* **Names of config packages.** MMEngine resolves ``_base_ = 'mmseg::...'``
  through a table of distributions that lacks this package, and expects
  ``mmsegmentation``, which OneDL's builds are not called. Configs inherited
  from ``mmhierseg::`` also keep their ``default_scope``.
* **Logged metrics of a test.** Every process writes the same JSON file at the
  same time; if their contents differ, it can end up corrupt.
* **MMPretrain beside transformers 5.** Its multimodal models need names that
  version 4 had, and importing MMPretrain fails without them. They become
  placeholders, as they are without transformers.
* **Messages for debugging.** MMEngine prints them at any level where no logger
  is named: every program says that it could not import a dataset's library.

One addition is made the same way: checkpoints ``mmhierseg://NAME``.

Each repair runs right after its module is first executed, or at once if it has
been, so ``import mmhierseg`` imports neither torch nor MMEngine. Import it
before ``torchvision`` and before reading a config with ``mmhierseg::``, as the
tools do; ``custom_imports = dict(imports=['mmhierseg'])`` serves for the first
only.
"""

import functools
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Declarations live as long as these objects.
_libraries = []


def declare_torchvision_operators(extension: ModuleType) -> None:
    """Declare operators that ``torchvision.extension`` could not load."""
    if extension._has_ops() or _libraries:
        return
    import torch

    # A namespace takes only one DEF, which is torchvision's.
    library = torch.library.Library('torchvision', 'FRAGMENT')
    _libraries.append(library)
    # Those that torchvision describes to PyTorch without checking for them.
    for name in ('nms', 'qnms'):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f'{name}(Tensor dets, Tensor scores, '
                           'float iou_threshold) -> Tensor')


def register_config_packages(config_utils: ModuleType) -> None:
    """Make ``mmhierseg::`` and OneDL's ``mmseg::`` resolve in configs."""
    # Most of the time that importing the package would take.
    from importlib.metadata import PackageNotFoundError, version
    table: dict[str, str] = config_utils.MODULE2PACKAGE
    table.setdefault('mmhierseg', 'mmhierseg')
    try:
        version('mmsegmentation')
    except PackageNotFoundError:
        if importlib.util.find_spec('mmseg') is not None:
            table['mmseg'] = 'mmseg'


def keep_default_scope(config: ModuleType) -> None:
    """Make inheriting ``mmhierseg::x`` equal to inheriting by path.

    MMEngine would look for all parts of its configs in this package's scope.
    """
    find = config.Config._get_cfg_path
    if hasattr(find, '__wrapped__'):
        return

    @functools.wraps(find)
    def find_without_scope(cfg_path: str, filename: str) -> tuple:
        path, scope = find(cfg_path, filename)
        return path, None if scope == 'mmhierseg' else scope

    config.Config._get_cfg_path = staticmethod(find_without_scope)


def log_test_on_one_process(logger_hook: ModuleType) -> None:
    """Let only the main process write the metrics of a test."""
    from mmengine.dist import master_only
    if not hasattr(logger_hook.dump, '__wrapped__'):
        logger_hook.dump = master_only(logger_hook.dump)


def drop_debug_messages(logger: ModuleType) -> None:
    """Do not print messages for debugging."""
    original = logger.print_log
    if hasattr(original, '__wrapped__'):
        return

    @functools.wraps(original)
    def print_log(msg: Any, logger: Any = None,
                  level: int = logging.INFO) -> None:
        if logger is not None or level > logging.DEBUG:
            original(msg, logger, level)

    logger.print_log = print_log


def leave_out_multimodal(dependency: ModuleType) -> None:
    """Do without MMPretrain's multimodal models beside transformers 5."""
    from importlib.metadata import version
    if dependency.WITH_MULTIMODAL:
        major = int(version('transformers').split('.')[0])
        dependency.WITH_MULTIMODAL = major < 5


def register_checkpoint_scheme(checkpoint: ModuleType) -> None:
    """Make ``mmhierseg://NAME`` a checkpoint for MMEngine."""

    def load(filename: str, map_location: Any = None) -> dict:
        # Above this module, and needed by few.
        published = importlib.import_module('mmhierseg.checkpoints.published')
        return published.load_published(filename, map_location)

    checkpoint.CheckpointLoader.register_scheme(
        'mmhierseg://', loader=load, force=True)


_REPAIRS: dict[str, Callable[[ModuleType], None]] = {
    'torchvision.extension': declare_torchvision_operators,
    'mmengine.config.utils': register_config_packages,
    'mmengine.config.config': keep_default_scope,
    'mmengine.logging.logger': drop_debug_messages,
    'mmengine.hooks.logger_hook': log_test_on_one_process,
    'mmengine.runner.checkpoint': register_checkpoint_scheme,
    'mmpretrain.utils.dependency': leave_out_multimodal,
}


def _execute_and_repair(execute: Callable, module: ModuleType) -> None:
    execute(module)
    _REPAIRS[module.__name__](module)


class _RepairAfterImport(MetaPathFinder):
    """Finder that finds modules through the others and adds the repairs."""

    def find_spec(self, fullname: str, *args: Any) -> ModuleSpec | None:
        if fullname not in _REPAIRS:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, *args)
            if spec is not None and spec.loader is not None:
                # The loader object belongs to this module only.
                spec.loader.exec_module = functools.partial(
                    _execute_and_repair, spec.loader.exec_module)
                return spec
        return None


def apply() -> None:
    """Apply each repair at once or when its module is first imported."""
    for name, repair in _REPAIRS.items():
        if name in sys.modules:
            repair(sys.modules[name])
    if not any(isinstance(x, _RepairAfterImport) for x in sys.meta_path):
        sys.meta_path.insert(0, _RepairAfterImport())
