#!/usr/bin/env bash
# Builds the documentation into docs/_build/html: every warning is an error, the notebook runs, and every link inside the site
# must lead somewhere. The examples and commands of the pages are run by tests/docs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
python=.venv/bin/python
site=docs/_build/html

# The notebook's kernel asks nothing of the user's own settings.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export IPYTHONDIR=$scratch/ipython JUPYTER_CONFIG_DIR=$scratch/jupyter MPLCONFIGDIR=$scratch/matplotlib
export PYDEVD_DISABLE_FILE_VALIDATION=1
# The kernel listens on this machine only and ends with the build: no warning that others could listen in.
mkdir -p "$IPYTHONDIR/profile_default"
echo 'c.IPKernelApp.log_level = "ERROR"' >"$IPYTHONDIR/profile_default/ipython_kernel_config.py"

$python -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs "$site"
$python scripts/check_site.py "$site"
