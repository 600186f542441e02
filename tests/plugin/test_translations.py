"""The German plugin: every text translated, with its placeholders, and nothing else changed by the language."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "ferd_qgis_plugin"
LANGUAGES = sorted(path.stem.partition("_")[2] for path in (PLUGIN / "i18n").glob("ferd_*.ts"))
# What a translation must keep: placeholders, mark-up, links, and words that are typed into a dialog or named elsewhere.
KEPT = re.compile(
    r"\{\w+\}|</?\w+>|\.[a-z]\w*\b(?=[,);.]|$)|\b\w+\.(?:json|safetensors|pt)\b|\b[a-z]\w*:[A-Za-z0-9:.-]*\w|\b\w+_\w+\b"
    r"|\b(?:GeoTIFF|ENVI|PyTorch|NumPy|QGIS|FEN|CUDA|torch|numpy|auto|fusion|slrx|lrx|qlrx|crd|aed|grx|minmax)\b"
)


def source_texts() -> set[str]:
    """Return what the sources give to `translate`, read without Qt's tools."""
    found = set()
    for path in PLUGIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "translate":
                context, text = (ast.literal_eval(argument) for argument in node.args)
                assert context == "FERD"
                found.add(text)
    return found


def messages(language: str) -> dict[str, ET.Element]:
    tree = ET.parse(PLUGIN / "i18n" / f"ferd_{language}.ts")
    assert [name.text for name in tree.iter("name")] == ["FERD"]
    return {message.findtext("source"): message.find("translation") for message in tree.iter("message")}


def test_there_is_a_complete_translation():
    assert "de" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_is_left_over(language):
    found = messages(language)

    assert set(found) == source_texts(), "run scripts/update_translations.sh"
    assert [source for source, entry in found.items() if entry.get("type") or not (entry.text or "").strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_typed_words_agree(language):
    for source, entry in messages(language).items():
        assert sorted(set(KEPT.findall(entry.text))) == sorted(set(KEPT.findall(source))), source


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_end_alike(language):
    for source, entry in messages(language).items():
        assert (source[-1] in ".:") == (entry.text[-1] in ".:"), source


def test_the_comparison_finds_what_it_is_for():
    assert KEPT.findall("{path} of grx: percentile:99.5, max_score in .gpkg.") == [
        "{path}", "grx", "percentile:99.5", "max_score", ".gpkg",
    ]  # fmt: skip


@pytest.mark.qgis
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_file_is_that_of_the_texts(qgis_app, profile, language):
    from qgis.PyQt.QtCore import QCoreApplication, QTranslator

    installed = profile / "profiles" / "default" / "python" / "plugins" / "ferd_qgis_plugin" / "i18n"
    translator = QTranslator()
    assert translator.load(str(installed / f"ferd_{language}.qm"))
    QCoreApplication.installTranslator(translator)
    found = {source: QCoreApplication.translate("FERD", source) for source in messages(language)}
    QCoreApplication.removeTranslator(translator)
    assert found == {source: entry.text for source, entry in messages(language).items()}, (
        "run scripts/update_translations.sh"
    )


def seen_in(profile: Path, locale: str, tmp_path: Path) -> dict:
    """Return what a QGIS of its own in this language sees of the provider, and a word after the plugin is unloaded."""
    config = tmp_path / f"config-{locale}"
    settings = config / "profiles" / "default" / "QGIS"
    settings.mkdir(parents=True)
    settings.joinpath("QGIS3.ini").write_text(f"[locale]\noverrideFlag=true\nuserLocale={locale}\n")
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from qgis.core import QgsApplication\n"
        "from qgis.PyQt.QtCore import QCoreApplication\n"
        "QCoreApplication.setOrganizationName('QGIS'); QCoreApplication.setApplicationName('QGIS3')\n"
        "app = QgsApplication([], False); app.initQgis()\n"
        "assert QgsApplication.locale()[:2] == sys.argv[2][:2], QgsApplication.locale()\n"
        "import ferd_qgis_plugin\n"
        "plugin = ferd_qgis_plugin.classFactory(None); plugin.initProcessing()\n"
        "found = {}\n"
        "for algorithm in QgsApplication.processingRegistry().providerById('ferd').algorithms():\n"
        "    found[algorithm.id()] = {\n"
        "        'fixed': [algorithm.name(), algorithm.groupId(), *((d.name(), str(d.defaultValue()),\n"
        "                  d.options() if d.type() == 'enum' else None) for d in algorithm.parameterDefinitions())],\n"
        "        'words': [algorithm.displayName(), algorithm.group(), algorithm.shortDescription(),\n"
        "                  *(d.description() for d in algorithm.parameterDefinitions())]}\n"
        "plugin.unload()\n"
        "found['after'] = QCoreApplication.translate('FERD', 'Detector')\n"
        "print(json.dumps(found))\n"
    )
    plugins = profile / "profiles" / "default" / "python" / "plugins"
    environment = {**os.environ, "QGIS_CUSTOM_CONFIG_PATH": str(config), "QT_QPA_PLATFORM": "offscreen"}
    arguments = [sys.executable, "-c", code, str(plugins), locale]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.qgis
def test_a_german_qgis_has_german_words_and_the_same_ids(qgis_app, profile, tmp_path):
    german, english, other = (seen_in(profile, locale, tmp_path) for locale in ("de_AT", "en_US", "xx"))
    assert (german.pop("after"), english.pop("after"), other.pop("after")) == ("Detector",) * 3

    assert other == english
    for name, algorithm in english.items():
        assert german[name]["fixed"] == algorithm["fixed"]
        same = [word for word, other in zip(german[name]["words"], algorithm["words"]) if word == other]
        # German for them too.
        assert set(same) <= {"Sensor", "Backend"}
    assert german["ferd:rxanomalydetection"]["words"][0] == "RX-Anomalieerkennung"
    assert german["ferd:scenetopolygons"]["words"][:2] == ["Von der Szene zu Anomaliepolygonen", "Arbeitsabläufe"]
