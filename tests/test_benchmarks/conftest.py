"""For all tests of the benchmarks."""

import pytest
import torch
from mmengine.logging import MMLogger


@pytest.fixture(autouse=True)
def own_settings():
    """A run quietens the logger and sets the number of threads."""
    logger = MMLogger.get_current_instance()
    level, threads = logger.level, torch.get_num_threads()
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)
