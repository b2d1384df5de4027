#!/usr/bin/env bash
# Make the Python environment that the project is developed and tested with.
#
#     bash tools/setup_env.sh
#
# Settings, all optional, from the environment:
#   PYTHON  interpreter to make it with (default: the first of python3,
#           python3.12, python3.11, python3.10 that is 3.10 to 3.12)
#   VENV    folder of the environment (default: .venv in the repository)
#
# Running it again is quick while the requirement files are the same. The next
# run repairs one that was interrupted or failed: the stamp that says "complete"
# is removed before the first change and written after the last.
set -euo pipefail
# With it, cd may print the path.
unset CDPATH

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$PWD/$VENV" ;; esac
STAMP="$VENV/mmhierseg-setup.stamp"

fail() {
    echo "setup_env.sh: $*" >&2
    exit 1
}

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
        2>/dev/null
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.12 python3.11 python3.10; do
        if is_supported "$candidate"; then
            command -v "$candidate"
            return
        fi
        # A Python that was named is not replaced by another.
        [ -z "${PYTHON:-}" ] || break
    done
    local found
    found="$("${PYTHON:-python3}" --version 2>/dev/null)" || found="missing"
    fail "Python 3.10, 3.11 or 3.12 is needed, but ${PYTHON:-python3} is" \
        "$found. Name one with PYTHON=/path/to/python3.11"
}

make_venv() {
    if [ -e "$VENV" ] && [ ! -e "$VENV/pyvenv.cfg" ] \
        && [ -n "$(ls -A "$VENV")" ]; then
        fail "$VENV is not a virtual environment. Name another with VENV=..."
    fi
    if [ -x "$VENV/bin/python" ]; then
        if is_supported "$VENV/bin/python" \
            && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
            return
        fi
        echo "The environment in $VENV cannot be used; it is made again."
    fi
    local python
    python="$(find_python)"
    "$python" -m venv --clear "$VENV" || fail "$python could not make a" \
        "virtual environment. On Debian and Ubuntu: apt install python3-venv"
}

# Hash of everything that the environment is made from. The folder is part of
# it, because the installation is editable: it points here.
fingerprint() {
    {
        echo "$ROOT"
        cd "$ROOT"
        cat requirements.txt requirements/*.txt setup.py pyproject.toml \
            mmhierseg/version.py tools/setup_env.sh
    } | "$VENV/bin/python" -c \
        'import hashlib, sys
sys.stdout.write(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

has_ximgproc() {
    "$VENV/bin/python" -c \
        'import cv2; cv2.ximgproc.createSuperpixelSEEDS' 2>/dev/null
}

pip_install() {
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet "$@"
}

make_venv
FINGERPRINT="$(fingerprint)"
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$FINGERPRINT" ]; then
    echo "Environment: $VENV (up to date)"
    exit 0
fi
rm -f "$STAMP"

echo "Installing into $VENV. The first time, PyTorch is most of it."
pip_install -r "$ROOT/requirements.txt"

# A step of its own: requirements/contrib.txt says why. It is written again
# even if pip lists it already, for the step above may have overwritten it.
if ! has_ximgproc; then
    pip_install --no-deps --force-reinstall \
        -r "$ROOT/requirements/contrib.txt"
fi
has_ximgproc || fail "OpenCV has no contrib modules (cv2.ximgproc) although" \
    "they were just installed. Another OpenCV package is in the way:" \
    "$("$VENV/bin/python" -m pip list 2>/dev/null | grep -i opencv | xargs)." \
    "Delete $VENV and run this again."

pip_install --no-deps --no-build-isolation -e "$ROOT"
"$VENV/bin/python" -c 'import mmhierseg' || fail "mmhierseg cannot be imported"

echo "$FINGERPRINT" >"$STAMP"
echo "Environment: $VENV (ready). To use it: source $VENV/bin/activate"
