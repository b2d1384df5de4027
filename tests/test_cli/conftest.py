import os

import pytest


@pytest.fixture(autouse=True)
def restore_environment(monkeypatch):
    """Undo what the tools set in the environment of their process."""
    for name in ('LOCAL_RANK', 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'RANK',
                 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        # Remembers the state of now; what follows may change it.
        monkeypatch.setenv(name, os.environ.get(name, ''))
        monkeypatch.delenv(name)
