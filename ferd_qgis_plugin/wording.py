"""The engine's sentences in the words of the dialogs: it names options of the command `ferd`, which no dialog has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate

_OPTION = re.compile(r"--([a-z][a-z-]*)")
_COMMAND = "`ferd models import`"
# Where the option is not the parameter's name in small letters.
_PARAMETERS = {"overwrite": "REPLACE"}


def in_dialog_words(sentence: str, labels: Mapping[str, str]) -> str:
    """Return a sentence with the dialog's words in place of the command's options.

    labels : the dialog's words for its parameters, by name. An option that the dialog does not have stays as it is.
    """

    def label(match: re.Match[str]) -> str:
        option = match[1]
        off = option.startswith("no-")
        name = option[3:] if off else option
        words = labels.get(_PARAMETERS.get(name, name.upper().replace("-", "_")))
        if words is None:
            return match[0]
        # What stands in brackets is an example or a unit.
        quoted = f"'{words.partition(' (')[0]}'"
        return translate("FERD", "{label} switched off").format(label=quoted) if off else quoted

    command = f"'{translate('FERD', 'Import FEN Model')}'"
    return _OPTION.sub(label, sentence).replace(_COMMAND, command)
