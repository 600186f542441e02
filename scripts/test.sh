#!/usr/bin/env bash
# Runs everything that CI runs, from nothing but a clone: set-up, style, types, documentation, tests. Fails if any part fails.
# With --quick: without the tests that need QGIS, a GPU or minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
.venv/bin/python -c 'import torch' || { echo "test: PyTorch is missing, and the tests need it." >&2; exit 1; }

if [[ "${1:-}" == --quick ]]; then
    export PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-} -m 'not qgis and not gpu and not slow'"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export scratch QT_QPA_PLATFORM=offscreen
unset FERD_MODELS

# Each part keeps one core busy most of the time, so two run at once. First the documentation, because tests read what it
# writes, and all tests outside the folders named here; then these, longest first; at the end what is short.
folders=(tests/faults tests/docs tests/engine/scale tests/plugin tests/engine/detectors tests/engine/fen tests/training)
pytest=".venv/bin/python -m pytest -q"
parts=("bash scripts/docs.sh" "$pytest tests ${folders[*]/#/--ignore=}" "${folders[@]/#/$pytest }"
    ".venv/bin/mypy" ".venv/bin/ruff check --output-format concise ." ".venv/bin/ruff format --check .")

run_part() {
    # QGIS with a profile and models of its own, so that nothing of the user's or of another part is read or changed.
    local place status=0 began=$SECONDS
    place=$(mktemp -d -p "$scratch")
    mkdir -m 700 "$place/runtime"
    export QGIS_CUSTOM_CONFIG_PATH=$place/qgis XDG_DATA_HOME=$place/data XDG_RUNTIME_DIR=$place/runtime
    # In one piece, so that the reports of two parts do not mix.
    $1 >"$place/log" 2>&1 || status=$?
    echo "== $1: exit code $status after $((SECONDS - began)) s" >>"$place/log"
    cat "$place/log"
    return "$((status != 0))"
}
export -f run_part

# Every part runs, so that one report names all that is wrong.
printf '%s\n' "${parts[@]}" | xargs -P 2 -I{} bash -c 'run_part "$1"' part {} ||
    { echo "test: failed; the lines that begin with == say which parts." >&2; exit 1; }
