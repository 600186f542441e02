#!/usr/bin/env bash
# Take the pictures of docs/images: install the zip in a QGIS with a window, on a virtual screen, and run an algorithm there.
# Usage: scripts/screenshots.sh [SCENE] [FOLDER]
#   SCENE   a hyperspectral raster (default: the seeded sample scene), FOLDER where the PNG go (default: docs/images).
# Needs QGIS, Xvfb and ImageMagick; with openbox the windows have frames.
set -euo pipefail
cd "$(dirname "$0")/.."

python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python
for program in qgis Xvfb convert; do
    command -v "$program" >/dev/null || { echo "$program is not there: apt install qgis xvfb imagemagick" >&2; exit 1; }
done

# Not under /tmp: QGIS marks layers there as temporary.
work=$(mktemp -d /var/tmp/ferd-XXXX)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

images=${2:-docs/images}
mkdir -p "$images"
if [ -n "${1:-}" ]; then
    # A copy with the files that may belong to it, because the log shows the path.
    mkdir "$work/scene"
    cp "$1" "${1%.*}".hdr "$1".aux.xml "$work/scene/" 2>/dev/null || true
    FERD_SCENE=$work/scene/$(basename "$1")
else
    "$python" -m ferd_engine sample "$work/sample" >"$work/sample.log"
    FERD_SCENE=$(find "$work/sample" -name '*.tif' -size +200k | sort | sed -n 1p)
fi
FERD_ZIP=$("$python" scripts/build_plugin.py --output "$work" | sed -n 1p)
FERD_IMAGES=$work/shots
mkdir "$FERD_IMAGES" "$work/runtime"
export FERD_SCENE FERD_ZIP FERD_IMAGES
# Shown on the page FERD of the options; nothing is written there.
export XDG_DATA_HOME=/home/analyst/.local/share
export QGIS_CUSTOM_CONFIG_PATH=$work/config XDG_RUNTIME_DIR=$work/runtime QT_QPA_PLATFORM=xcb LANG=C.UTF-8

# Xvfb writes the number of the display it found to be free.
Xvfb -displayfd 3 -screen 0 1440x900x24 -nolisten tcp 3>"$work/display" 2>"$work/xvfb.log" &
pids+=($!)
for _ in $(seq 50); do [ -s "$work/display" ] && break; sleep 0.1; done
DISPLAY=:$(cat "$work/display")
export DISPLAY
if command -v openbox >/dev/null; then
    openbox >"$work/openbox.log" 2>&1 &
    pids+=($!)
fi

timeout 300 qgis --nologo --noversioncheck --code scripts/qgis_screenshots.py >"$work/qgis.log" 2>&1 || {
    status=$?
    tail -n 40 "$work/qgis.log" >&2
    [ -f "$FERD_IMAGES/error.txt" ] && cat "$FERD_IMAGES/error.txt" >&2
    exit "$status"
}
if [ -f "$FERD_IMAGES/error.txt" ]; then cat "$FERD_IMAGES/error.txt" >&2; exit 1; fi
for shot in "$FERD_IMAGES"/*.png; do
    convert "$shot" -strip -dither None -colors 256 -define png:compression-level=9 "$images/$(basename "$shot")"
done
ls -l "$images"/qgis-*.png
cat "$FERD_IMAGES/facts.txt"
