#!/usr/bin/env bash
# Set the environment up and run the tests:
#
#     bash tools/run_tests.sh [--all] [pytest arguments]
#
# By default the fast tests run, which take a few minutes; --all adds those
# marked `slow`, and so does --cov, which measures the coverage. For instance
# -m slow, --durations 20, or one test file. The tests are divided among as
# many processes as there are cores, at most four; -n 0 runs them in one.
# PYTHON and VENV are those of tools/setup_env.sh. The exit status is pytest's.
set -euo pipefail
# With it, cd may print the path.
unset CDPATH

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$PWD/$VENV" ;; esac

TIER=(-m 'not slow')
ARGUMENTS=()
for argument in "$@"; do
    case "$argument" in
    --all) TIER=() ; continue ;;
    # The floor of the coverage holds for all tests.
    --cov | --cov=*) TIER=() ;;
    esac
    ARGUMENTS+=("$argument")
done

VENV="$VENV" bash "$ROOT/tools/setup_env.sh"
cd "$ROOT"
exec "$VENV/bin/python" -m pytest \
    --numprocesses auto --maxprocesses 4 --dist worksteal \
    ${TIER[@]+"${TIER[@]}"} ${ARGUMENTS[@]+"${ARGUMENTS[@]}"}
