.PHONY: setup check test bench docs plugin demo

setup:
	bash scripts/setup.sh

# Quick: no QGIS, no GPU, no network, nothing slow.
check: setup
	bash scripts/test.sh --quick

# Everything that CI runs.
test:
	bash scripts/test.sh

bench:
	bash scripts/bench.sh

# The site, in docs/_build/html; warnings and broken links are errors.
docs:
	bash scripts/docs.sh

# The installable zip, in dist/.
plugin: setup
	.venv/bin/python scripts/build_plugin.py

demo:
	bash scripts/demo.sh
