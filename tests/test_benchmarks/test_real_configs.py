"""The configs of the tables on real photographs build."""

import pytest
from helpers.configs import ROOT
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmhierseg.registry import MODELS

CONFIGS = sorted((ROOT / 'benchmarks/real/configs').glob('*_*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_builds(path):
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert MODELS.build(cfg.model).num_classes in (11, 21)
