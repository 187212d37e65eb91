# Every target runs in .venv; the first one that needs it builds it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PROFILE ?= full
SEED_OFFSET ?= 0
KILLS ?= 60
INJECTIONS ?= 100
MUTATIONS ?= 1000
SEED ?= 0
SAMPLE ?= 100
SEED ?= 0
ROOMS ?= engine train data evaluate grid runs compile execute

.DEFAULT_GOAL := help
.PHONY: help demo reproduce-report test test-slow test-faults test-external test-browser test-mutants lint check bench bench-quick clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ldl needs Python 3.11 or later; set PYTHON to its path")'
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

reproduce-report: $(VENV)/ready ## compare the claims of five reports, in runs/report; PROFILE=faithful, full or quick
	$(BIN)/ldl report configs/reports --profile $(PROFILE) --seed-offset $(SEED_OFFSET)

test: $(VENV)/dev ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not external and not browser"

test-slow: $(VENV)/dev ## run the slow tests, such as twenty kills and resumes
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

test-faults: $(VENV)/dev ## kill, starve and damage runs and grids; KILLS=1000 INJECTIONS=1000 MUTATIONS=10000 SEED=1
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.faults --workers $(WORKERS) \
		--kills $(KILLS) --injections $(INJECTIONS) --mutations $(MUTATIONS) --seed $(SEED)

test-external: $(VENV)/dev ## compare the engine and every config with PyTorch and ONNX
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[external]'
	$(BIN)/python -m pytest -n $(WORKERS) -m external tests/external

test-browser: $(VENV)/dev ## test the pages in Chromium, which must be installed with chromedriver
	@command -v chromedriver >/dev/null || { echo "make test-browser needs Chromium and chromedriver"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	$(BIN)/python -m pytest -m browser tests/report

test-mutants: $(VENV)/dev ## change SAMPLE=100 random tokens of ROOMS, drawn with SEED=0: do tests notice?
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutants]'
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.mutants --sample $(SAMPLE) --seed $(SEED) --rooms $(ROOMS)

lint: $(VENV)/dev ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test ## run ruff, mypy and the tests: what every change must pass

bench: $(VENV)/bench ## measure steps, commands, scaling and grids beside PyTorch, JAX, scikit-learn
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.grids

bench-quick: $(VENV)/bench ## smoke test of the benchmarks: few, short rounds; not for measurements
	$(BIN)/python -m benchmarks.steps --quick
	$(BIN)/python -m benchmarks.commands --quick
	$(BIN)/python -m benchmarks.scaling --quick

clean: ## remove .venv, build files and caches; keep runs
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find ldl tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
