# make demo   sets up and runs the main job on the bundled clip
# make test   sets up and passes the tests (make test-slow: those of more than some ten seconds too)
# make lint   ruff and mypy
PYTHON ?= python3
VENV ?= .venv
OUT ?= out/demo

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test test-slow lint clean

demo: $(VENV)/.base
	$(BIN)/aggpose demo --out $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.slow
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable ".[dev]"
	touch $@ $(VENV)/.base

# the slow tests render too
$(VENV)/.slow: $(VENV)/.dev
	$(PIP) --constraint constraints.txt --editable ".[dev,synthetic]"
	touch $@

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache
