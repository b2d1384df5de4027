"""The scripts that set the environment up and run the tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Records what pip is to install instead of installing it, and has OpenCV's
# contrib modules only once they were "installed".
INTERPRETER = """#!/bin/sh
case "$*" in
*'pip --disable-pip-version-check install'*)
    echo "$*" >>{folder}/installed
    ! [ -e {folder}/broken ] || exit 1
    case "$*" in *contrib*) touch {folder}/contrib ;; esac ;;
*ximgproc*) [ -e {folder}/contrib ] && ! [ -e {folder}/useless ] ;;
*'import mmhierseg'*) ;;
*'-m pytest'*) printf '[%s]' "$@" ;;
*) exec {python} "$@" ;;
esac
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def bash(script, *words, cwd=ROOT, **env):
    """Run a script by its relative path, where CDPATH has an effect."""
    result = subprocess.run(
        ['bash', script, *words],
        cwd=cwd,
        env=dict(os.environ, CDPATH=f'.:{cwd}', **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    return result.returncode, result.stdout


@pytest.fixture
def venv(tmp_path):
    """An environment that exists, but was not set up."""
    folder = tmp_path / 'some where' / 'venv'
    write_program(folder / 'bin' / 'python',
                  INTERPRETER.format(folder=tmp_path, python=sys.executable))
    (folder / 'pyvenv.cfg').write_text('')
    return folder


@pytest.fixture
def setup(venv, tmp_path):
    """Run the script; returns status, output and pip's installations."""
    notes = tmp_path / 'installed'

    def run():
        notes.write_text('')
        status, output = bash('tools/setup_env.sh', VENV=str(venv))
        lines = notes.read_text().splitlines()
        return status, output, [line.split('--quiet ')[1] for line in lines]

    return run


def test_environment(setup, venv, tmp_path):
    status, output, (rest, contrib, package) = setup()
    assert status == 0 and '(ready)' in output
    # The contrib package comes after the rest and on its own.
    assert rest == f'-r {ROOT}/requirements.txt'
    assert contrib.startswith('--no-deps ')
    assert contrib.endswith('/requirements/contrib.txt')
    assert package.startswith('--no-deps --no-build-isolation -e ')
    status, output, installed = setup()
    assert status == 0 and '(up to date)' in output and not installed
    # The next run repairs a failed one.
    (venv / 'mmhierseg-setup.stamp').write_text('other requirements')
    for flag, message in (('broken', ''),
                          ('useless', 'OpenCV has no contrib modules')):
        (tmp_path / flag).touch()
        status, output, _ = setup()
        assert status and message in output and '(ready)' not in output
        (tmp_path / flag).unlink()
    # OpenCV still has its contrib modules.
    status, output, installed = setup()
    assert '(ready)' in output and len(installed) == 2


def test_unsupported_python_and_folder(tmp_path):
    old = tmp_path / 'python3.9'
    write_program(
        old, '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\n')
    for python, venv, message in (
        (old, 'venv', f'is needed, but {old} is Python 3.9.1.'),
        ('gone', 'venv', 'is needed, but gone is missing.'),
        ('python3', '.', 'is not a virtual environment'),
    ):
        status, output = bash('tools/setup_env.sh', PYTHON=str(python),
                              VENV=str(tmp_path / venv))
        assert status == 1 and message in output
        assert not (tmp_path / 'venv').exists()
    assert old.exists()


def test_tiers(setup, venv):
    setup()
    for words, expected in (
        ((), '[-m][not slow]'),
        (('tests/a.py', '-m', 'slow'), '[-m][not slow][tests/a.py][-m][slow]'),
        (('--all', '-k', 'two words'), '[-k][two words]'),
        (('--cov', ), '[--cov]'),
    ):
        status, output = bash('tools/run_tests.sh', *words, VENV=str(venv))
        assert status == 0
        assert output.splitlines()[-1].endswith(f'[worksteal]{expected}')


def test_continuous_integration(tmp_path):
    """Durations and pytest's closing line come last; its status is kept."""
    (tmp_path / '.ci').mkdir()
    shutil.copy(ROOT / '.ci/run', tmp_path / '.ci')
    write_program(tmp_path / 'tools/setup_env.sh', 'echo ready')
    for status, line in ((0, '= 12 passed in 300.50s (0:05:00) ='),
                         (4, 'usage')):
        write_program(tmp_path / 'tools/run_tests.sh',
                      f'echo "$@"; echo "{line}"; echo end; exit {status}')
        found, output = bash('.ci/run', '-x', cwd=tmp_path)
        assert found == status
        assert '--durations 20 --durations-min 1 -x' in output
        last = output.splitlines()[-2:]
        assert last[status > 0].startswith('Durations: set-up ')
        assert last[1] == line or status
