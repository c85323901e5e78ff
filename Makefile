# make repro   from a bare machine to a measured recogniser
# make test    the same set-up, then the tests
# make test-long   every test, those marked long too, but of `make runtimes`; properties on ten times
#              the examples, new ones every time; nightly in CI
# TESTS_READ=worktree pytest tests/test_figures.py   whether documents fit metrics not yet committed
# make test-browser   the report and the demo in Debian's chromium
# make demo    the page that recognises and teaches, on http://127.0.0.1:8000; needs npm alone where
#              a model ships
# make flagship   the model that ships: hours; goes on where it was when it is started again
# make wheel   what pip installs, with the model that ships: dist/
# make bench   the speed of the stages beside this machine's limits; docs/speed.md
# make study   after a repro: the leak of a random split, robustness, a map of the classes
# make runtimes   after a repro: the exports in other runtimes, each in an environment of its own
PYTHON ?= python3
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUNBUFFERED = 1
unexport PYTHONDONTWRITEBYTECODE  # else each process compiles PyTorch anew, for 20 s

.PHONY: repro test test-long test-browser demo flagship wheel lint bench study runtimes clean setup

repro: setup
	dvc repro

test: setup
	pytest -n auto --maxprocesses 4 --dist worksteal

test-long: setup
	pytest -n auto --maxprocesses 4 --dist worksteal -m "not runtimes" --hypothesis-profile long --timeout 18000

test-browser: setup
	pytest tests/browser

# The package is enough for it: in a clone where nothing is installed, that is all that is.
demo: $(if $(wildcard .venv/ready),setup,.venv-package/ready)
	$(if $(wildcard .venv/ready),python,.venv-package/bin/python) stages/demo.py

.venv-package/ready: pyproject.toml
	$(PYTHON) -m venv .venv-package
	.venv-package/bin/python -m pip install --quiet --disable-pip-version-check .
	touch $@

flagship: setup
	python stages/flagship.py
	python stages/release.py

wheel: setup
	python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

lint: setup
	ruff check .
	ruff format --check .

bench: setup
	python tests/benchmarks/bench.py

study: setup
	python stages/study.py

runtimes: setup
	python stages/runtimes.py

setup: .venv/ready

.venv/ready: requirements.lock requirements.in
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else f"expected Python 3.11 to 3.13, found {v.major}.{v.minor}; name another with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	awk '/^[a-z]/ { part = !part } { print > ".venv/lock" part + 0 }' requirements.lock  # for two cores
	$(PIP) --no-deps "$$(grep '^torch==' requirements.in)" & \
	$(PIP) --require-hashes --no-deps -r .venv/lock0 & half=$$!; \
	$(PIP) --require-hashes --no-deps -r .venv/lock1 && wait $$half && wait
	$(PIP) -r requirements.in  # what this platform alone needs besides, and torch once more if it failed
	touch $@

# Produced files only: data/raw, data/external, models/pretrained and DVC's cache stay.
clean:
	rm -rf data/shards data/synthetic data/*.parquet metrics/energy metrics/plots .checkpoints
	rm -rf models/exports models/demo models/runtimes .runtimes/work demo/node_modules models/model.* models/classes.json .pytest_cache .ruff_cache build dist
