#!/usr/bin/env bash
# Set the environment up and run the tests:
#
#     bash tools/run_tests.sh [pytest arguments]
#
# For instance -m "not slow", --cov, or one test file. The tests are divided
# among as many processes as there are cores, at most four; -n 0 runs them in
# one. PYTHON and VENV are those of tools/setup_env.sh. The exit status is
# pytest's.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$PWD/$VENV" ;; esac

VENV="$VENV" bash "$ROOT/tools/setup_env.sh"
cd "$ROOT"
exec "$VENV/bin/python" -m pytest \
    --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
