# Needs Python 3.11 or newer (with venv), make and a package index. `make PYTHON=python3.12 test` chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test check truth bench bench-peers clean

help:
	@echo "make demo    the whole loop against a local Salesforce and HubSpot"
	@echo "make test    the tests"
	@echo "make check   lint, format, types, import contracts"
	@echo "make truth   how far refloop is from a truth that is known; SEED=3 SIZE=0.2 PACES=60,1 for another world"
	@echo "make bench   the benchmarks"
	@echo "make bench-peers   refloop beside other pull tools, which it installs apart; WRITE=1 keeps the table"
	@echo "make clean   remove all that make made"

install: $(INSTALLED)

# pip reads the dependency groups of pyproject.toml from 25.1 on.
$(INSTALLED): pyproject.toml refloop_sandbox/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "refloop needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable refloop_sandbox --editable '.[sandbox]' --group dev
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/refloop demo

# The tests start many interpreters: bytecode is kept for them, also where the machine says not to. `make clean` removes it.
test: $(INSTALLED)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" -n auto

check: $(INSTALLED)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

truth: $(INSTALLED)
	@$(BIN)/python -m tests.truth $(if $(SEED),--seed $(SEED)) $(if $(SIZE),--size $(SIZE)) $(if $(PACES),--paces $(PACES))

bench: $(INSTALLED)
	@$(BIN)/python benchmarks/matching.py
	@$(BIN)/python benchmarks/ledger.py
	@$(BIN)/python benchmarks/crm.py --write

bench-peers: $(INSTALLED)
	@$(BIN)/python benchmarks/peers.py $(if $(WRITE),--write)

clean:
	@rm -rf .venv .bench-peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
