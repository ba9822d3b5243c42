# Two commands matter: `make run` and `make test`. Each does all its own set-up,
# asks nothing, and makes nothing again that is already made.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help install dev servers run test lint faults docs lock clean

RUNS ?= 200  # how many seeded runs `make faults` takes

help: ## Show what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: ## Make .venv with heard in it
	@scripts/install.sh heard

run: install ## Run the demo: broker, services, database, devices and guests in one process
	@$(BIN)/heard up --demo

dev: install
	@scripts/install.sh dev

servers:
	@scripts/servers.sh

test: dev servers ## Check everything: style, types, floors, and the tests on every broker and database
	@scripts/check.sh all

lint: dev ## Check style, types and floors only
	@scripts/check.sh lint

faults: dev servers ## Kill things at random, RUNS=200 seeded times
	@$(BIN)/pytest tests/faults --runs $(RUNS) -n 2 --timeout 1800

docs: dev ## Write the generated tables and diagrams into README.md and docs/
	@$(BIN)/python -m tests.house.generate_docs

lock: ## Lock the dependencies anew, with hashes (needs uv)
	@scripts/lock.sh

clean: ## Remove what was made
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
