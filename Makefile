# Two commands are all that a fresh machine with Python 3.11+ needs: make evidence, make test.
PYTHON ?= python3
BUDGET ?= 7m
BIN := .venv/bin

.PHONY: evidence test lint clean

evidence: .venv/.installed
	$(BIN)/evidence run --budget $(BUDGET)
	$(BIN)/evidence report

test: .venv/.installed
	$(BIN)/pytest -n auto --dist loadgroup

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable '.[test,cluster]'
	touch $@

clean:
	rm -rf .venv .evidence build .pytest_cache .mypy_cache .ruff_cache .hypothesis
