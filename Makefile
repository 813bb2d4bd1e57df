# Everything runs inside this folder: the virtual environment, Node, the CDK CLI, and every cache.
# `make clean` therefore removes all of it.
PYTHON ?= python3
BIN    := $(CURDIR)/.venv/bin
READY  := .venv/.ready

export PATH                            := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export PIP_CACHE_DIR                   := $(CURDIR)/.cache/pip
export npm_config_cache                := $(CURDIR)/.cache/npm
export CDK_HOME                        := $(CURDIR)/.cache/cdk
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.cache/jsii
export PYTHONDONTWRITEBYTECODE         := 1
export CDK_DISABLE_CLI_TELEMETRY       := true

.DEFAULT_GOAL := help
.PHONY: help setup demo local unit test snapshot bench lint synth settings deploy destroy lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

setup: $(READY) ## the virtual environment, Node and the CDK CLI, from the lock files

# The version is checked first: an older Python fails deep inside a dependency otherwise.
$(READY): requirements-dev.txt package-lock.json pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	npm ci --silent --no-fund --no-audit
	@touch $@

demo: $(READY) ## deploy to a local AWS, upload the examples, check that every row arrived
	@$(BIN)/python -m local demo

local: $(READY) ## the same deployment, kept running for your own experiments (Ctrl-C ends it)
	@$(BIN)/python -m local up

unit: $(READY) ## the tests that need no server, in seconds
	@$(BIN)/python -m pytest tests/unit

# Two workers, a MiniStack each; a file's tests stay together, so that the stack is deployed once. In the order of the
# files: xdist would begin with those of many tests, and end with the one test that takes a minute and a half.
test: $(READY) ## all tests: unit, integration, gates, infrastructure, end to end
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

snapshot: $(READY) ## write the snapshot of the template that a review looks at, after a change of the stack
	@$(BIN)/python -m tests.infrastructure.snapshot

bench: $(READY) ## speed and memory against baselines, in ten minutes; writes docs/benchmarks.md
	@$(BIN)/python -m bench

lint: $(READY) ## ruff, mypy, and cfn-lint on the synthesized templates
	ruff check .
	ruff format --check .
	mypy
	cdk synth --quiet
	cdk synth --quiet -c stage=prod -c alarm_email=oncall@example.com
	cfn-lint cdk.out/*.template.json

synth: $(READY) ## the CloudFormation template, in cdk.out (add ARGS="-c stage=prod")
	cdk synth --quiet $(ARGS)

settings: $(READY) ## every setting with its value, and what is allowed (add ARGS="-c stage=prod")
	@$(BIN)/python -m stacks $(ARGS)

deploy: $(READY) ## deploy to the AWS account of your credentials (add ARGS="-c stage=prod")
	cdk deploy $(ARGS)

destroy: $(READY) ## remove the deployment; the bucket has to be empty (see docs/runbook.md)
	cdk destroy $(ARGS)

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
           --custom-compile-command "make lock"

lock: $(READY) ## compile the lock files again, after a change of a *.in file
	$(COMPILE) --python-version 3.11 requirements.in -o requirements.txt
	$(COMPILE) --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --python-version 3.13 lambda/requirements.in -o lambda/requirements.txt
	$(COMPILE) --python-version 3.11 .github/requirements-audit.in -o .github/requirements-audit.txt

clean: ## remove everything that make brought
	rm -rf .venv .cache .local node_modules cdk.out .hypothesis .mypy_cache .pytest_cache .ruff_cache
