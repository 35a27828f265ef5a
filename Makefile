# Everything a newcomer needs. Each target makes its own environment in .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help setup demo loop test quick lint types check docs bench lock clean

help: ## Show what can be made.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: ## Make the environment in .venv, from pinned packages.
	@.ci/setup

demo: setup ## Run the whole path on a synthetic market and show what each policy earned.
	@$(BIN)/pushwise demo $(ARGS)

loop: setup ## Learn week by week on a synthetic market, and draw what was earned.
	@$(BIN)/pushwise loop $(ARGS)

# One thread a worker: more would only wait for the other workers' (OpenBLAS spins while it does).
test: ## Run all tests.
	@.ci/setup tests
	@echo "test: all tests (the slow ones too), a file at a time on each core"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder \
		$(ARGS)

quick: setup ## Run the tests that take a moment each.
	@$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

lint: setup ## Check style and the order of imports.
	@echo "lint: ruff and import-linter"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache >/tmp/pushwise-imports.$$$$ || { cat /tmp/pushwise-imports.$$$$; exit 1; }

types: setup ## Check types.
	@echo "types: mypy --strict"
	@$(BIN)/mypy

check: lint types test ## All of the above, as CI runs it.

docs: setup ## Write the pages that are made from the code.
	@$(BIN)/python -m features.reference >docs/reference/features.md
	@$(BIN)/python -m serving.telemetry_page >docs/reference/metrics.md
	@$(BIN)/python -m serving.reference openapi >docs/reference/openapi.json
	@$(BIN)/python -m serving.reference problems >docs/reference/problems.md

bench: setup ## Run the benchmarks: one JSON line a figure.
	@for name in $(basename $(notdir $(shell grep -l __main__ benchmarks/*.py))); do \
		$(BIN)/python -m benchmarks.$$name $(ARGS); done

lock: setup ## Resolve the pinned packages anew (needs uv on the path).
	@for role in dev serving postgres spark checks; do \
		uv pip compile pyproject.toml --extra $$role --universal --generate-hashes --upgrade \
			--no-emit-index-url --no-emit-find-links --no-header --no-annotate -q \
			$$([ $$role = dev ] || echo -c requirements/dev.txt) -o requirements/$$role.txt; done
	@echo hatchling | uv pip compile - -c requirements/dev.txt --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements/build.txt

clean: ## Remove the environment and what runs left behind.
	@rm -rf .venv .pushwise-demo .pushwise-loop .mypy_cache .pytest_cache .ruff_cache .hypothesis
