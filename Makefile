# make run     a node on http://127.0.0.1:5920      make run ARGS="--port 5921"
#              (on SQLite, unless GOCRON_DB_ENGINE or conf/app.ini says otherwise)
# make test    all tests, real database servers     make test ARGS="-k election -x"
# make lint    ruff, mypy, import-linter            make format
# make lock    pin the image's dependencies anew

PYTHON ?= python3
ARGS ?=
# Tests mostly wait, for processes and servers: more of them at a time than there are cores.
WORKERS ?= 3
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
# Every process would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CHECKED := $(wildcard gocron admin migrations tests benchmarks)

.DEFAULT_GOAL := help
.PHONY: help run test test-servers lint format lock clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# A node that has not been told its database opens the install wizard; not this one.
run: $(VENV)/installed
	@grep -Eqs '^ *db\.' "$${GOCRON_HOME:-.gocron}/conf/app.ini" || \
	export GOCRON_DB_ENGINE="$${GOCRON_DB_ENGINE:-sqlite}"; \
	exec $(BIN)/gocron web --port 5920 $(ARGS)

test: $(VENV)/installed-dev test-servers
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

test-servers:
	@scripts/install-test-servers.sh

# Every check runs, also after one that failed; make fails at the end if one did.
lint: $(VENV)/installed-dev
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy --strict $(CHECKED) || status=1; \
	$(BIN)/lint-imports || status=1; \
	exit $$status

format: $(VENV)/installed-dev
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(VENV)/installed
	@scripts/lock-requirements.sh $(ARGS)

clean:
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Stamps: pip is only asked again when the dependencies may have changed.
$(VENV)/created: scripts/make-venv.sh
	@scripts/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml setup.py
	@echo "Installing gocron into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP) install --editable '.[dev]'
	@touch $@
