# The one door: continuous integration, the commit hooks and the Dockerfile call these targets too.
# `make serve` and `make test` do all their own set-up and redo only what has changed since.

HOST ?= 127.0.0.1
PORT ?= 8000
JOBS ?= 2
RECIPE ?=
ARGS ?=
# torch, several gigabytes with CUDA's libraries, serves only where there is a GPU that it can use.
EXTRAS ?= $(if $(wildcard /dev/nvidiactl)$(shell command -v nvidia-smi 2>/dev/null),gpu)
# The versions that the tests ran on. `make LOCK= ...` takes the newest that pyproject.toml admits.
LOCK ?= requirements.lock
PYTHON ?= $(shell for candidate in python3 python3.11 python3.12 python3.13 python3.14; do \
    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$candidate" && break; done)
PYTHON := $(PYTHON)

GROUPS := lint test conformance browser fuzz monitoring deploy release
VENV := .venv
# Homebrew's libraries are outside the dynamic linker's default path on Apple silicon.
BIN := $(if $(filter Darwin,$(shell uname -s)),DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib:/usr/local/lib )$(VENV)/bin
# The stamps of what is installed (see the end): the service with what training needs, and what most tests need.
TRAINING := $(VENV)/.installed-training
TEST := $(TRAINING) $(VENV)/.group-test
TESTS := $(TEST) $(addprefix $(VENV)/.group-,conformance browser fuzz monitoring deploy release)
PYTEST = $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile
PIP := $(BIN)/python -m pip install --disable-pip-version-check $(LOCK:%=--constraint %)
SUDO := $(shell [ "$$(id -u)" -eq 0 ] || echo sudo)

# $(call apt_install,PACKAGE,OTHERWISE): a Debian package, or the words that say what to do where apt-get cannot.
apt_install = { command -v apt-get >/dev/null \
    && echo "Installing the system package $(1)" \
    && $(SUDO) apt-get update --quiet=2 \
    && $(SUDO) apt-get install --yes --quiet=2 --no-install-recommends $(1); } \
    || { echo "$(2)" >&2; exit 1; }

.PHONY: help serve test test-all lint format train evaluate compare exports cards docs doctor openapi fuzz load soak draw \
    golden test-lowest system-test image lock audit sbom dist install system clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: system install ## start the service on HOST:PORT (127.0.0.1:8000)
	$(BIN)/qrestore serve --host $(HOST) --port $(PORT)

test: system lint $(TESTS) ## lint, then every test that is not marked slow, in JOBS processes (ARGS="-k name" to choose)
	$(PYTEST) -m 'not slow' $(ARGS)

test-all: test ## everything: `make test`, then the tests that are marked slow
	$(PYTEST) -m slow $(ARGS)

lint: $(TRAINING) $(VENV)/.group-lint ## style, format, types, the layers of imports and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.group-lint ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: system $(TRAINING) ## run a training recipe: RECIPE=name (none: list them)
	$(BIN)/python -m training $(or $(RECIPE),--list) $(ARGS)

evaluate: system $(TRAINING) ## measure decode rate, PSNR, SSIM and time on the synthetic sets
	$(BIN)/python -m training.compare.evaluate $(ARGS)

compare: system $(TRAINING) ## set every system side by side: rates, fidelity, time, claims
	$(BIN)/python -m training.compare $(ARGS)

exports: $(TRAINING) ## renew the exported graphs in weights/ that no longer fit their checkpoints
	$(BIN)/python -m training.release.export all --outdated --weights weights --out weights

cards: $(TRAINING) ## write MODELS.md from the headers of the weights
	$(BIN)/python -m training.release.card --out MODELS.md

docs: install ## write docs/configuration.md and docs/metrics.md from the code
	$(BIN)/python -m tools.docs

fuzz: system $(TEST) $(VENV)/.group-fuzz ## mutate requests, images and codes for ten minutes (ARGS="--seconds 60")
	$(BIN)/python -m tools.fuzz $(or $(ARGS),--seconds 600)

load: system $(TEST) ## load a server of its own and say what bounds it (ARGS="--direct", ARGS="--hostile")
	$(BIN)/python -m tools.load.load --start $(ARGS)

soak: system $(TEST) ## 10,000 requests, and what memory they left behind (ARGS="--count 2000")
	$(BIN)/python -m tools.load.soak $(or $(ARGS),--count 10000)

draw: system $(TEST) $(VENV)/.group-monitoring ## draw docs/dashboard.png from a run under load (needs Prometheus)
	$(BIN)/python -m tools.draw --out docs/dashboard.png $(ARGS)

golden: system $(TEST) ## record a service's answers, or compare two records (ARGS="record --pictures DIR --out FILE")
	$(BIN)/python -m tools.golden $(or $(ARGS),--help)

image: ## build the image with podman, run it and have it read a picture (ARGS=--stand-in: without an image registry)
	@command -v podman >/dev/null && command -v mmdebstrap >/dev/null \
	    || $(call apt_install,catatonit mmdebstrap podman runc,Install podman first.)
	docker/build/try.sh $(ARGS)

system-test: $(VENV)/.created ## the Debian packages that some tests are skipped without: Chromium, faketime, libqrencode, npm, Prometheus
	@missing="$$(for command in chromium faketime npm prometheus; do command -v $$command >/dev/null || echo $$command; done; \
	    $(BIN)/python -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library("qrencode") is None)' \
	        || echo libqrencode4)"; \
	[ -z "$$missing" ] || $(call apt_install,$$missing,Install by hand what some tests are skipped without: $$missing)

doctor: install ## say what is missing on this machine, and the command that mends it
	$(BIN)/qrestore doctor

openapi: $(TEST) ## renew the OpenAPI snapshot after a wanted change of the interface
	$(BIN)/pytest tests/contracts/test_openapi.py --snapshot-update

test-lowest: system $(VENV)/.group-release ## the unit and API tests on the oldest releases that pyproject.toml admits, in build/lowest
	$(BIN)/uv pip compile pyproject.toml --all-extras --resolution lowest-direct --python $(BIN)/python --no-annotate \
	    --no-emit-index-url --quiet --output-file build/lowest.txt
	$(BIN)/python -m venv --clear build/lowest
	build/lowest/bin/python -m pip install --quiet 'pip>=25.1'
	build/lowest/bin/python -m pip install --quiet --constraint build/lowest.txt --editable '.[training,onnx,otel]' --group test
	build/lowest/bin/python -m pytest -W default -m 'not slow' $(or $(ARGS),tests/unit/app tests/unit/training tests/api)

lock: $(VENV)/.group-release ## renew requirements.lock from pyproject.toml (ARGS="--upgrade" for newer releases)
	$(BIN)/uv pip compile pyproject.toml --all-extras $(addprefix --group ,$(GROUPS)) --universal --python-version 3.11 \
	    --no-annotate --no-emit-index-url --custom-compile-command 'make lock' --quiet --output-file requirements.lock $(ARGS)

# Not a part of lint, since it asks the package index what is known of each pin.
audit: $(VENV)/.group-release ## look for known vulnerabilities of the pins in requirements.lock (asks the package index)
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock $(ARGS)

sbom: $(TRAINING) $(VENV)/.group-release ## write the image's bill of materials, CycloneDX, to build/sbom.cdx.json (ARGS="--extras onnx")
	$(BIN)/python -m tools.sbom $(ARGS)

dist: $(VENV)/.group-release ## build the source distribution and the wheel, weights inside, into dist/
	$(BIN)/uv build --clear --out-dir dist $(ARGS)

install: $(VENV)/.installed ## the virtual environment and its packages, without the system library

clean: ## remove the virtual environment, caches and build products (not runs/ or weights/)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find app training tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

system: $(VENV)/.created
	@$(BIN)/python -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library("zbar") is None)' \
	    || $(call apt_install,libzbar0,qrestore needs the shared library of ZBar. \
	        Debian or Ubuntu: apt-get install libzbar0. macOS: brew install zbar. Then run make again.)

# Stamps: a target is redone only when pyproject.toml or the lock is newer than its last success.
$(VENV)/.created:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "qrestore needs Python 3.11 or newer. Debian or Ubuntu: apt-get install python3 python3-venv." \
	    "macOS: brew install python. One that is elsewhere: make PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || $(call apt_install,$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'),$(PYTHON) \
	        cannot make virtual environments. Debian or Ubuntu: apt-get install python3-venv. Then run make again.)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml $(LOCK) $(VENV)/.created
	$(PIP) --editable '.$(EXTRAS:%=[%])'
	@touch $@

$(TRAINING): pyproject.toml $(LOCK) $(VENV)/.created
	$(PIP) --editable '.[training]'
	@touch $(VENV)/.installed $@

# A dependency group of pyproject.toml, without qrestore itself: the pip of a new environment may be too old to know them.
$(VENV)/.group-%: pyproject.toml $(LOCK) $(VENV)/.created
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet 'pip>=25.1'
	$(PIP) --group $*
	@touch $@
