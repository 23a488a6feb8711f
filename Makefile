# Every target sets up its environment from a lock file with hashes (tools/setup_venv).
# Requirements: make, and Python 3.11, 3.12 or 3.13 (or uv).
#
# Variables: GPU=1      CUDA in an environment of its own (Linux)
#            PYTHON=... the Python to use, instead of the first that works
#            VENV=...   the directory of the environment
#            ARGS=...   more arguments for the command, e.g. make test ARGS="-k export"
.DEFAULT_GOAL := help
SHELL := /bin/sh

ifeq ($(GPU),1)
VENV ?= .venv-gpu
LOCK := requirements-gpu.lock
else
VENV ?= .venv
LOCK := requirements.lock
endif
BIN := "$(VENV)"/bin

ifdef PYTHON
export PYTHON
endif

.PHONY: help demo test docs lint types lock setup clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@sed -n 's/^# \(Variables:\)/  \1/p; s/^#  \( *[A-Z]*=\)/   \1/p' Makefile

demo: setup ## Classify, fine-tune, export and query the export, in about a minute
	@$(BIN)/keras-fm demo $(ARGS)

test: setup ## Run the tests that need no downloads
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

docs: ## Build the documentation in docs/_build/html, a warning is an error
	@tools/setup_venv "$(VENV)" $(LOCK) requirements-docs.lock
	@$(BIN)/python -m sphinx -W --keep-going -q -E -d docs/_build/doctrees docs docs/_build/html $(ARGS)
	@echo "docs/_build/html/index.html"

lint: setup ## Check style and format with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## Check the types of keras_fm/ with mypy
	@$(BIN)/mypy

setup: ## Create or update the environment alone
	@tools/setup_venv "$(VENV)" $(LOCK)

lock: ## Update the lock files (UPGRADE=1: to the newest versions)
	@UPGRADE="$(UPGRADE)" tools/lock

clean: ## Remove caches and build artifacts (not runs, exports or .venv)
	@rm -rf build dist docs/_build docs/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find keras_fm zoo tests tools -name __pycache__ -prune -exec rm -rf {} +
