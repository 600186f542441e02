#!/usr/bin/env bash
# Runs the benchmarks side by side with their peers and prints their tables.
# With --streaming also those from file to file, which take 18 GB of disk in a temporary folder (TMPDIR): 8.4 GB of rasters,
# and 9.6 GB for the enhanced cube of the longest run.
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
