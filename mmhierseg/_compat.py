"""Repairs of the installed stack; each does nothing where it is not needed.

What the project builds on needs help in combinations that people do have
installed:

* **torchvision beside a CPU-only torch.** The wheel on PyPI is compiled for
  CUDA. Where its operators do not load, ``import torchvision`` dies with
  "operator torchvision::nms does not exist", because the package describes
  these operators to PyTorch whether it has them or not. Declaring their
  schemas is enough; calling one is still an error, as it should be.
* **Names of config packages.** MMEngine resolves ``_base_ = 'mmseg::...'``
  through a table of distributions. The table does not know this package, and
  it takes MMSegmentation for ``mmsegmentation``, which is not the name of the
  distribution in OneDL's builds. And what is inherited from ``mmhierseg::``
  keeps the scope that the config names.
* **The metrics that a test logs.** Every process writes the same JSON file,
  at the same time; where they differ, if only in how long they took, the file
  can end with the rest of a longer one.

No package is imported here. Each repair is tied to a module and runs
right after that module is first executed, or at once where that has happened
already, so ``import mmhierseg`` costs no import of torch or MMEngine.

This package therefore has to be imported before ``torchvision`` is, and before
a config with ``mmhierseg::`` is read. The programs under ``tools`` do so; in
other launchers ``custom_imports = dict(imports=['mmhierseg'])`` serves for the
first and ``import mmhierseg`` at the top of the script for both.
"""

import functools
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Callable, Dict, Optional, Sequence

# What torchvision/_meta_registrations.py and its siblings look up without
# asking whether the compiled operators are there.
_TORCHVISION_SCHEMAS = {
    'nms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
}
# A declaration lives as long as the library object that made it.
_libraries = []


def declare_torchvision_operators(extension: ModuleType) -> None:
    """Declare the operators that torchvision describes but could not load.

    Args:
        extension (ModuleType): ``torchvision.extension``, executed. It is the
            module that tries to load the operators and knows the result.
    """
    if extension._has_ops():
        return
    import torch
    missing = {
        name: schema
        for name, schema in _TORCHVISION_SCHEMAS.items()
        if not hasattr(torch.ops.torchvision, name)
    }
    if not missing:
        return
    # FRAGMENT: a namespace takes one DEF only, which is torchvision's.
    library = torch.library.Library('torchvision', 'FRAGMENT')
    for name, schema in missing.items():
        library.define(name + schema)
    _libraries.append(library)


def register_config_packages(config_utils: ModuleType) -> None:
    """Make ``mmhierseg::`` and OneDL's ``mmseg::`` resolve in configs.

    Args:
        config_utils (ModuleType): ``mmengine.config.utils``, executed.
    """
    table: Dict[str, str] = config_utils.MODULE2PACKAGE
    table.setdefault('mmhierseg', 'mmhierseg')
    if table.get('mmseg') != 'mmseg' and _has_only_module(
            'mmseg', distribution='mmsegmentation'):
        table['mmseg'] = 'mmseg'


def keep_default_scope(config: ModuleType) -> None:
    """Let inheriting ``mmhierseg::x`` mean what inheriting by path means.

    MMEngine gives every part of a config of another package that package's
    scope. The configs here are made of MMPretrain's and MMSegmentation's
    parts, and say by ``default_scope`` whose; in this package's scope those
    would not be found.

    Args:
        config (ModuleType): ``mmengine.config.config``, executed.
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
    """Let the main process alone write the metrics of a test.

    Args:
        logger_hook (ModuleType): ``mmengine.hooks.logger_hook``, executed.
    """
    from mmengine.dist import master_only
    if not hasattr(logger_hook.dump, '__wrapped__'):
        logger_hook.dump = master_only(logger_hook.dump)


def _has_only_module(module: str, distribution: str) -> bool:
    """Tell whether a module is there, but not as the named distribution."""
    # Here, because it is most of what importing this package would cost.
    from importlib.metadata import PackageNotFoundError, version
    try:
        version(distribution)
    except PackageNotFoundError:
        return importlib.util.find_spec(module) is not None
    return False


_REPAIRS: Dict[str, Callable[[ModuleType], None]] = {
    'torchvision.extension': declare_torchvision_operators,
    'mmengine.config.utils': register_config_packages,
    'mmengine.config.config': keep_default_scope,
    'mmengine.hooks.logger_hook': log_test_on_one_process,
}


class _RepairAfterImport(MetaPathFinder):
    """Finder that lets the others find a module and adds a repair to it.

    Args:
        repairs (dict[str, Callable]): Module name to the function that is
            called with the executed module.
    """

    def __init__(self, repairs: Dict[str, Callable[[ModuleType],
                                                   None]]) -> None:
        self.repairs = repairs

    def find_spec(self,
                  fullname: str,
                  path: Optional[Sequence[str]] = None,
                  target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        """Find the module as the other finders do.

        Args:
            fullname (str): Absolute name of the module.
            path (Sequence[str], optional): Search path of its parent.
            target (ModuleType, optional): Module to be reloaded.

        Returns:
            ModuleSpec or None: None for all modules but the repaired ones.
        """
        if fullname not in self.repairs:
            return None
        for finder in sys.meta_path:
            if isinstance(finder, _RepairAfterImport):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                self._repair_after_execution(spec)
                return spec
        return None

    def _repair_after_execution(self, spec: ModuleSpec) -> None:
        # Only this loader object changes; it belongs to the one module.
        execute = spec.loader.exec_module

        def execute_and_repair(module: ModuleType) -> None:
            execute(module)
            self.repairs[spec.name](module)

        spec.loader.exec_module = execute_and_repair


def apply() -> None:
    """Apply every repair, at once or when its module is first imported.

    Calling it again changes nothing.
    """
    pending = {}
    for name, repair in _REPAIRS.items():
        if name in sys.modules:
            repair(sys.modules[name])
        else:
            pending[name] = repair
    if pending and not any(
            isinstance(finder, _RepairAfterImport)
            for finder in sys.meta_path):
        sys.meta_path.insert(0, _RepairAfterImport(pending))
