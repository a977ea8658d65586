PYTHON ?= python3
MINUTES ?= 60
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check bench fuzz docs clean

demo: .venv/installed  ## train the demo, decorrelated and with k-JEM, some three minutes on two cores, and write its report
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

bench: .venv/installed  ## speed and memory of losses and steps, truth of the losses; half an hour on an idle machine
	$(BIN)/python speed/losses.py
	$(BIN)/python speed/mutual_information.py
	$(BIN)/python speed/critic_gradients.py
	$(BIN)/python speed/step.py
	$(BIN)/python speed/volumes.py
	$(BIN)/python speed/decoder.py

fuzz: .venv/tested  ## change valid files at random and read them: for an hour, or make fuzz MINUTES=5; guided if atheris is installed
	$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES)

docs: .venv/installed  ## write the numbers of results/ into README and docs
	$(BIN)/python -m sepclr.tables.pages results README.md docs/*.md
	$(BIN)/python speed/objective_picture.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz dist

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/tested: .venv/installed
	$(INSTALL) --editable '.[test]'
	touch $@
