PYTHON ?= python3
MINUTES ?= 60
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all test-lowest test-highest package check bench fuzz docs site links clean

demo: .venv/installed  ## train the demo, decorrelated and with k-JEM, some three minutes on two cores, and write its report
	$(BIN)/sepclr demo

test: check  ## lint, types, import contract, and the tests that take seconds
	$(BIN)/pytest -n 2 -m "not slow"

test-all: check .venv/site  ## all tests
	$(BIN)/pytest -n 2

test-lowest test-highest: .venv/installed  ## the fast tests with the lowest dependencies that pyproject.toml allows, or the newest
	$(INSTALL) uv
	$(BIN)/uv venv --quiet --clear .venv/$@
	$(BIN)/uv pip compile --quiet --resolution $(if $(filter %-lowest,$@),lowest-direct,highest) pyproject.toml --output-file .venv/$@.txt
	$(BIN)/uv pip install --quiet --python .venv/$@ --constraint .venv/$@.txt --editable '.[test]'
	.venv/$@/bin/pytest -n 2 -m "not slow" -W default

package: .venv/installed  ## build wheel and source, and train from each in an empty environment with nothing but the core
	$(INSTALL) build
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	for each in dist/*; do \
		$(PYTHON) -m venv --clear dist/env && dist/env/bin/pip install --quiet --constraint constraints.txt $$each && \
		dist/env/bin/sepclr fit marked-digits --max-epochs 1 --out dist/run && dist/env/bin/sepclr evaluate dist/run && rm -r dist/run || exit; \
	done

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
	$(BIN)/python speed/certificate.py --picture

site: .venv/site  ## build the site in docs/_build/html, and run the examples: some four minutes on one core; GALLERY=none leaves them out
	$(BIN)/python -m sphinx -W --keep-going -n docs docs/_build/html
	$(BIN)/python -m docs.ext.links docs/_build/html

links: .venv/site  ## check the links of the site to other sites, which needs a network
	$(BIN)/python -m sphinx -b linkcheck docs docs/_build/links

clean:
	rm -rf docs/_build docs/generated .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz dist

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/tested: .venv/installed
	$(INSTALL) --editable '.[test]'
	touch $@

.venv/site: .venv/installed
	$(INSTALL) --editable '.[docs]'
	touch $@
