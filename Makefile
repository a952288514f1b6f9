# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo
# The demo has an environment of its own: what a user gets, without PyTorch.
LIGHT ?= .venv-demo
LIGHT_READY := $(LIGHT)/.ready

.PHONY: help demo test test-slow lint format bench clean

help:
	@echo "make demo            screen a real chest radiograph, see a leg refused"
	@echo "make test            lint, types, tests          make test-slow   the long proofs"
	@echo "make lint | format   ruff and mypy               make bench       the table of timings"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(LIGHT_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo]'
	touch $@

demo: $(LIGHT_READY)
	$(LIGHT)/bin/python examples/demo.py --out $(DEMO) $(if $(BUNDLE),--bundle $(BUNDLE))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,oracle]'
	$(BIN)/python -m pytest -m slow

bench: $(READY)
	$(BIN)/python benchmarks/stages.py $(if $(BUNDLE),--bundle $(BUNDLE))

clean:
	rm -rf $(VENV) $(LIGHT) $(DEMO) .mypy_cache .pytest_cache .ruff_cache
