"""`python -m ferd_engine` is the `ferd` command."""

from __future__ import annotations

import sys

from .start import main

sys.exit(main())
