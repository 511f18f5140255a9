# make demo | make test | make check | make test-all    (each does all the set-up it needs)
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PHOTO := edge_sdk/data/photos/smear-1.jpg
PYTHONS := 3.10 3.11 3.12 3.13

.PHONY: help env demo micropython test test-all check lint types layers docs plans clean

help:  ## what can be made here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

env: $(VENV)/.run  ## an environment with the SDK installed

$(VENV)/.run: setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not there; say PYTHON=/path/to/python3.10 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $(PYTHON) is older than 3.10; say PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) install -q -e .[test]
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install -q -e .[lint]
	@touch $@

demo: $(VENV)/.run  ## answer a question about a blood film and mark every counted cell in demo.png
	$(BIN)/edge ask $(PHOTO) "How many white blood cells are there?"
	$(BIN)/edge ask $(PHOTO) "Are there more red cells or more platelets?"
	$(BIN)/edge count $(PHOTO) --overlay build/demo
	@echo "Every counted cell is marked in build/demo/$(notdir $(PHOTO:.jpg=.png))"

micropython: $(VENV)/.test  ## have a MicroPython for the tests, where there is none
	@$(BIN)/python tests/micropython/install.py

test: $(VENV)/.test micropython  ## run the tests
	$(BIN)/python -m pytest -q

check: $(VENV)/.lint lint types layers micropython  ## tests, format, lint, types and layers: what CI runs
	$(BIN)/python -m pytest -q

lint: $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.lint
	$(BIN)/mypy

layers: $(VENV)/.lint
	$(BIN)/lint-imports

test-all:  ## run the tests on every Python from 3.10 to 3.13 that is installed
	@set -e; for v in $(PYTHONS); do p=; \
	  for c in python$$v $$HOME/.pyenv/versions/$$v.*/bin/python; do $$c -c pass 2>/dev/null && p=$$c && break; done; \
	  if [ -z "$$p" ]; then echo "Python $$v is not installed: left out"; continue; fi; \
	  echo "== Python $$v ($$p)"; $(MAKE) test PYTHON=$$p VENV=.venv-$$v; \
	done

docs: $(VENV)/.run  ## write the references of commands, boards and checks anew
	$(BIN)/python -m edge_sdk.cli.reference > docs/reference/cli.md
	$(BIN)/python -m boards.reference > docs/reference/boards.md
	$(BIN)/python -m edge_sdk.doctor.reference > docs/reference/doctor.md

plans: $(VENV)/.run  ## write the page of plans anew, for smear and the bundles in build/bundles
	@mkdir -p build
	$(BIN)/python -m edge_sdk.memory.reference smear $(sort $(wildcard build/bundles/*m.litertlm)) > build/board-plans.md
	mv build/board-plans.md docs/reference/board-plans.md

clean:  ## remove what was made
	rm -rf .venv .venv-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
