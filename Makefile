# Two commands matter: `make demo` and `make test`. Each does its own set-up and may be run twice.
# Needed on the machine: make, and Python 3.11 or newer with its venv module. Nothing else.

# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.13 python3.12,\
	$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(p))))
BIN := .venv/bin
READY := .venv/.ready

.DELETE_ON_ERROR:
.PHONY: help setup demo test faults controls lint docs bench clean

help: ## Say what there is to run (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with every extra and every tool; instant when nothing changed

$(READY): pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  test -n "$(PYTHON)" || { \
	    echo "No Python 3.11+ with venv was found. Install one (Debian: apt-get install python3 python3-venv)," >&2; \
	    echo "or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv --clear .venv; }
	@echo "installing lineside, its extras and the tools into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $@

demo: setup ## Serve the example blog and chat on 127.0.0.1:8000 (PORT=... for another port)
	@$(BIN)/python -m examples.blog

test: setup ## Run every test, page snippet and example, with branch coverage, in four processes
	@$(BIN)/python scripts/run_tests.py

faults: setup ## Kill, cut off and empty everything under a cluster, 20 times each: hours (FAULTS="--rows F1 --rounds 3")
	@$(BIN)/python scripts/faults.py $(FAULTS)

controls: setup ## Switch off each control of the cable in turn: its test has to fail
	@$(BIN)/python scripts/controls_off.py

# PATH: --verifytypes looks at the packages of the first `python` there, and not at pyproject.toml.
lint: setup ## Check style, types, the public API's types and the import contracts
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pyright
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pyright --verifytypes lineside --ignoreexternal
	$(BIN)/lint-imports

docs: setup ## Build the site into site/ (dead links and unknown names fail) and check the parity tables
	$(BIN)/python -m zensical build --clean --strict
	$(BIN)/python scripts/check_parity.py

# -m, not the path: as a script, benchmarks/http.py would hide the standard library's http.
bench: setup ## Run every benchmark against its bounds
	@failed=; for file in benchmarks/[!_]*.py; do \
	  name=$${file%.py}; $(BIN)/python -m "benchmarks.$${name##*/}" --check || failed="$$failed $$file"; done; \
	if [ -n "$$failed" ]; then echo "bounds missed:$$failed" >&2; exit 1; fi

clean: ## Remove what the other commands made, .venv included
	rm -rf .venv .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site dist .cache .npm
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
