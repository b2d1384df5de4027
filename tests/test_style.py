import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize('module, words', [
    ('ruff', ['check', '--output-format=concise']),
    ('codespell_lib', []),
])
def test_style(module, words):
    # As in .pre-commit-config.yaml; both read pyproject.toml.
    pytest.importorskip(module)
    result = subprocess.run([sys.executable, '-m', module, *words, '.'],
                            cwd=ROOT,
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stdout + result.stderr
