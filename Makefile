# Two commands do everything on a fresh machine with python3, make and a C compiler:
#   make demo   the shipped FCN-8s over a rendered street, with a summary (no torch needed)
#   make test   the development environment and the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# JetPack 6 has Python 3.10, for which several packages stopped at older versions
DEMO_PINS := requirements/demo$(shell $(PYTHON) -c 'import sys; print("-py310" if sys.version_info < (3, 11) else "")').txt

.PHONY: demo test test-slow lint format lock clean

demo: $(VENV)/.demo
	$(BIN)/python -m fcn_edge.cli.demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow --timeout 1800

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The stamps say what is installed; a changed lock file installs again.
$(VENV)/.demo: $(DEMO_PINS) pyproject.toml | $(BIN)/python
	$(PIP) install -r $(DEMO_PINS)
	$(PIP) install --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install -r requirements/dev.txt
	$(PIP) install --no-deps --editable .
	touch $@ $(VENV)/.demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian, Ubuntu and JetPack: apt-get install python3-venv"; exit 1; }

# requirements/*.in name the packages; the .txt files pin everything they bring. A local tag such as torch's +cpu is
# dropped, so that pip may take whichever build of that version it finds. Needs python3.10 with pip-tools as well.
LOCK_FLAGS := --quiet --strip-extras --allow-unsafe --no-header --no-annotate --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links
lock: $(VENV)/.dev
	$(BIN)/python -m piptools compile $(LOCK_FLAGS) -o requirements/demo.txt requirements/demo.in
	$(BIN)/python -m piptools compile $(LOCK_FLAGS) -o requirements/dev.txt requirements/dev.in
	sed -i 's/+cpu$$//' requirements/dev.txt
	python3.10 -m piptools compile $(LOCK_FLAGS) -o requirements/demo-py310.txt requirements/demo.in

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
