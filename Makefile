# Everything runs inside this folder: the virtual environments, Node, the CDK CLI, and every cache.
# `make clean` therefore removes all of it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(CURDIR)/$(VENV)/bin

# What is installed, each by the first command that needs it. If one fails, those before it are not repeated.
PACKAGES := $(VENV)/.packages
NODE     := node_modules/.ready
BROWSER  := node_modules/.browser
TOOLS    := $(VENV)/.tools
READY    := $(PACKAGES) $(NODE)

export PATH                            := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export PIP_CACHE_DIR                   := $(CURDIR)/.cache/pip
export npm_config_cache                := $(CURDIR)/.cache/npm
export CDK_HOME                        := $(CURDIR)/.cache/cdk
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.cache/jsii
export CDK_DISABLE_CLI_TELEMETRY       := true
unexport PYTHONDONTWRITEBYTECODE  # or each process of the tests would compile its modules again

STEP := $(PYTHON) ops/progress.py
PIP  := $(BIN)/python -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo local unit test test-package test-deployed package snapshot bench lint site synth settings deploy verify destroy lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 22

setup: $(READY) $(TOOLS) $(BROWSER) ## install everything, which the commands below do by themselves

# The version is checked first: an older Python fails deep inside a dependency otherwise.
$(PACKAGES): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@$(STEP) "Creating $(VENV)" $(PYTHON) -m venv --clear $(VENV)
	@$(STEP) "Installing what is needed to run and to deploy" $(PIP) --require-hashes -r requirements.txt
	@$(STEP) "Installing this checkout" $(PIP) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE): package-lock.json | $(PACKAGES)
	@$(STEP) "Installing the CDK CLI" npm ci --omit=dev --no-fund --no-audit
	@touch $@

# Without it, `make test-package` takes a chromium that is on PATH.
$(BROWSER): package-lock.json | $(NODE)
	-@$(STEP) "Installing the browser of the tests" npm install --no-save --no-fund --no-audit && touch $@

$(TOOLS): requirements-dev.txt $(PACKAGES)
	@$(STEP) "Installing the tools of lint, test and bench" $(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(READY) ## deploy to a local AWS, upload the examples, check that every row arrived
	@$(BIN)/python -m local demo

local: $(READY) ## deploy your own settings to a local AWS until Ctrl-C (add ARGS="-c stage=prod")
	@$(BIN)/python -m local up $(ARGS)

unit: $(TOOLS) ## the tests that need no server, in seconds
	@$(BIN)/python -m pytest tests/unit

# Three workers also on two cores: the end-to-end tests mostly wait for queues. A file's tests stay together, and so do
# those that share a deployment (tests/conftest.py). In the order given: by itself, xdist would begin with the files of
# many tests, and end with those that wait.
TESTS ?= tests/integration tests/e2e tests/infrastructure gates/tests tests/unit
test: $(READY) $(TOOLS) ## all tests but those of test-package: unit, integration, gates, infrastructure, end to end
	@$(BIN)/python -m pytest -rs --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

# Without a browser that runs here, the tests say which of them were skipped.
test-package: $(READY) $(TOOLS) $(BROWSER) package ## the wheel in an environment of its own, and the report in a browser
	@$(BIN)/python -m pytest -rs tests/package

# Each candidate has to run: pyenv's python3.13 is on PATH also while 3.13 is not selected, and fails then.
DEPLOYED = $(firstword $(foreach found,python3.13 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13*/bin/python3.13),\
           $(if $(shell $(found) --version 2>/dev/null),$(found))))

test-deployed: ## unit and integration tests on Python 3.13, which is deployed, if this machine has it
	@$(if $(DEPLOYED),$(MAKE) --no-print-directory test PYTHON=$(DEPLOYED) VENV=.venv-3.13 TESTS="tests/unit tests/integration",\
	echo "Nothing was tested on Python 3.13, which is deployed: this machine does not have it.")

snapshot: $(READY) $(TOOLS) ## write the snapshot of the template that a review looks at, after a change of the stack
	@$(BIN)/python -m tests.infrastructure.snapshot

# What a build leaves would be in the next wheel, also if its source is gone.
package: $(PACKAGES) ## the wheel, in dist/
	@rm -rf build dist csv_ingest.egg-info
	@$(STEP) "Building the wheel" $(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build csv_ingest.egg-info

bench: $(READY) $(TOOLS) ## speed and memory against baselines, in ten minutes; writes docs/benchmarks.md
	@$(BIN)/python -m bench

lint: $(READY) $(TOOLS) ## ruff, mypy, cfn-lint on the synthesized templates, and dead links in the documentation
	ruff check .
	ruff format --check .
	mypy
	cdk synth --quiet
	cdk synth --quiet -c stage=prod -c alarm_email=oncall@example.com
	cdk synth --quiet -c stage=feeds -c feeds="$$(tr -d '\n' < examples/feeds.json)"
	cfn-lint cdk.out/*.template.json
	$(SITE)

# Nothing is kept of an earlier build: a page that is gone would stay.
SITE = sphinx-build --quiet --fail-on-warning --fresh-env --conf-dir docs . .local/site
site: $(TOOLS) ## the documentation as a site, with search, in .local/site
	@$(SITE)
	@echo "The site: .local/site/index.html"

synth: $(READY) ## the CloudFormation template, in cdk.out (add ARGS="-c stage=prod")
	@cdk synth --quiet $(ARGS)
	@echo "The template: $$(ls -t cdk.out/*.template.json | head -n 1)"

settings: $(PACKAGES) ## every setting with its value, and what is allowed (add ARGS="-c stage=prod")
	@$(BIN)/python -m stacks $(ARGS)

deploy: $(READY) ## deploy to the AWS account of your credentials (add ARGS="-c stage=prod")
	cdk deploy $(ARGS)

verify: $(READY) ## try the deployment in your account: five minutes, 0.02 dollars (docs/runbook.md)
	@$(BIN)/csv-ingest verify $(ARGS)

destroy: $(READY) ## remove the deployment; the bucket has to be empty (see docs/runbook.md)
	cdk destroy $(ARGS)

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
           --custom-compile-command "make lock"

# requirements-dev.txt has all packages; the other files take their versions from it.
lock: $(TOOLS) ## compile the lock files again, after a change of a *.in file
	$(COMPILE) --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --python-version 3.11 -c requirements-dev.txt requirements.in -o requirements.txt
	$(COMPILE) --python-version 3.13 -c requirements-dev.txt lambda/csv_ingest/requirements.in -o lambda/csv_ingest/requirements.txt
	$(COMPILE) --python-version 3.11 .github/requirements-audit.in -o .github/requirements-audit.txt

clean: ## remove everything that make brought
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .venv .venv-3.13 .cache .local node_modules cdk.out build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
