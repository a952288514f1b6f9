# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ORTHANC_WEB := /usr/share/orthanc/plugins/libOrthancDicomWeb.so
DEMO ?= demo
# The demo has an environment of its own: what a user gets, without PyTorch.
DEMO_VENV ?= .venv-demo
DEMO_STAMP := $(DEMO_VENV)/.ready

.PHONY: help lock lock-check demo web test-web test test-slow test-pacs test-archive test-deploy fuzz audit docs figures lint format bench bench-compare release clean

help:
	@echo "make demo            screen a real chest radiograph, see a leg refused"
	@echo "make test            lint, types, tests          make test-slow   the long proofs"
	@echo "make test-pacs       studies through the node and a real PACS (Orthanc) and back"
	@echo "make test-archive    object stores (moto) and a Ray cluster that loses a worker and a node"
	@echo "make fuzz            RUNS=200000 inputs against the reader     make audit   known holes in what is installed"
	@echo "make lint | format   ruff, mypy, wording         make bench       the table of timings"
	@echo "make bench-compare   this tree against REVISION (default: the last release), in turns"
	@echo "make web             build the page (Node.js)    make test-web    the page in a real Chromium"
	@echo "make release         wheel, sdist and page in dist/, checked    make test-deploy   what deploy/ states, run"
	@echo "make docs            the documentation as a site in build/site"
	@echo "make lock            uv.lock from pyproject.toml and constraints.txt    make lock-check   whether it is current"
	@echo "make figures         figures and picture of README, documents and cards from models and benchmarks"

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(DEMO_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo]'
	touch $@

demo: $(DEMO_STAMP)
	$(DEMO_VENV)/bin/python examples/demo.py --out $(DEMO) $(if $(BUNDLE),--bundle $(BUNDLE))

# The site in build/site, after the generated pages are regenerated; a broken link stops it.
docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python .ci/reference.py
	$(BIN)/python -m mkdocs build --strict

# README, documents, cards and picture from what the bundled models and benchmarks/results hold; a test compares them.
figures: $(STAMP)
	$(BIN)/cxrnet reproduce readme

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/words.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Most tests keep one core busy: two processes of one thread each use two. Many start processes of their own, which
# would compile the package anew each time where Python is told not to keep what it compiles.
TEST_JOBS ?= 2
test: lint
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" --numprocesses $(TEST_JOBS) --dist worksteal

test-slow: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,oracle,notebooks,monai]'
	$(BIN)/python -m pytest -m slow

test-archive: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,store]'
	$(BIN)/python -m pytest tests/screening/test_store.py tests/screening/test_ray_backend.py

# A real PACS: Debian's Orthanc with its DICOMweb plugin, and dcmtk as a second sender; both run on loopback only.
test-pacs: $(STAMP)
	@if ! { command -v Orthanc && command -v storescu && test -f $(ORTHANC_WEB); } >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then \
			apt-get update -qq && apt-get install -y -qq orthanc orthanc-dicomweb dcmtk; \
		else \
			echo "needs: sudo apt-get install orthanc orthanc-dicomweb dcmtk" >&2; exit 1; \
		fi; \
	fi
	$(BIN)/python -m pytest -m pacs tests/pacs

# The page, from web/ into the package; what it is built from is pinned in web/package-lock.json.
STATIC := src/cxrnet/web/static
web/node_modules/.ready: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

web: web/node_modules/.ready
	cd web && npm run --silent check && npm run --silent build
	mkdir -p $(STATIC)
	cp web/dist/* $(STATIC)/

test-web: $(STAMP) web
	@if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then \
			apt-get update -qq && apt-get install -y -qq chromium; \
		else \
			echo "needs: sudo apt-get install chromium" >&2; exit 1; \
		fi; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt playwright
	$(BIN)/python -m pytest tests/web

# Guided by coverage, then bits flipped in frames of each codec; what was found is in .fuzz/found.
RUNS ?= 200000
fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python fuzz/reader.py cover --runs $(RUNS)
	$(BIN)/python fuzz/reader.py flip --runs $$(( $(RUNS) / 10 ))
	$(BIN)/python fuzz/data.py masks --runs $$(( $(RUNS) / 10 ))
	$(BIN)/python fuzz/data.py manifests --runs $$(( $(RUNS) / 10 ))

# Needs the network: pip-audit asks PyPI for the advisories of each package. A mirror without advisories answers nothing,
# which --strict calls a failure and not a clean bill. PyTorch's builds are on PyPI without their suffix.
audit: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > $(VENV)/installed.txt
	$(BIN)/python -m pip_audit --requirement $(VENV)/installed.txt --no-deps --disable-pip --strict

# uv.lock: the hash of every file that an installation downloads, at the versions of constraints.txt. Both need a package index.
UV := $(BIN)/uv
$(UV): constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	touch $@

lock: $(UV)
	$(UV) lock --quiet --no-config --default-index https://pypi.org/simple $$(sed -n 's/^\([a-z][^ \#]*\).*/--upgrade-package \1/p' constraints.txt)

lock-check: $(UV)
	$(UV) lock --quiet --no-config --default-index https://pypi.org/simple --check

# Needs Node.js for the page, and a package index.
release:
	PYTHON=$(PYTHON) .ci/release

# The steps of the Dockerfile, and the commands and health checks of compose.yaml, run without a container engine.
test-deploy: $(STAMP)
	$(BIN)/python deploy/check.py

bench: $(STAMP)
	$(BIN)/cxrnet bench $(if $(BUNDLE),--bundle $(BUNDLE))

# Fails where a step takes over 10 % more processor time. RECORD=benchmarks/history.json keeps the table.
bench-compare: $(STAMP)
	$(BIN)/python -m benchmarks.regression $(REVISION) $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(RECORD),--record $(RECORD))

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(DEMO) $(STATIC) web/dist web/node_modules .mypy_cache .pytest_cache .ruff_cache
