# `make` lists the words. Everything needs only make and a Python with venv; the rest is installed into .venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help .venv python demo test check bench schemas examples pins examples-pins clean

BIN := .venv/bin
PIP_FLAGS := --quiet --no-input --disable-pip-version-check --retries 10 --timeout 60
STAMP := .venv/.installed
PINNED := .venv/.pinned

# The first of $(PYTHON), or of the usual names, that really runs (a pyenv shim may not), is 3.11 or later and has venv.
PYTHON ?=
FIND_PYTHON = for name in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	if "$$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
	echo "mcp-voice needs Python 3.11 or later with venv: install one (Debian: apt install python3-venv) or name it with 'make PYTHON=/path/to/python3'." >&2; \
	exit 1; fi

help: ## List these words
	@sed -n 's/^\([.a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r word text; \
	do printf '  make %-8s %s\n' "$$word" "$$text"; done

.venv: $(STAMP) ## Prepare the environment: exactly what constraints.txt pins

# uv installs in half a minute what pip takes five for; pip stays the way where uv reaches no index.
UV := build/.uv/bin/uv
PIP := build/.uv/bin/python -m pip

$(UV): scripts/uv.txt
	@python=; $(FIND_PYTHON); "$$python" -m venv --clear build/.uv
	@$(PIP) install $(PIP_FLAGS) --require-hashes -r scripts/uv.txt
	@touch $@

$(PINNED): constraints.txt $(UV)
	@python=; $(FIND_PYTHON); $(BIN)/python -c '' 2>/dev/null || "$$python" -m venv --clear --without-pip .venv
	@echo "Installing the pinned packages into .venv; this takes a minute or two."
	@$(UV) pip install --quiet --require-hashes --no-deps --compile-bytecode --python $(BIN)/python -r constraints.txt || \
	$(PIP) --python $(BIN)/python install $(PIP_FLAGS) --require-hashes --no-deps -r constraints.txt
	@touch $@

$(STAMP): $(PINNED) pyproject.toml
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

python: ## Print the Python that .venv would be made with
	@python=; $(FIND_PYTHON); echo "$$python"

demo: $(STAMP) ## A whole phone call on this machine, without a key or a phone
	$(BIN)/mcp-voice demo

test: $(STAMP) ## Run the tests
	$(BIN)/pytest --numprocesses logical --dist worksteal

check: $(STAMP) ## Lint, format, types, imports, spelling, schemas
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict mcp_voice
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/mcp-voice schemas --check

bench: $(STAMP) ## Measure the hot path
	$(BIN)/python -m tests.bench

schemas: $(STAMP) ## Write schemas/ from the tool catalogue
	$(BIN)/mcp-voice schemas

# The frameworks of examples/ disagree about `mcp`, so each has its own environment; uv makes one in seconds.
EXAMPLES := $(patsubst examples/%/requirements.txt,build/examples/%/.installed,$(wildcard examples/*/requirements.txt))

examples: $(EXAMPLES) ## An environment for each framework in examples/

build/examples/%/.installed: examples/%/requirements.txt $(UV)
	@echo "Installing what examples/$* needs into build/examples/$*."
	@python=; $(FIND_PYTHON); "$$python" -m venv --clear --without-pip build/examples/$*
	@$(UV) pip install --quiet --require-hashes --python build/examples/$*/bin/python -r $<
	@touch $@

examples-pins: $(UV) ## Resolve examples/*/requirements.txt anew
	@for pins in examples/*/requirements.txt; do \
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --output-file "$$pins" "$${pins%.txt}.in"; done

pins: $(UV) ## Resolve constraints.txt anew from pyproject.toml
	@mkdir -p build/pins; $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--all-extras --group build --group dev --no-header --output-file build/pins/constraints.txt pyproject.toml
	@{ echo "# Every package for Python 3.11 and later, with hashes: runtime, all extras, dev and the build backend."; \
	echo "# Made by 'make pins' from pyproject.toml; do not edit."; cat build/pins/constraints.txt; } >constraints.txt

clean: ## Remove .venv and everything made
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find mcp_voice tests -type d -name __pycache__ -prune -exec rm -rf {} +
