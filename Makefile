# `make demo` and `make test` are the two commands a newcomer needs; each makes .venv if it is missing.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test lint types soak bench evidence clean

# Python compiles what it imports; all that pip could compile beforehand would take as long as the rest.
INSTALL := $(BIN)/pip install --quiet --no-compile --constraint constraints.txt

# The base install, for using the tool.
.venv/.base: pyproject.toml constraints.txt
	@echo "Making .venv with the packages that biencoder runs on: about 430 MB to download and 1.4 GB"
	@echo "on disk with PyTorch's CPU build; with the CUDA build (the default on Linux) some gigabytes more."
	@echo "For the CPU build put PyTorch in first: see https://pytorch.org/get-started/locally/"
	@test -d .venv || $(PYTHON) -m venv .venv
	$(INSTALL) torch
	$(INSTALL) --editable .
	@touch $@

# What tests, the teacher and the comparisons need on top.
.venv/.dev: .venv/.base
	@echo "Adding what the tests need: about 400 MB more to download and 1.1 GB on disk."
	$(INSTALL) --editable '.[dev]'
	@touch $@

demo: .venv/.base
	$(BIN)/python examples/demo.py

# A file of tests stays in one process: its fixtures are made once. One thread each: the cores are taken.
test: export OMP_NUM_THREADS ?= 1
test: .venv/.dev lint types
	$(BIN)/pytest -m "not soak" -n auto --dist loadfile

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

soak: .venv/.dev
	$(BIN)/pytest -m soak

bench: .venv/.dev
	$(BIN)/python benchmarks/encode.py

# Every number in the README, measured again; DATA=FOLDER adds the sets that may not be shipped.
evidence: .venv/.dev
	$(BIN)/python benchmarks/evidence.py $(if $(DATA),--data $(DATA))

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
