#!/usr/bin/env bash
# Runs everything that CI runs, from nothing but a clone: set-up, style, types, documentation, tests. Fails if any part fails.
# With --quick: without the tests that need QGIS, a GPU or minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
.venv/bin/python -c 'import torch' || { echo "test: PyTorch is missing, and the tests need it." >&2; exit 1; }

only=()
if [[ "${1:-}" == --quick ]]; then
    only=(-m "not qgis and not gpu and not slow")
fi

# QGIS without a screen, with a profile and models of its own, so that nothing of the user's is read or changed.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export QT_QPA_PLATFORM=offscreen QGIS_CUSTOM_CONFIG_PATH=$scratch/qgis XDG_DATA_HOME=$scratch/data
mkdir -p "$scratch/runtime" && chmod 700 "$scratch/runtime"
export XDG_RUNTIME_DIR=$scratch/runtime
unset FERD_MODELS

# Every part runs, so that one report names all that is wrong; the tests come last. The documentation is built beside the
# types, since each of them keeps one core busy.
failed=0
bash scripts/docs.sh >"$scratch/docs.log" 2>&1 &
docs=$!
.venv/bin/ruff check --output-format concise . || failed=1
.venv/bin/ruff format --check . || failed=1
.venv/bin/mypy || failed=1
wait "$docs" || failed=1
cat "$scratch/docs.log"
.venv/bin/python -m pytest -q "${only[@]}" || failed=1
exit "$failed"
