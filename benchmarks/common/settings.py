"""Work folders that hold the results of one setting only."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Iterable

from mmengine.config import Config

from mmhierseg._base.errors import UserError

from .report import write_json

__all__ = ['hash_configs', 'refuse_other_settings']


def hash_configs(paths: Iterable[Path], root: Path) -> Dict[str, str]:
    """Tell configs from what they were, what they inherit included.

    Args:
        paths (Iterable[Path]): Config files.
        root (Path): Folder that they are named relative to.

    Returns:
        Dict[str, str]: A digest by name.
    """
    return {
        str(path.relative_to(root).with_suffix('')): hashlib.sha256(
            json.dumps(
                Config.fromfile(path).to_dict(), sort_keys=True,
                default=str).encode()).hexdigest()[:16]
        for path in paths
    }


def refuse_other_settings(folder: Path, settings: Dict[str, Any]) -> None:
    """Refuse to mix the results of two settings in one folder.

    Args:
        folder (Path): Where results are kept.
        settings (Dict[str, Any]): What results depend on; JSON can hold it.

    Raises:
        UserError: If the folder holds results of other settings.
    """
    # As it is read again: tuples are lists.
    settings = json.loads(json.dumps(settings))
    path = folder / 'settings.json'
    before = json.loads(path.read_text()) if path.exists() else settings
    differing = [key for key in settings if before.get(key) != settings[key]]
    if differing:
        raise UserError(
            f'{folder} holds results of another setting of '
            f'{", ".join(differing)}: name another --work-dir or remove it')
    write_json(path, settings)
