#!/usr/bin/env bash
# Bring ferd_qgis_plugin/i18n up to date: new texts of the sources into the .ts files, the .ts files into .qm.
# Usage: scripts/update_translations.sh [LANGUAGE]   with a language (fr, pt_BR) its file is begun.
# New texts are marked unfinished: translate them (Qt Linguist, or any editor), then run this again.
# Needs pylupdate6 (scripts/setup.sh installs it with PyQt6; pylupdate5 does not find texts that run over several lines)
# and lrelease (Debian and Ubuntu: apt install qttools5-dev-tools).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

for program in pylupdate6 lrelease; do
    command -v "$program" >/dev/null || { echo "$program is not there: see the top of this script." >&2; exit 1; }
done

folder=ferd_qgis_plugin/i18n
[ -z "${1:-}" ] || [ -e "$folder/ferd_$1.ts" ] ||
    printf '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n<TS version="2.1" language="%s" sourcelanguage="en" />\n' \
        "$1" >"$folder/ferd_$1.ts"
mapfile -t sources < <(git ls-files 'ferd_qgis_plugin/*.py' | sort)
for ts in "$folder"/ferd_*.ts; do
    pylupdate6 --no-obsolete --no-summary --ts "$ts" "${sources[@]}"
    # Line numbers would change with every edit of the sources.
    sed -i '/<location /d' "$ts"
    lrelease -silent -compress "$ts" -qm "${ts%.ts}.qm"
done
