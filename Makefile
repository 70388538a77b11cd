# Everything a newcomer needs. Each target does its own set-up; the second time it costs nothing.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench bench-memory chaos screenshots
SHELL := /bin/sh

PORT ?=
DEMO_SECONDS ?=
WORKERS ?= 4
ARGS ?=
PY := .venv/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PORT=8000 and DEMO_SECONDS=60 for demo; WORKERS=4 and ARGS='-k name' for test; PYTHON=/path/to/python3.11 for any"

setup: ## .venv with everything for development, and a browser for the browser tests
	@tools/setup dev
	@tools/setup browser

demo: ## the whole product, in the foreground, with live sandbox traffic
	@export MESHLINE_BEGAN_AT=$$(date +%s); unset PYTHONDONTWRITEBYTECODE; tools/setup base && \
		exec $(PY) manage.py demo $(if $(PORT),--port $(PORT)) $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

test: setup ## every test
	@.venv/bin/pytest -n $(WORKERS) $(ARGS)

check: ## lint, format, types, import contracts, missing migrations, templates, stale generated files
	@tools/setup dev
	@tools/check

bench: ## the benchmarks: engine, door, idling; ratios, and bench/results/*.json
	@tools/setup dev
	$(PY) -m bench all $(ARGS)

bench-memory: ## one worker carries 200,000 events: long; ARGS='--memory-events 20000' for less
	@tools/setup dev
	$(PY) -m bench memory $(ARGS)

chaos: ## the long fault run; exit 1 on any loss, duplicate, disorder or lineage gap
	@tools/setup dev
	$(PY) -m bench.chaos $(ARGS)

screenshots: setup ## the documentation's screenshots
	$(PY) -m tools.screenshots $(ARGS)
