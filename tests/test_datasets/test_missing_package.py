"""A user of MMPretrain does not need MMSegmentation."""

import subprocess
import sys

CODE = """
import sys
import mmhierseg
sys.modules['mmseg'] = None
from mmhierseg.registry import DATASETS, TRANSFORMS
assert len(DATASETS.build(dict(
    type='PartWholeScenes', num_scenes=3, size=(16, 24)))) == 3
for name in ('LoadPanopticMap', 'LoadPartMap'):
    TRANSFORMS.build(dict(type=name))
for name in ('KITTISTEPDataset', 'PartImageNetDataset'):
    try:
        DATASETS.build(dict(type=name, split='train'))
    except ImportError as error:
        print(error)
"""


def test_without_mmsegmentation():
    """In a process of its own, where the package cannot be imported."""
    result = subprocess.run([sys.executable, '-c', CODE],
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if 'needs' in line]
    assert len(lines) == 2
    for line, name in zip(lines, ('KITTISTEPDataset', 'PartImageNetDataset')):
        assert f'{name} needs the package `mmseg`: pip install' in line
