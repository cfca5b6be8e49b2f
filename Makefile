# Two commands do everything on a fresh machine with python3, make and a C compiler:
#   make demo   the shipped FCN-8s over a rendered street, with a summary (no torch needed)
#   make test   the development environment and the tests
# While you work: make check, in under a minute. What CI runs: .ci/run
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# JetPack 6 has Python 3.10, for which several packages stopped at older versions
DEMO_PINS := requirements/demo$(shell $(PYTHON) -c 'import sys; print("-py310" if sys.version_info < (3, 11) else "")').txt
# One process for each core; the last to be busy gives tests away, and tests that share a fixture mostly stay together.
SPREAD := -n auto --dist worksteal
# The libraries that run or train networks; most tests need none of them.
ENGINES := onnx,onnxruntime,openvino,tensorrt,tensorrt_rtx,torch
# Tests that read and write real media, wait for clocks, or read hundreds of damaged files: not while you work.
MEDIA := tests/fuzz $(addprefix tests/runtime/,sinks sources test_changed_sources.py test_gstreamer.py test_picture_watch.py \
	test_pipes.py test_several_sources.py test_source_set.py test_supervised.py test_video_files.py test_webhook.py)
# The Python versions of JetPack 6 and 7, in the names of their targets and environments
TEST_PY := test-py310 test-py312

.PHONY: check clean demo docs format fuzz lint lock test test-py test-slow test-system $(TEST_PY)

demo: $(VENV)/.demo
	$(BIN)/python -m fcn_edge.cli.demo

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest $(SPREAD) -p tests.without --without $(ENGINES) $(addprefix --ignore=,$(MEDIA))

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(SPREAD)

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow --timeout 1800

# Ten thousand damaged inputs for everything that reads files and texts; options such as FUZZ="--seed 1 --parser video."
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz $(FUZZ)

# Servers, other processes and system packages (.ci/packages); what is not there is skipped with a reason. Two at a time
# on any machine: half of the time goes by in waiting, and their cameras, encoders and commands are processes themselves.
test-system: $(VENV)/.dev .venv-stub12/.stub .venv-bare/.bare
	$(BIN)/python -m pytest -m system -n 2 --dist worksteal --timeout 600 -rs

# The tests that need no torch, on the Python versions that JetPack has
test-py: $(TEST_PY)

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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

# $(call python_of,310): the command of Python 3.10, from the path or from pyenv; empty where there is none
version_of = $(patsubst 3%,3.%,$(1))
python_of = $(firstword $(shell \
	for one in python$(version_of) "$$(pyenv prefix $(version_of) 2>/dev/null)/bin/python$(version_of)"; do \
		"$$one" -c '' 2>/dev/null && echo "$$one"; done))

$(TEST_PY): test-py%:
	@if [ -z "$(call python_of,$*)" ]; then \
		echo "Python $(call version_of,$*) is not on this machine: no test was run on it."; \
	else \
		$(MAKE) --no-print-directory .venv-py$*/.test && \
		echo "On Python $(call version_of,$*), without torch:" && \
		.venv-py$*/bin/python -m pytest $(SPREAD) -p no:cacheprovider; \
	fi

.venv-py%/.test: requirements/test-py%.txt pyproject.toml
	$(call python_of,$*) -m venv .venv-py$*
	.venv-py$*/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	.venv-py$*/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --editable .
	touch $@

# NVIDIA's bindings of CUDA 12, which cannot stand beside those of CUDA 13: some system tests run on a driver of the tests
.venv-stub12/.stub: requirements/stub12.txt
	$(PYTHON) -m venv --clear .venv-stub12
	.venv-stub12/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	touch $@

# What a machine with a data center's GPU has, and the wheels that are carried to it (benchmarks/README.md)
.venv-bare/.bare: requirements/bare-gpu.txt requirements/bare-wheels.txt
	@if [ -z "$(call python_of,312)" ]; then \
		echo "Python 3.12 is not on this machine: gpu_check.py is not tested as on a bare machine."; \
	else \
		$(call python_of,312) -m venv --clear .venv-bare && \
		.venv-bare/bin/python -m pip --quiet --disable-pip-version-check install -r requirements/bare-gpu.txt && \
		.venv-bare/bin/python -m pip --quiet --disable-pip-version-check download --no-deps \
			--only-binary=:all: -d .venv-bare/wheels -r requirements/bare-wheels.txt && \
		touch $@; \
	fi

# requirements/*.in name the packages; the .txt files pin everything they bring. A local tag such as torch's +cpu is
# dropped, so that pip may take whichever build of that version it finds. Needs Python 3.10 and 3.12 as well.
LOCK_FLAGS := --quiet --strip-extras --allow-unsafe --no-header --no-annotate --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links
lock: $(VENV)/.dev
	$(BIN)/python -m piptools compile $(LOCK_FLAGS) -o requirements/demo.txt requirements/demo.in
	$(BIN)/python -m piptools compile $(LOCK_FLAGS) -o requirements/dev.txt requirements/dev.in
	sed -i 's/+cpu$$//' requirements/dev.txt
	$(BIN)/python -m piptools compile $(LOCK_FLAGS) -o requirements/stub12.txt requirements/stub12.in
	$(call python_of,310) -m venv --clear .venv-lock && .venv-lock/bin/python -m pip install --quiet pip-tools
	.venv-lock/bin/python -m piptools compile $(LOCK_FLAGS) -o requirements/demo-py310.txt requirements/demo.in
	.venv-lock/bin/python -m piptools compile $(LOCK_FLAGS) -c requirements/demo-py310.txt \
		-o requirements/test-py310.txt requirements/test-py.in
	$(call python_of,312) -m venv --clear .venv-lock && .venv-lock/bin/python -m pip install --quiet pip-tools
	.venv-lock/bin/python -m piptools compile $(LOCK_FLAGS) -c requirements/dev.txt \
		-o requirements/test-py312.txt requirements/test-py.in
	.venv-lock/bin/python -m piptools compile $(LOCK_FLAGS) -o requirements/bare-gpu.txt requirements/bare-gpu.in
	.venv-lock/bin/python -m piptools compile $(LOCK_FLAGS) -c requirements/demo.txt \
		-o requirements/bare-wheels.txt requirements/bare-wheels.in
	sed -i -e '/^#/d' -e '/^$$/d' -e 's/ ;.*//' requirements/*.txt

clean:
	rm -rf $(VENV) .venv-* demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis
