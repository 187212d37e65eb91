# Everything runs in .venv, which any target that needs it builds first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PROFILE ?= full
SEED_OFFSET ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo reproduce-report test test-slow test-external test-browser lint check bench bench-quick clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ldl needs Python 3.11 or later; say which with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

demo: $(VENV)/ready ## train configs/denoise.yaml on the embedded digits
	$(BIN)/ldl train configs/denoise.yaml

reproduce-report: $(VENV)/ready ## five reports redone, into runs/report; PROFILE=quick is a smoke run
	$(BIN)/ldl report configs/reports --profile $(PROFILE) --seed-offset $(SEED_OFFSET)

test: $(VENV)/dev ## the tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not external and not browser"

test-slow: $(VENV)/dev ## the tests that take longer, such as twenty kills and resumes
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

test-external: $(VENV)/dev ## the engine and every config against PyTorch and ONNX
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[external]'
	$(BIN)/python -m pytest -n $(WORKERS) -m external tests/external

test-browser: $(VENV)/dev ## the pages in Chromium, which has to be installed with its chromedriver
	@command -v chromedriver >/dev/null || { echo "make test-browser needs Chromium and chromedriver"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	$(BIN)/python -m pytest -m browser tests/report

lint: $(VENV)/dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test ## the gate: ruff, mypy, and the tests, among them the import order

bench: $(VENV)/bench ## speed against PyTorch, JAX and scikit-learn: steps, commands, growth
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.grids

bench-quick: $(VENV)/bench ## the same as a smoke test: few and short rounds, no figures to keep
	$(BIN)/python -m benchmarks.steps --quick
	$(BIN)/python -m benchmarks.commands --quick
	$(BIN)/python -m benchmarks.scaling --quick

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find ldl tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
