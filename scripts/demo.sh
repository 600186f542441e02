#!/usr/bin/env bash
# The main job on the sample scene: set up, make the scene, detect with FEN and without, evaluate, draw a picture.
# Results are left in demo/ (or in the folder given as the first argument).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --without-qgis
out=${1:-demo}
ferd=.venv/bin/ferd

"$ferd" sample "$out" --overwrite
printf '\nDetecting with the feature enhancement network and global RX:\n'
"$ferd" detect "$out/scene.tif" "$out/score.tif" --overwrite
printf '\nThe same detector on the plain bands, for comparison:\n'
"$ferd" detect "$out/scene.tif" "$out/score_plain.tif" --no-enhance --overwrite
printf '\n'
.venv/bin/python scripts/demo_picture.py "$out"
printf 'What next:             README.md; for QGIS, docs/qgis.md\n'
