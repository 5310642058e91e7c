# One word per chore.  Each is a few plain commands, so that `make` is never needed: see CONTRIBUTING.md.
.PHONY: all setup style types tests bench docs ci clean

all: style types tests

# Sees to the environment .venv, which takes a minute once and nothing afterwards.
setup:
	./go dev

style: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types: setup
	.venv/bin/mypy

tests: setup
	.venv/bin/python -m pytest -n auto

bench: setup
	.venv/bin/python -m bench

docs: setup
	.venv/bin/python -m pytest -q tests/test_docs.py

ci:
	.ci/run

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
