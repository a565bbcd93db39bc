# Everything a developer runs. `make` lists the targets; only make and Python 3.11 or newer are needed.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check
LOCK := env -u UV_FIND_LINKS $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
AT_LEAST_3_11 := import sys; sys.exit(sys.version_info < (3, 11))

# A pyenv shim named python3.13 may exist and fail: then try again with its version set, then ask uv.
FIND_3_13 = { python3.13 -c 'import sys; print(sys.executable)' \
	|| PYENV_VERSION=3.13 python3.13 -c 'import sys; print(sys.executable)' \
	|| $(BIN)/uv python find --no-python-downloads 3.13; } 2>/dev/null
PYTHON_3_13 ?= $(shell $(PY) -c 'import sys; sys.exit(sys.version_info[:2] == (3, 13))' && $(FIND_3_13))

# With this set, as images of Python have it, each process of a test run would compile all modules and tests again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo client client-if-node client-packages-if-node page-if-node example test tests beside-tests \
	test-long test-3.13 tests-on-3.13 test-dapr interop-dapr storm soak bench interop deploy-check lint types imports schemas format \
	lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9.-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## install everything into .venv (PYTHON=... chooses the interpreter)

demo: .venv/.installed ## see it work: Kafka, workers, e-mails and audit rows, all real (ARGS=--web: in the browser)
	@$(if $(findstring --web,$(ARGS)),$(MAKE) --no-print-directory --silent page-if-node)
	@$(BIN)/todo-workers demo $(ARGS)

# Each process starts a Kafka of its own. Five on two cores pay, as a test mostly waits.
SIDE_BY_SIDE ?= --numprocesses 5

# Node 20 or newer, or nothing.
NODE ?= $(shell node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v node)
CLIENT := web/client

client: $(CLIENT)/node_modules/.installed ## build and test the TypeScript client of the live events (Node 20 or newer)
	@cd $(CLIENT) && npm run --silent check

# Tests of pages in a browser need them.
client-packages-if-node:
	@$(if $(NODE),$(MAKE) --no-print-directory $(CLIENT)/node_modules/.installed)

client-if-node:
	@$(if $(NODE),$(MAKE) --no-print-directory client,echo "No Node 20 or newer found: the TypeScript client is not tested.")

page-if-node:
	@$(if $(NODE),$(MAKE) --no-print-directory --silent $(PAGE),echo "No Node 20 or newer found: the page cannot be built.")

PAGE := $(CLIENT)/example/out/index.html
$(PAGE): $(CLIENT)/node_modules/.installed $(wildcard $(CLIENT)/src/* $(CLIENT)/example/*.tsx $(CLIENT)/example/*.html $(CLIENT)/example/app/*)
	@cd $(CLIENT) && npm run --silent example

example: $(CLIENT)/node_modules/.installed ## build the example's page by Next.js, for the demo (a minute, 400 MB)
	@cd $(CLIENT) && npm run --silent build && cd example && npm ci --silent && npm run --silent build

$(CLIENT)/node_modules/.installed: $(CLIENT)/package-lock.json
	@test -n "$(NODE)" || { echo "This needs Node 20 or newer" >&2; exit 1; }
	@cd $(CLIENT) && npm ci --silent
	@touch $@

test: lint client-packages-if-node ## every check, and every test that does not take long
	@$(MAKE) --no-print-directory --jobs 2 tests beside-tests

tests: .venv/.compiled
	$(PY) -m pytest $(SIDE_BY_SIDE) -m "not long" --hypothesis-profile few-examples $(ARGS)

# What it says comes at its end, in one piece.
beside-tests:
	@log=$$(mktemp); trap 'cat "$$log"; rm -f "$$log"' EXIT; { \
		$(MAKE) --no-print-directory types && $(MAKE) --no-print-directory imports && \
		$(MAKE) --no-print-directory client-if-node; \
	} >"$$log" 2>&1

# They are marked `long`; of each promise, `make test` has a test that is quick. Hypothesis, which marks its tests
# `hypothesis`, tries all its examples here and few there.
test-long: .venv/.compiled client-packages-if-node ## the other tests: brokers and workers die, storms, the whole demo
	$(PY) -m pytest $(SIDE_BY_SIDE) -m "long or hypothesis" $(ARGS)

# The tests whose outcome may depend on Python's version: the pure parts, dramatiq's contract, the broker, and the demo.
# Hypothesis tries its hundred examples on .venv. `make test-3.13 ARGS=tests` runs all of them.
ON_3_13 := tests/unit tests/contract tests/integration/workers/broker/test_kafka_broker.py \
	tests/acceptance/commands/test_demo.py::test_everything_is_as_expected_and_nothing_is_left \
	--ignore tests/unit/bench --ignore tests/unit/deploy --ignore tests/unit/docs --hypothesis-profile few-examples

test-3.13: .venv/.installed ## the tests whose outcome may depend on Python's version, on 3.13 if it is found
	@$(if $(PYTHON_3_13),$(MAKE) --no-print-directory tests-on-3.13,echo "No other Python 3.13 found: nothing runs on it.")

tests-on-3.13: .venv-3.13/.installed
	.venv-3.13/bin/python -m pytest $(or $(ARGS),$(ON_3_13))

# Dapr's own builds have a hundred components and take a quarter of an hour. This one has the three that the tests want; it
# is kept beside Kafka's jars. go.mod of Dapr has replacements, so its source is built where it lies: a copy, as Go's
# cache is not to be written.
DAPR := github.com/dapr/dapr@v1.14.0
DAPRD := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/todo-workers/dapr-1.14.0/daprd

$(DAPRD): interop/dapr/components.go
	@command -v go >/dev/null || { echo "This needs Go 1.22 or newer, which builds daprd" >&2; exit 1; }
	@echo "Building daprd $(DAPR); the first time takes some minutes"
	@source=$$(mktemp -d) && trap 'rm -rf "$$source"' EXIT && \
		cp -r "$$(go mod download -json $(DAPR) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/." "$$source" && \
		chmod -R u+w "$$source" && \
		cp interop/dapr/components.go "$$source/cmd/daprd/components/zz_notag.go" && \
		mkdir -p "$(@D)" && cd "$$source" && go build -o "$@" ./cmd/daprd

interop-dapr: $(DAPRD) ## build a Dapr sidecar (once, needs Go), then test-dapr
	@PATH="$(dir $(DAPRD)):$$PATH" $(MAKE) --no-print-directory test-dapr

test-dapr: .venv/.installed ## both directions with a real Dapr sidecar: daprd on the PATH
	@command -v daprd >/dev/null || { echo "There is no daprd on the PATH; make interop-dapr builds one" >&2; exit 1; }
	$(PY) -m pytest tests/acceptance/chatbot/test_dapr.py tests/unit/tasks/events/test_dapr.py $(ARGS)

storm: .venv/.installed ## 100,000 jobs, 12,000 events while workers and Kafka's brokers are killed, restarted, cut off
	STORM_JOBS=$(or $(JOBS),100000) STORM_EVENTS=$(or $(EVENTS),2000) STORM_ROWS=$(or $(ROWS),20000) \
		STORM_CLIENTS=$(or $(CLIENTS),1000) \
		$(PY) -m pytest -s tests/acceptance/survival/test_storm_of_brokers.py \
		tests/acceptance/survival/test_storm_of_jobs.py \
		tests/acceptance/survival/test_storm_of_events.py \
		tests/acceptance/survival/test_storm_of_relays.py \
		tests/acceptance/survival/test_storm_of_bridges.py $(ARGS)

soak: .venv/.installed ## 30 minutes (HOURS=8, SOAK_MINUTES=2) at 10,000 events a minute while all services are killed in turn
	$(PY) -m bench.soak $(if $(HOURS),--hours $(HOURS),--minutes $(or $(SOAK_MINUTES),30)) $(ARGS)

bench: .venv-bench/.installed ## speed and memory, compared with dramatiq and Celery on Redis and others (ARGS=--quick: less)
	@.venv-bench/bin/python -m bench $(ARGS)

interop: .venv-interop/.installed ## other clients of Kafka, in Python, Node.js, Java and C, write events and read them
	@command -v node >/dev/null || echo "No Node.js found: its clients are left out."
	@! command -v npm >/dev/null || npm --prefix interop/node ci --silent
	.venv-interop/bin/python -m pytest interop $(ARGS)

deploy-check: .venv/.installed ## the manifests for Kubernetes and the image, as `make test` checks them
	$(PY) -m pytest tests/unit/deploy tests/acceptance/test_image.py $(ARGS)

lint: .venv/.installed ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed ## mypy, strict
	$(BIN)/mypy

imports: .venv/.installed ## settings <- workers <- tasks <- web
	$(BIN)/lint-imports

schemas: .venv/.installed ## write docs/events, docs/asyncapi.json and docs/live.json from the models
	$(BIN)/todo-workers events export docs
	$(PY) -m web.live.asyncapi >docs/live.json

format: .venv/.installed ## let ruff fix and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# It must not need .venv/.installed, which fails while pyproject.toml asks for packages that are not pinned yet.
lock: | $(BIN)/uv ## pin the requirements again (ARGS=--upgrade takes the newest)
	$(LOCK) $(ARGS) --output-file requirements/run.txt pyproject.toml
	$(LOCK) $(ARGS) --extra dev --constraints requirements/run.txt --output-file requirements/dev.txt pyproject.toml
	$(LOCK) $(ARGS) --extra image --constraints requirements/run.txt --output-file requirements/image.txt pyproject.toml
	$(LOCK) $(ARGS) --extra interop --constraints requirements/run.txt --output-file requirements/interop.txt pyproject.toml
	@# No constraints here: Celery needs an older python-dateutil than run.txt pins.
	$(LOCK) $(ARGS) --extra bench --output-file requirements/bench.txt pyproject.toml

$(BIN)/uv:
	@$(MAKE) --no-print-directory setup

clean: ## remove what make and the tools made
	rm -rf .venv .venv-3.13 .venv-bench .venv-interop interop/node/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	cd $(CLIENT) && rm -rf node_modules dist build example/node_modules example/.next example/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call into,<folder>,<arguments>) is quick with uv; pip does it where uv finds no packages, as it alone reads pip.conf.
into = { $(BIN)/uv pip install --quiet --python $(1) $(2) 2>/dev/null || $(PIP) --python $(1) install --quiet $(2); }

# $(call install,<folder>,<interpreter>,<requirements>,<options of venv>)
define install
	@$(1)/bin/python -c '$(AT_LEAST_3_11)' 2>/dev/null || { \
		"$(2)" -c '$(AT_LEAST_3_11)' 2>/dev/null || { \
			echo "$(2) is not Python 3.11 or newer: $$("$(2)" --version 2>&1 | head -n 1)" >&2; \
			echo "Choose another interpreter, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
			exit 1; }; \
		echo "Making $(1) with $$("$(2)" --version)"; \
		"$(2)" -m venv --clear $(4) $(1); \
	}
	@echo "Installing $$(grep -c == $(3)) pinned packages into $(1); the first time takes up to a minute"
	@test -x $(BIN)/uv || sed -n '/^uv==/,/[^\\]$$/p' $(3) | $(PIP) install --quiet --require-hashes -r /dev/stdin
	@$(call into,$(1),--require-hashes -r $(3))
	@$(call into,$(1),--no-deps --no-build-isolation --editable .)
	@$(BIN)/uv pip check --quiet --python $(1) || { \
		echo "pyproject.toml asks for what is not pinned: make lock" >&2; exit 1; }
	@touch $@
endef

.venv/.installed: requirements/dev.txt pyproject.toml
	$(call install,.venv,$(PYTHON),requirements/dev.txt)

# To collect the tests imports all that they import. A test that cannot be collected is told by the run itself.
.venv/.compiled: .venv/.installed
	@echo "Compiling once what each process of a test run imports"
	@$(PY) -m pytest --collect-only --quiet >/dev/null && touch $@ || true

.venv-3.13/.installed: requirements/dev.txt pyproject.toml | .venv/.installed
	$(call install,.venv-3.13,$(PYTHON_3_13),requirements/dev.txt,--without-pip)

.venv-interop/.installed: requirements/interop.txt pyproject.toml | .venv/.installed
	$(call install,.venv-interop,$(PYTHON),requirements/interop.txt,--without-pip)

.venv-bench/.installed: requirements/bench.txt pyproject.toml | .venv/.installed
	$(call install,.venv-bench,$(PYTHON),requirements/bench.txt,--without-pip)
