"""Each ecosystem package is optional."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize('package, missing, kept', [
    ('mmseg', [
        'SuperpixelSegDataPreProcessor', 'SegmentMaskTransformerHead',
        'HierarchyEncoderDecoder', 'RetrievalSegmentor',
        'MultiViewSegDataPreProcessor', 'HSG'
    ],
     ['SuperpixelClsDataPreprocessor', 'SuperpixelSelfSupDataPreprocessor']),
    pytest.param(
        'mmpretrain',
        ['SuperpixelClsDataPreprocessor', 'SuperpixelSelfSupDataPreprocessor'],
        ['SuperpixelSegDataPreProcessor'],
        marks=pytest.mark.slow),
])
def test_without_the_package(package, missing, kept):
    """In a process of its own, where the package cannot be imported."""
    code = f"""
import sys
import mmhierseg
sys.modules['{package}'] = None
from mmhierseg.registry import MODELS
for name in {kept}:
    assert type(MODELS.build(dict(type=name))).__name__ == name
for name in {missing}:
    try:
        MODELS.build(dict(type=name))
    except ImportError as error:
        print(error)
"""
    result = subprocess.run([sys.executable, '-c', code],
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    for line, name in zip(result.stdout.splitlines(), missing, strict=True):
        assert f'{name} needs the package `{package}`: pip install ' in line
