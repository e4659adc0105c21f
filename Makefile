# Two commands are all that a fresh machine with Python 3.11+ needs: make evidence, make test.
PYTHON ?= python3
BUDGET ?= 7m
BIN := .venv/bin

.PHONY: evidence test lint mutation clean

evidence: .venv/.installed
	$(BIN)/evidence run --budget $(BUDGET)
	$(BIN)/evidence report

test: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadgroup

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# A sample of generated mutants of reference/ and vaes/ops/, and the reason of each that survives.
mutation: .venv/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 sh -c 'mutmut run "reference.checks.x_real__mutmut_1" && mutmut run $$(python -m tests.mutation sample) && python -m tests.mutation score'

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable '.[test,cluster]'
	touch $@

clean:
	rm -rf .venv .evidence build .pytest_cache .mypy_cache .ruff_cache .hypothesis
