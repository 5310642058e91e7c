# One word per chore.  Each is a few plain commands, so that `make` is never needed: see CONTRIBUTING.md.
.PHONY: all style types tests bench docs ci clean

all: style types tests

.venv/installed: setup.cfg pyproject.toml
	./go dev

style: .venv/installed
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types: .venv/installed
	.venv/bin/mypy

tests: .venv/installed
	.venv/bin/python -m pytest -n auto

bench: .venv/installed
	.venv/bin/python -m bench

docs: .venv/installed
	.venv/bin/python -m pytest -q tests/test_docs.py

ci:
	.ci/run

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
