# Needs Python 3.11 or later and make. Another Python than python3: make PYTHON=python3.12 test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made

.PHONY: figure test lint docs check clean

figure: $(MADE)  ## the staircase, from a quick run
	$(BIN)/mibounds run bound_tightness --preset quick
	@echo "The figure: results/bound_tightness/quick/figure.png"

test: $(MADE)  ## all tests, the import layers and the examples in docstrings, README and CONTRIBUTING among them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

lint: $(MADE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(MADE)  ## the documentation, into site/: a broken link, reference or marker is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint test docs  ## everything that must hold before a change is handed in

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

# Made once, and again when what it is made from changes.
$(MADE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name it by make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
