import stat
import sys

import pytest

# Stands in for the interpreter of the environment: it notes what pip is to
# install instead of installing it, and has OpenCV's contrib modules only once
# they were "installed".
INTERPRETER = """#!/bin/sh
case "$*" in
*'pip --disable-pip-version-check install'*)
    echo "$*" >>{folder}/installed
    ! [ -e {folder}/broken ] || exit 1
    case "$*" in *contrib*) touch {folder}/contrib ;; esac ;;
*ximgproc*) [ -e {folder}/contrib ] ;;
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def venv(tmp_path):
    """An environment that is there, but was not set up."""
    folder = tmp_path / 'some where' / 'venv'
    (folder / 'bin').mkdir(parents=True)
    (folder / 'pyvenv.cfg').write_text('')
    python = folder / 'bin' / 'python'
    python.write_text(
        INTERPRETER.format(folder=tmp_path, python=sys.executable))
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def installed(tmp_path):
    """Give what pip was to install so far, and forget it."""

    def read():
        notes = tmp_path / 'installed'
        if not notes.exists():
            return []
        lines = notes.read_text().splitlines()
        notes.unlink()
        return [line.split('--quiet ')[1] for line in lines]

    return read


def test_contrib_comes_after_the_rest_and_on_its_own(tool, venv, installed):
    result = tool('setup_env.sh', VENV=str(venv))
    assert '(ready)' in result.stdout
    rest, contrib, package = installed()
    assert rest.endswith('/requirements.txt')
    assert contrib.startswith('--no-deps ')
    assert contrib.endswith('/requirements/contrib.txt')
    assert package.startswith('--no-deps --no-build-isolation -e ')


def test_second_run_installs_nothing(tool, venv, installed):
    tool('setup_env.sh', VENV=str(venv))
    installed()
    result = tool('setup_env.sh', VENV=str(venv))
    assert '(up to date)' in result.stdout
    assert installed() == []


def test_change_of_requirements_is_noticed(tool, venv, installed):
    tool('setup_env.sh', VENV=str(venv))
    installed()
    stamp = venv / 'mmhierseg-setup.stamp'
    stamp.write_text('that of other requirement files')
    tool('setup_env.sh', VENV=str(venv))
    # OpenCV still has its contrib modules.
    assert len(installed()) == 2


def test_failure_leaves_nothing_that_looks_complete(tool, venv, installed,
                                                    tmp_path):
    tool('setup_env.sh', VENV=str(venv))
    (venv / 'mmhierseg-setup.stamp').write_text('old')
    (tmp_path / 'broken').touch()
    result = tool('setup_env.sh', VENV=str(venv), check=False)
    assert result.returncode != 0
    assert '(ready)' not in result.stdout
    (tmp_path / 'broken').unlink()
    installed()
    assert '(ready)' in tool('setup_env.sh', VENV=str(venv)).stdout
    assert len(installed()) == 2


def test_contrib_that_does_not_help(tool, venv):
    python = venv / 'bin' / 'python'
    python.write_text(python.read_text().replace(
        '*ximgproc*) [ -e ', '*ximgproc*) false '))
    result = tool('setup_env.sh', VENV=str(venv), check=False)
    assert result.returncode == 1
    assert 'OpenCV has no contrib modules (cv2.ximgproc)' in result.stdout


def test_unfit_python(tool, tmp_path):
    old = tmp_path / 'python3.9'
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\n')
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    for python, found in ((old, 'Python 3.9.1'), ('gone', 'not there')):
        result = tool('setup_env.sh', check=False, PYTHON=str(python),
                      VENV=str(tmp_path / 'venv'))
        assert result.returncode == 1
        assert f'is needed, but {python} is {found}.' in result.stdout
        assert not (tmp_path / 'venv').exists()


def test_folder_that_is_no_environment(tool, tmp_path):
    (tmp_path / 'mine').touch()
    result = tool('setup_env.sh', check=False, VENV=str(tmp_path))
    assert result.returncode == 1
    assert 'is not a virtual environment' in result.stdout
    assert (tmp_path / 'mine').exists()
