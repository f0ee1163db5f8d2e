# Two commands matter: `make run` serves Parley, `make test` tests it. Both set up everything they need in ./.venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
READY := .venv/.ready
# What starts a hundred times (a server in each test) is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run dev test check fmt docs proof bench faults deep clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11 or newer; none was found on the PATH."; exit 1; }
	@echo "installing uv into ./.uv"
	@$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv

$(READY): pyproject.toml uv.lock $(filter-out $(shell command -v uv 2>/dev/null),$(UV))
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11 or newer; none was found on the PATH."; exit 1; }
	@echo "setting up ./.venv"
	@UV_PYTHON=$${UV_PYTHON:-$(PYTHON)} UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=$${UV_SYSTEM_CERTS:-true} $(UV) sync --quiet --frozen --all-extras
	@touch $(READY)

run: $(READY) ## serve Parley at http://127.0.0.1:4000 (offline demo until you set a key)
	@$(BIN)/python build_page.py
	@PARLEY_ENV=$${PARLEY_ENV:-development} $(BIN)/parley serve

dev: $(READY) ## the same, with every provider's traffic logged (scrubbed) and provider files reloaded
	@$(BIN)/python build_page.py
	@LOG_LEVEL=debug PARLEY_ENV=$${PARLEY_ENV:-development} $(BIN)/parley serve --dev

test: $(READY) ## all tests; no key, no service, no network needed
	@$(BIN)/python build_page.py --test
	@$(BIN)/pytest -n 4 --no-loadscope-reorder

check: $(READY) ## style, types, architecture, and whether generated docs are current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make fmt'"; exit 1; }
	@$(BIN)/pyright --warnings
	@$(BIN)/lint-imports
	@$(BIN)/python -m parley.testing.proof --check
	@$(BIN)/python docs/generate.py --check

fmt: $(READY) ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

docs: $(READY) ## write docs/reference, docs/providers, .env.example and the page's types from the code
	@$(BIN)/python docs/generate.py
	@$(BIN)/python build_page.py --types

proof: $(READY) ## prove from recordings what each provider can (PARLEY_RECORDINGS names their folder)
	@$(BIN)/python -m parley.testing.proof

bench: $(READY) ## calls/s, stream events/s, memory per stream, start-up times
	@$(BIN)/python bench/run.py

faults: $(READY) ## sixteen faults of providers in three modes, through a route: who answers, and how
	@$(BIN)/python -m tests.integration.route_wall

deep: $(READY) ## the long forms: wide fuzzing, and ten million events with flat memory
	@$(BIN)/pytest --hypothesis-profile=deep --timeout=0
	@$(BIN)/python bench/soak.py

clean: ## remove what was built (never data, configuration or keys)
	rm -rf .venv .uv dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests bench examples docs -name __pycache__ -type d -prune -exec rm -rf {} +
