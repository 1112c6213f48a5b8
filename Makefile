# Needs Python 3.11 or newer (with venv), make and a package index. `make PYTHON=python3.12 test` chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
FLOORS := .venv-floors
# Each dependency is used in one of these. The help is laid out otherwise by each typer, which is no fault.
FLOOR_TESTS := tests/config tests/ledger tests/connectors/http tests/connectors/hubspot/test_contract.py \
	tests/connectors/salesforce/test_contract.py tests/sandbox/salesforce/test_salesforce_oauth.py \
	tests/cli/test_golden.py tests/cli/test_exit_codes.py \
	--deselect tests/cli/test_exit_codes.py::test_the_reference_is_what_the_program_says
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test check floors audit truth bench bench-peers clean

help:
	@echo "make demo    the whole loop against a local Salesforce and HubSpot"
	@echo "make test    the tests"
	@echo "make check   lint, format, types, import contracts"
	@echo "make floors  a quick part of the tests with the lowest versions that pyproject.toml allows"
	@echo "make audit   known advisories of what is installed, and of the lowest versions"
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

# Without bytecode of the other environment: the versions differ. One that is broken is not worth mending: it is made anew.
floors: $(FLOORS)/.installed
	@PYTHONDONTWRITEBYTECODE= $(FLOORS)/bin/python -m pytest -m "not slow" -n auto -p no:cacheprovider $(FLOOR_TESTS)

$(FLOORS)/.installed: pyproject.toml refloop_sandbox/pyproject.toml .ci/floors.py
	@rm -rf $(FLOORS)
	@$(PYTHON) -m venv $(FLOORS)
	@$(FLOORS)/bin/python -m pip -qq --disable-pip-version-check install --upgrade 'pip>=25.1'
	@$(FLOORS)/bin/python .ci/floors.py > $(FLOORS)/floors.txt
	@$(FLOORS)/bin/python -m pip -qq --disable-pip-version-check install --constraint $(FLOORS)/floors.txt \
		--editable refloop_sandbox --editable '.[sandbox]' --group test
	@touch $@

# It asks the index and its list of advisories, so no test and no check depends on it.
audit: $(INSTALLED)
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip -qq --disable-pip-version-check install --upgrade pip pip-audit
	@$(BIN)/python -m pip freeze --exclude-editable > .venv-audit/installed.txt
	@$(BIN)/python .ci/floors.py > .venv-audit/floors.txt
	@.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement .venv-audit/installed.txt
	@.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement .venv-audit/floors.txt

truth: $(INSTALLED)
	@$(BIN)/python -m tests.truth $(if $(SEED),--seed $(SEED)) $(if $(SIZE),--size $(SIZE)) $(if $(PACES),--paces $(PACES))

bench: $(INSTALLED)
	@$(BIN)/python benchmarks/matching.py
	@$(BIN)/python benchmarks/ledger.py
	@$(BIN)/python benchmarks/any_size.py --write
	@$(BIN)/python benchmarks/crm.py --write

bench-peers: $(INSTALLED)
	@$(BIN)/python benchmarks/peers.py $(if $(WRITE),--write)

clean:
	@rm -rf .venv .venv-audit .venv-floors .bench-peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
