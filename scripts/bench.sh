#!/usr/bin/env bash
# Runs the benchmarks side by side with their peers and prints their tables. Takes a quarter of an hour on two cores and,
# with --streaming, 4 GB of disk in a temporary folder (TMPDIR).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
python=.venv/bin/python

$python benchmarks/fen.py
$python benchmarks/rx.py
$python benchmarks/qgis_start.py
if [[ "${1:-}" == --streaming ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    $python benchmarks/streaming.py "$folder" --long
fi
