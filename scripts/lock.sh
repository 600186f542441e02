#!/usr/bin/env bash
# Writes scripts/requirements.lock and scripts/requirements-torch.lock: the development environment of Debian 12 (Python
# 3.11, Linux on x86-64), each package with its version and the sha256 of its files. Run it when pyproject.toml names other
# packages; with --upgrade it takes the newest versions of all of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=$(sed -n 's/^torch_version=//p' scripts/setup.sh)
# Debian's packages, which GDAL's and QGIS's bindings are built against, and what comes with them.
from_debian=(
    numpy scipy matplotlib contourpy cycler fonttools kiwisolver pillow pyparsing python-dateutil six tzdata
)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -qq uv

printf 'torch==%s+cpu\n' "$torch_version" >"$scratch/torch.txt"
# What builds the package itself.
printf 'setuptools>=77\n' >"$scratch/build.txt"
options=(
    --extra torch --extra dev --extra scale --extra docs --constraints scripts/constraints.txt --python-version 3.11
    --python-platform x86_64-manylinux_2_28 --generate-hashes --only-binary :all: --no-annotate --no-header
    --system-certs --quiet
)
# A page of torch's files and nothing else, so that no other package can come from there.
for place in ${PIP_FIND_LINKS:-https://download.pytorch.org/whl/cpu/torch/}; do options+=(--find-links "$place"); done
for package in "${from_debian[@]}"; do options+=(--no-emit-package "$package"); done

header() { printf '# Written by scripts/lock.sh; do not edit. %s\n' "$1"; }

# What is locked already stays where it may.
cat scripts/requirements.lock scripts/requirements-torch.lock 2>/dev/null >"$scratch/lock" || true
"$scratch/venv/bin/uv" pip compile pyproject.toml "$scratch/build.txt" "$scratch/torch.txt" "${options[@]}" "$@" \
    --output-file "$scratch/lock" >/dev/null

awk '/^[^ ]/ { torch = /^torch==/ } torch' "$scratch/lock" >"$scratch/torch.lock"
awk '/^[^ ]/ { torch = /^torch==/ } !torch' "$scratch/lock" >"$scratch/rest.lock"
{ header 'PyTorch for the CPU, which lies on an index of its own.'; cat "$scratch/torch.lock"; } >scripts/requirements-torch.lock
{ header 'All but PyTorch and what Debian brings.'; cat "$scratch/rest.lock"; } >scripts/requirements.lock
grep -c == scripts/requirements.lock scripts/requirements-torch.lock
