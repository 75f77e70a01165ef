# Each target is a thin line over one script or tool; `make` alone lists them.
BIN := .venv/bin
STACK := $(BIN)/python -m local
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --excludes local/excludes.txt --custom-compile-command "make requirements"
ARGS ?=
# Processes of the tests; each has servers of its own. On two cores three take as long as two, and 15 % more CPU. 0: one, in which
# a debugger can stop. What takes longest is first (tests/conftest.py).
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*/\1/p' Makefile)

help:
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5)} /^[a-z0-9-]+:.*## / {gsub(/\$$\$$/, "$$", $$2); printf "  make %-13s%s\n", $$1, $$2}' Makefile

$(BIN):
	@echo "nothing is installed here yet: run 'make up' first" >&2; exit 1

##@ Start here

demo: install ## From nothing to tags: the stack, a week of 50,000 orders, then 5 orders a minute
	@$(BIN)/python -m local.demo $(ARGS)

status: | $(BIN) ## Show what runs, where, and how to log in
	@$(STACK) status

down: | $(BIN) ## Stop them; data stays
	@$(STACK) down $(ARGS)

reset: | $(BIN) ## Stop them and delete their data
	@$(STACK) reset

##@ The stack of this machine

install: ## Make .venv and fetch Kafka's jars; quick when nothing has changed
	@local/install.sh

browser:
	@local/install.sh browser

up: install ## Start PostgreSQL, Redis, Kafka and Airflow on 127.0.0.1
	@$(STACK) up $(ARGS)

env: | $(BIN) ## Print export lines, for: eval "$$(make -s env)"
	@$(STACK) env

##@ Check

test: browser ## Run the tests on a stack of their own; ARGS="-k name" is handed to pytest
	@$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder $(ARGS)

recount: | $(BIN) ## Count again from the raw messages, by the reference model, and compare with every mart; ARGS="--from-stg"
	@env=$$($(STACK) env) && eval "$$env" && $(BIN)/python -m witness.recount $(ARGS)

lint: install ## Check Python, types and SQL; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/deptry . plugins --ignore DEP004   # what is imported is declared, and what is declared is imported
	@$(BIN)/deptry dags plugins migrations deploy --ignore DEP001,DEP002,DEP003   # the image's rooms import no tool of the tests
	@$(BIN)/sqlfluff lint --disable-progress-bar .

format: install ## Let the tools correct what they can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --disable-progress-bar .

soak: install ## Compare random streams with the reference model; ARGS="--minutes 60"
	@PYTHONPATH=plugins:. $(BIN)/python -m tests.soak $(ARGS)

chaos: install ## Kill runs and servers at random and compare with the reference model; ARGS="--minutes 60"
	@PYTHONPATH=plugins:. $(BIN)/python -m tests.crash.campaign $(ARGS)

##@ Measure

bench: install ## Measure against the floor; writes bench/README.md and results.json (about half an hour)
	@PYTHONPATH=plugins:. $(BIN)/python -m bench $(ARGS)

pair: install ## Compare the cost of loads with another checkout, in turns; ARGS="../other"
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.pair $(ARGS)

year: install ## Simulate a year of minutes: does a run end at the cost that it began with? (an hour; ARGS="--minutes 10000")
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.year $(ARGS)

guard: install ## Count the pages and rows that `make test` compares with, and record them in bench/guard.json
	@PYTHONPATH=plugins:. $(BIN)/python -m bench.guard

##@ Write again what is generated

schema: install ## Write the tables as they are after all migrations to sql/schema.sql
	@$(STACK) up --services postgres
	@$(BIN)/python -m local.schema

requirements: install ## Lock what pyproject.toml asks for; ARGS=--upgrade takes the newest
	@$(LOCK) pyproject.toml -o requirements.txt $(ARGS)
	@$(LOCK) --group pyproject.toml:dev -c requirements.txt -o requirements-dev.txt $(ARGS) \
		$$(sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package=\1/p' requirements.txt)   # each package stands in one of the two

jars: ## Lock the jars of local/NAME/pom.xml by their hashes, after a change of it; ARGS=kafka, ARGS=s3
	@local/install.sh lock-jars $(ARGS)

third-party: install ## Write THIRD_PARTY.md: what the locks bring, and its licences
	@$(BIN)/python -m deploy.third_party

screenshots: browser ## Take the pictures of README and docs/page.md from a demo in a stack of its own (about ten minutes)
	@$(BIN)/python -m docs.pictures.screenshots $(ARGS)

page-assets: install ## Fetch the page's chart library from npm again, as pinned in docs/pictures/page_assets.py (needs npm)
	@$(BIN)/python -m docs.pictures.page_assets

##@ Deploy

secrets: ## Fill in .env at random: the secrets of the Docker and Kubernetes deployments
	@python3 -m deploy.make_secrets env

budget: install ## Say what each deployment costs a month; fails over 5,000 RUB
	@$(BIN)/python -m deploy.budget

sbom: | $(BIN) ## Write what the image installs, as CycloneDX, to sbom.cdx.json
	@$(BIN)/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --output-reproducible -o sbom.cdx.json $(ARGS)

# Strict: where the advisories can't be asked, that is a failure and no good news.
audit: | $(BIN) ## Ask PyPI's advisories for known holes in both locks; needs the internet
	@$(BIN)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt $(ARGS)

e2e-k8s: install ## Try the deployment on the cluster of the kubeconfig: history, ten minutes, faults
	@$(BIN)/python -m deploy.e2e $(ARGS)

datalens: install ## Bring a DataLens workbook to datalens/board; ARGS="--dry-run", ARGS="--workbook-file FILE", ARGS=--help
	@$(BIN)/python -m datalens $(ARGS)
