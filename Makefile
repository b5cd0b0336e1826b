# Two commands are all a new user needs: `make up` and `make test`.
PYTHON3 ?= python3
PROJECT ?= sample_project
BIN := .venv/bin
# More than two workers only wait for each other on the two processors tests are made for.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help up down test test-docker test-extras check bench docs screenshots clean setup setup-dev

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

up: setup ## Start the sample lakehouse (first time: install, then materialize everything)
	@./floe up --project $(PROJECT)

down: setup ## Stop what `make up` started; data stay
	@./floe down --project $(PROJECT)

test: setup-dev ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-docker: setup-dev ## Install and start an engine where none answers, build the images, test with containers
	@$(PYTHON3) scripts/test_docker.py

test-extras: setup-dev ## Install Airflow, Prefect, Spark and Snowflake beside .venv, run their tests there
	@$(PYTHON3) scripts/extras.py

check: setup-dev ## Lint, format, types, import rules, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: setup-dev ## Measure against the peers (minutes)
	@$(BIN)/python -m benchmarks.run

docs: setup-dev ## Make the generated reference pages anew
	@$(BIN)/python docs/generate.py

screenshots: setup-dev ## Take the pictures of the dashboard in docs/images, from a stack of their own
	@$(BIN)/python -m docs.screenshots

clean: ## Remove the environment and the caches; projects' data stay
	rm -rf .venv .venv.lock .extras floe .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

setup:
	@$(PYTHON3) scripts/bootstrap.py

setup-dev:
	@$(PYTHON3) scripts/bootstrap.py --dev
