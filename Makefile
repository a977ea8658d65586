PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check tables clean

demo: .venv/installed  ## train the demo twice, some three minutes each, and write its report
	$(BIN)/sepclr demo

test: check  ## lint, types, import contract, and the tests that take seconds
	$(BIN)/pytest -n 2 -m "not slow"

test-all: check  ## all tests
	$(BIN)/pytest -n 2

check: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

tables: .venv/installed  ## write the numbers of results/ into the README
	$(BIN)/python -m sepclr.reports.tables README.md results

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/tested: .venv/installed
	$(INSTALL) --editable '.[test]'
	touch $@
