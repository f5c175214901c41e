# Two commands matter: `make up` starts the twin, `make test` runs every test.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 1000
# Test files side by side; each worker has servers of its own. A third worker on two busy cores was
# no faster: 132 s against 122 s for 1,959 tests.
WORKERS ?= 2
SOAK_S ?= 600
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: help install up test check bench soak simulate-nightly chaos drills drills-live campaign-proof grafana-smoke grafana-types queries format generate golden secrets sbom images debian clean

help: ## Say what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(RUNTIME) ## Install what the twin needs into .venv; nothing else

up: $(RUNTIME) ## Install, then start the twin with no servers and print the console's address
	@# At a terminal the twin is the foreground job: Ctrl-C is its own, and make sees its exit code.
	@if [ -t 0 ]; then bash -mc '$(BIN)/twin up $(ARGS)'; else exec $(BIN)/twin up $(ARGS); fi

test: $(DEV) debian ## Install what the tests need and run the whole suite
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV) debian ## The whole gate: format, lint, types, import rules, generated files, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate.py --check
	scripts/vendor_console.sh --check
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

grafana-smoke: $(DEV) ## Try everything on the Grafana of TWIN_GRAFANA_URL; pictures into build/
	$(BIN)/twin provision smoke $(ARGS)

format: $(DEV) ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(RUNTIME) debian ## Measure the physics, beside Basilisk if it is there, the alert rules, a drill and the pipeline
	$(BIN)/twin bench physics $(ARGS)
	$(BIN)/twin bench rules $(ARGS)
	$(BIN)/twin bench drills $(ARGS)
	@# The tuned store: as root, the kernel's huge pages are on for these minutes (docs/pipeline.md).
	$(BIN)/twin bench pipeline --huge-pages $(ARGS)

soak: $(RUNTIME) debian ## 1,000 satellites on real servers for SOAK_S seconds: does anything grow?
	$(BIN)/twin bench soak --for $(SOAK_S)s $(ARGS)

simulate-nightly: $(DEV) ## Many seeds of the whole pipeline on virtual time: SEEDS=1000
	$(BIN)/python tests/simulation/nightly.py --seeds $(SEEDS) $(ARGS)

grafana-types: $(DEV) ## Dashboards against Grafana's own types and functions, 9.4 to 13 (needs node; a minute)
	scripts/grafana_types.sh

queries: $(DEV) debian ## Every dashboard query on a real InfluxDB with a day of 10,281 satellites (twenty quiet minutes)
	$(BIN)/python tests/dashboards/query_report.py $(ARGS)

chaos: $(DEV) debian ## Kill, cut off and starve real processes under load; every value recomputed
	$(BIN)/python tests/chaos/run.py $(ARGS)

drills: $(DEV) ## Every fault-injection drill off line, scored: build/drills.html, .json, .xml
	@mkdir -p build
	$(BIN)/twin drill run --all --html build/drills.html --json build/drills.json --junit build/drills.xml $(ARGS)

drills-live: $(DEV) debian ## Live drills on real mosquitto and influxd: by the watcher, and by a stand-in for Grafana
	$(BIN)/pytest tests/services/test_drill_live.py tests/grafana/test_drill_on_grafana.py --durations=0 $(ARGS)

campaign-proof: $(DEV) ## 400 cases on workers that are killed, file by file against a serial run
	$(BIN)/python tests/campaigns/proof.py $(ARGS)

generate: $(DEV) ## Render docs and dashboards from the dictionaries
	$(BIN)/python scripts/generate.py

golden: $(DEV) ## Make the reference files of tests/golden again, with tools that are not ours
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements/golden.txt
	@for script in tests/golden/generate_*.py tests/golden/measure.py; do \
		echo $$script; PYTHONPATH=tests:. $(BIN)/python $$script || exit 1; done
	$(BIN)/python scripts/generate.py

secrets: $(RUNTIME) ## Generate passwords and tokens for docker compose into ./secrets
	$(BIN)/python scripts/make_secrets.py $(ARGS)

sbom: $(DEV) ## List every installed package with its licence in build/sbom.json (CycloneDX)
	@mkdir -p build
	$(BIN)/cyclonedx-py environment --no-validate --output-reproducible --pyproject pyproject.toml --output-file build/sbom.json $(BIN)/python

debian: ## Install the Debian servers and tools of the tests, where that is possible
	@scripts/install_debian.sh mosquitto mosquitto-clients influxdb chromium prometheus-alertmanager

clean: ## Remove the environment and what runs have left
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@scripts/make_venv.sh $(PYTHON) $(VENV)

$(RUNTIME): requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the twin into $(VENV) ..."
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/runtime.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the twin and its test tools into $(VENV) ..."
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
