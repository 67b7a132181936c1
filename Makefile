# Everything here is one command each; the work is in deploy/*.py. Settings are environment variables: docs/configuration.md.
SHELL := /bin/sh
SYSTEM_PYTHON := /usr/bin/python3
export PLAYGROUND_STATE ?= /var/lib/playground
TOOLS ?= $(PLAYGROUND_STATE)/venv/bin
PYTHON := $(TOOLS)/python

.DEFAULT_GOAL := help
.PHONY: help run setup test lint bench audit doctor clean lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Set up what is missing, start the site, print its address; Ctrl-C stops it (root)
	@exec $(PYTHON) -m deploy.run

setup: ## Install, build and prepare everything, start nothing (root)
	@$(SYSTEM_PYTHON) -m deploy.setup

test: ## Linters, unit tests, tests against the real kernel, browser tests (root)
	@$(SYSTEM_PYTHON) -m deploy.proof

lint: ## ruff, mypy, import-linter, djlint, TypeScript; TOOLS=DIR names another environment's bin/
	$(TOOLS)/ruff check .
	$(TOOLS)/ruff format --check .
	$(TOOLS)/mypy .
	$(TOOLS)/lint-imports
	$(TOOLS)/djlint --quiet --lint lessons engine
	cd frontend && npm run --silent check

bench: ## Measure start times, memory and the terminal's speed on this machine (root)
	@exec $(PYTHON) -m tests.bench

audit: ## Django's deployment checks, secrets in the tree, known vulnerabilities in what we depend on (the last two ask PyPI and npm)
	PLAYGROUND_BEHIND_TLS=true $(PYTHON) manage.py check --deploy --fail-level WARNING
	$(PYTHON) -m deploy.leaks
	$(TOOLS)/pip-audit --strict --disable-pip --require-hashes -r requirements.txt
	cd frontend && npm audit --omit=dev

doctor: ## Look whether this machine can run sandboxes (root)
	@$(PYTHON) manage.py doctor

clean: ## Stop the site and delete its state and what was built; needs CONFIRM=1 (root)
	@$(SYSTEM_PYTHON) -m deploy.clean

lock: ## Resolve requirements*.in into hash-locked requirements*.txt
	for name in requirements requirements-dev requirements-node; do \
		$(TOOLS)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 $$name.in -o $$name.txt || exit 1; \
	done
