# Linewatch: what can be asked of this folder. `make help` lists it; every target does its own set-up.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
ARGS ?=

# What numba has compiled is kept here, so that only the first run pays for it.
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
export PYTHONDONTWRITEBYTECODE :=

# The first of these that runs and is Python 3.11 or 3.12 (say PYTHON=/path/to/python to choose another).
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1 \
	&& { command -v "$$p"; break; }; done)

define set_up
	@test -n "$(PYTHON)" || { echo "Linewatch needs Python 3.11 or 3.12: none was found on this machine." \
	"Install one (with its venv module), or say make $@ PYTHON=/path/to/python." >&2; exit 1; }
	@"$(PYTHON)" .ci/set_up.py $(1)
endef

.PHONY: help
help: ## List what can be made
	@echo "make TARGET:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## Run the main job on embedded defaults (ARGS="--seconds 30" passes options on)
	$(call set_up,run)
	@$(BIN)/linewatch demo $(ARGS)

.PHONY: ready
ready: ## Set up .venv for working on Linewatch
	$(call set_up,dev)

.PHONY: test
test: ## Every check: style, types, import ladder, tests
	$(call set_up,dev)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

.PHONY: lint
lint: ## Style, types and import ladder only
	$(call set_up,dev)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: ## Lay out the code as the project does
	$(call set_up,dev)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: ## Measure throughput, latency and state on this machine
	$(call set_up,run)
	@$(BIN)/linewatch bench $(ARGS)

# Pins for every platform and for Python 3.11 and 3.12 at once; setuptools builds Linewatch itself.
LOCK = echo 'setuptools>=80' | $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-config --no-annotate --custom-compile-command 'make lock' \
	$(UPGRADE) pyproject.toml - --output-file

.PHONY: lock
lock: ## Pin every dependency again (UPGRADE=--upgrade takes newer versions)
	$(call set_up,dev)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS sh -c "$(LOCK) requirements.lock"
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS sh -c "$(LOCK) requirements-dev.lock --extra dev --extra postgres"

.PHONY: clean
clean: ## Take away what was made here (not the data)
	rm -rf .venv .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
