#!/usr/bin/env bash
# Makes .venv ready to run everything: Debian's QGIS and GDAL, this package, PyTorch for the CPU, the development tools.
# Quick when nothing changed. The other scripts call it, so it need not be called by hand.
# With --without-qgis: without Debian's QGIS and what its tests need, for the command and Python alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

# Numpy's and scipy's BLAS is the reference one (ten times slower) unless OpenBLAS is there.
debian_packages=(python3-venv python3-numpy python3-scipy python3-gdal python3-matplotlib libopenblas0-pthread)
# For the tests of the plugin; the last three for those with a window: a screen, a program for its pictures, frames.
qgis_packages=(qgis python3-qgis qgis-providers xvfb imagemagick openbox)
[[ "${1:-}" == --without-qgis ]] || debian_packages+=("${qgis_packages[@]}")
torch_version=2.13.0
lock=scripts/requirements.lock
torch_lock=scripts/requirements-torch.lock
stamp=.venv/.setup-stamp
system_python=/usr/bin/python3

install_debian_packages() {
    local missing=() package
    for package in "${debian_packages[@]}"; do
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || { say "needs root to install ${missing[*]}: run as root or install them yourself."; exit 1; }
        as_root=(sudo)
    fi
    say "installing with apt, which takes a minute or more: ${missing[*]}"
    local log
    log=$(mktemp)
    # What apt says helps only when it fails.
    { "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; say "apt could not install ${missing[*]}."; exit 1; }
    rm -f "$log"
}

# The lock is for the Python and the system that CI has; elsewhere pip chooses within pyproject.toml's bounds, and leaves
# the system's NumPy in its place, which GDAL's and QGIS's bindings are compiled against.
has_lock() {
    [[ "$("$system_python" -c 'import platform, sys; print(*sys.version_info[:2], sys.platform, platform.machine())')" == \
        "3 11 linux x86_64" ]]
}

# Runs a pip command that installs PyTorch for the CPU: from PyTorch's own index, unless pip is configured to find it elsewhere.
try_torch() {
    local log
    log=$(mktemp)
    "$@" 2>"$log" || "$@" --extra-index-url https://download.pytorch.org/whl/cpu 2>"$log" || {
        say "PyTorch for the CPU could not be installed; FERD runs on NumPy without it, but the tests need it."
        say "pip's reason: $(sed -n 's/^ERROR: //p' "$log" | head -n 1)"
        rm -f "$log"
        return 1
    }
    rm -f "$log"
}

# Only files whose sha256 is in the lock are taken, and no package's own set-up code is run.
install_locked() {
    local pip=(.venv/bin/pip install -qq --require-hashes --only-binary :all:)
    "${pip[@]}" -r "$lock"
    try_torch "${pip[@]}" --no-deps -r "$torch_lock" || true
    .venv/bin/pip install -qq --no-deps --no-build-isolation -e .
}

numpy_version() { "$system_python" -c 'import numpy; print(numpy.__version__)'; }

install_unlocked() {
    install_torch
    local extras=scale,dev,docs
    .venv/bin/python -c 'import torch' 2>/dev/null && extras=torch,scale,dev,docs
    .venv/bin/pip install -qq -e ".[$extras]" "numpy==$(numpy_version)"
}

# PyPI's torch for Linux brings gigabytes of CUDA. The version with the local label "+cpu" can only be a CPU build, so this
# never takes the other one.
install_torch() {
    if .venv/bin/python -c 'import torch' 2>/dev/null; then
        return 0
    fi
    try_torch .venv/bin/pip install -qq --only-binary torch "torch==${torch_version}+cpu" "numpy==$(numpy_version)" || return 0
    .venv/bin/python -c 'import torch; raise SystemExit(torch.version.cuda is not None)' ||
        say "warning: this PyTorch is a CUDA build, which was not asked for."
}

if command -v apt-get >/dev/null; then
    install_debian_packages
else
    say "not a Debian system: Python 3.9 or later with NumPy, SciPy and GDAL's bindings must be there (QGIS for its tests)."
    system_python=$(command -v python3)
fi

wanted=$({ cat pyproject.toml "$lock" "$torch_lock" scripts/setup.sh; pwd; "$system_python" -VV; } | sha256sum | cut -d' ' -f1)
if [[ -f $stamp && "$(cat "$stamp")" == "$wanted" ]]; then
    exit 0
fi

say "making .venv, which takes about a minute ($("$system_python" --version), with the system's GDAL)"
[[ -x .venv/bin/python ]] || "$system_python" -m venv --system-site-packages .venv
if has_lock; then install_locked; else install_unlocked; fi
.venv/bin/python -c 'import numpy, scipy; from osgeo import gdal' ||
    { say "GDAL's Python bindings do not load in .venv: install them (Debian: python3-gdal) and run this again."; exit 1; }
echo "$wanted" >"$stamp"
say "done"
