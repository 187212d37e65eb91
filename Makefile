# Everything runs in .venv, which any target that needs it builds first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-external lint check bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

test: $(VENV)/dev ## the tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not external"

test-slow: $(VENV)/dev ## the tests that take longer, such as twenty kills and resumes
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

test-external: $(VENV)/dev ## the layers, losses and optimizers against PyTorch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[external]'
	$(BIN)/python -m pytest -n $(WORKERS) -m external tests/external

lint: $(VENV)/dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test ## the gate: ruff, mypy, and the tests, among them the import order

bench: $(VENV)/bench ## speed against PyTorch and a step planned by hand
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.networks
	$(BIN)/python -m benchmarks.command

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find ldl tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
