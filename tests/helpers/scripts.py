"""The programs under tools/, as modules."""

import importlib.util
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load_script(name):
    """Import a program.

    Args:
        name (str): Path below tools/.

    Returns:
        ModuleType: The module, which is in no list of modules.
    """
    spec = importlib.util.spec_from_file_location(
        f'script_{Path(name).stem}', TOOLS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
