"""What QGIS sees of the provider. The golden file is frozen: the models and scripts of users rely on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.qgis

GOLDEN = Path(__file__).with_name("golden_provider.json")


def described(provider) -> dict:
    from qgis.core import QgsProcessingParameterDefinition

    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional

    def parameter(definition) -> dict:
        entry = {
            "type": definition.type(),
            "default": definition.defaultValue(),
            "optional": bool(definition.flags() & optional),
            "advanced": bool(definition.flags() & advanced),
        }
        if definition.type() == "enum":
            entry["options"] = definition.options()
            entry["static_strings"] = definition.usesStaticStrings()
        return entry

    return {
        algorithm.id(): {
            "group": algorithm.groupId(),
            "parameters": {d.name(): parameter(d) for d in algorithm.parameterDefinitions()},
            "outputs": {d.name(): d.type() for d in algorithm.outputDefinitions()},
        }
        for algorithm in provider.algorithms()
    }


def algorithms(provider) -> list:
    """Return the algorithms that are no models; a model's help is put together by QGIS."""
    from qgis.core import QgsProcessingModelAlgorithm

    return [entry for entry in provider.algorithms() if not isinstance(entry, QgsProcessingModelAlgorithm)]


def test_ids_and_parameters_are_the_frozen_ones(provider):
    assert described(provider) == json.loads(GOLDEN.read_text())


def test_the_plugin_under_test_is_the_installed_zip(part, profile):
    engine = part("engine").engine()

    assert Path(part("provider").__file__).is_relative_to(profile)
    assert Path(engine.__file__).is_relative_to(profile)


def test_every_algorithm_says_what_it_is(provider):
    for algorithm in provider.algorithms():
        assert re.fullmatch(r"[a-z]+", algorithm.name())
        assert algorithm.displayName()
        assert algorithm.group()
        assert algorithm.shortDescription().endswith(".")
        assert algorithm.helpUrl().startswith("https://")
        assert len(algorithm.tags()) >= 5
        assert algorithm.canExecute() == (True, "")


def test_every_parameter_has_a_label_and_a_help_text(provider):
    for algorithm in algorithms(provider):
        shown = algorithm.shortHelpString()
        for definition in algorithm.parameterDefinitions():
            assert re.fullmatch(r"[A-Z_]+", definition.name())
            assert definition.description()
            assert len(definition.help()) > 30, definition.name()
            assert definition.help() in shown
            assert f"<b>{definition.description()}</b>" in shown


def test_help_texts_belong_to_parameters(provider):
    for algorithm in algorithms(provider):
        names = [definition.name() for definition in algorithm.parameterDefinitions()]
        assert list(algorithm.help().parameters) == names


def test_icons_are_drawn(provider):
    from qgis.PyQt.QtSvg import QSvgRenderer

    paths = {entry.svgIconPath() for entry in [provider, *provider.algorithms()]}

    assert len(paths) == 1 + len(provider.algorithms())
    for path in paths:
        assert QSvgRenderer(path).isValid(), path


def test_choices_are_the_engines(part):
    choices, options = part("choices"), part("engine").engine("options")

    assert tuple(part("engine").engine("detectors").DETECTORS) == choices.DETECTORS
    assert options.parse_memory(f"{choices.MIN_MEMORY_MIB}MiB") == choices.MIN_MEMORY_MIB << 20
    with pytest.raises(ValueError, match="at least 64MiB"):
        options.parse_memory(f"{choices.MIN_MEMORY_MIB - 1}MiB")


def test_loading_the_provider_is_cheap_and_imports_no_numpy(profile, qgis_app):
    """At most 100 ms of QGIS's start; processor time, so that a busy machine does not count."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from qgis.core import QgsApplication\n"
        "app = QgsApplication([], False); app.initQgis()\n"
        "before, started = set(sys.modules), time.process_time()\n"
        "import ferd_qgis_plugin\n"
        "ferd_qgis_plugin.classFactory(None).initProcessing()\n"
        "seconds, new = time.process_time() - started, set(sys.modules) - before\n"
        "print(seconds)\n"
        "print(sorted(n for n in new if n.split('.')[0] in ('numpy', 'scipy', 'osgeo')))\n"
    )
    plugins = profile / "profiles" / "default" / "python" / "plugins"
    done = subprocess.run([sys.executable, "-c", code, str(plugins)], capture_output=True, text=True, check=True)

    seconds, modules = done.stdout.strip().splitlines()[-2:]
    assert modules == "[]"
    assert float(seconds) < 0.1


def test_a_missing_package_is_named(provider, part, monkeypatch):
    monkeypatch.setattr(part("algorithms.algorithm"), "missing_packages", lambda: ["scipy"])

    fits, reason = provider.algorithm("fenenhance").canExecute()

    assert not fits
    assert "scipy" in reason


def test_unloading_takes_the_provider_away(plugin):
    from qgis.core import QgsApplication

    plugin.unload()
    assert QgsApplication.processingRegistry().providerById("ferd") is None
    plugin.initGui()
    assert QgsApplication.processingRegistry().algorithmById("ferd:fenenhance") is not None
