import importlib.metadata
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

from mmhierseg import _compat


def run(program):
    """Run a program in a fresh interpreter; return its output."""
    result = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)],
        capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize('module, heavy', [
    ('mmhierseg', 'torch torchvision numpy mmengine mmcv cv2'),
    ('mmhierseg.superpixels', 'cv2 skimage torchvision mmcv'),
    ('mmhierseg.oversegmentation', 'skimage torch mmcv mmengine'),
])
def test_import_is_cheap(module, heavy):
    assert run(f"""
        import importlib.util, sys
        import {module}
        importlib.util.find_spec('torchvision')
        print(*set(sys.modules) & set('{heavy}'.split()))
        """) == []


def test_messages_for_debugging_are_not_printed():
    assert run("""
        import logging
        import mmhierseg
        from mmengine.logging import print_log
        print_log('hidden', level=logging.DEBUG)
        print_log('shown')
        """) == ['shown']


def test_missing_operators_are_declared_but_not_implemented():
    # In an interpreter without torchvision, so that it has declared nothing.
    assert run("""
        import types
        import torch
        from mmhierseg import _compat
        for has_ops in (True, False, False):
            _compat.declare_torchvision_operators(
                types.SimpleNamespace(_has_ops=lambda: has_ops))
            print(hasattr(torch.ops.torchvision, 'nms'))
        try:
            torch.ops.torchvision.nms(torch.rand(2, 4), torch.rand(2), 0.5)
        except NotImplementedError as error:
            print('torchvision::nms' in str(error))
        """) == ['False', 'True', 'True', 'True']


@pytest.mark.slow
def test_torchvision_can_be_imported_after_a_failure():
    assert run("""
        try:
            import torchvision
        except RuntimeError:
            pass
        import mmhierseg
        import torchvision.transforms.functional
        print('done')
        """) == ['done']


@pytest.mark.parametrize('distribution', ['mmsegmentation', 'mmseg'])
def test_name_of_mmsegmentation(monkeypatch, distribution):

    def version(name):
        if name != distribution:
            raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, 'version', version)
    table = {'mmseg': 'mmsegmentation'}
    for _ in range(2):
        _compat.register_config_packages(SimpleNamespace(MODULE2PACKAGE=table))
        assert table == {'mmseg': distribution, 'mmhierseg': 'mmhierseg'}


def test_repairs_are_applied_once_in_any_order():
    for first, second in (('mmhierseg', 'mmengine.config.utils'),
                          ('mmengine.config.utils', 'mmhierseg')):
        assert run(f"""
            import sys
            import {first}
            import {second}
            from mmengine.config.utils import MODULE2PACKAGE
            before = list(sys.meta_path)
            mmhierseg._compat.apply()
            print(MODULE2PACKAGE['mmhierseg'], sys.meta_path == before)
            """) == ['mmhierseg', 'True']


def test_one_process_writes_the_metrics_of_a_test(tmp_path, monkeypatch):
    from mmengine.hooks import logger_hook
    for rank in (1, 0):
        monkeypatch.setattr('mmengine.dist.utils.is_main_process',
                            lambda rank=rank: rank == 0)
        logger_hook.dump({'rank': rank}, tmp_path / f'{rank}.json')
    assert [path.name for path in tmp_path.iterdir()] == ['0.json']


@pytest.mark.parametrize('version, expected', [('4.57.1', True),
                                               ('5.0.0', False)])
def test_multimodal_models_need_transformers_4(monkeypatch, version, expected):
    monkeypatch.setattr(importlib.metadata, 'version', lambda name: version)
    for found in (True, False):
        dependency = SimpleNamespace(WITH_MULTIMODAL=found)
        _compat.leave_out_multimodal(dependency)
        assert dependency.WITH_MULTIMODAL == (found and expected)
