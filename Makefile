# Two commands for a newcomer: `make demo` and `make test`. Each builds .venv from requirements.lock.
.PHONY: demo test check validate bench lock clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCENARIO ?= default
MINUTES ?= 10
export PYTHONDONTWRITEBYTECODE ?= 1

demo: $(STAMP)
	$(BIN)/factory-twin run $(SCENARIO) --minutes $(MINUTES)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

validate: $(STAMP)
	$(BIN)/factory-twin validate

bench: $(STAMP)
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench_opcua_cost --views 20
	$(BIN)/python -m tests.bench_opcua --seconds 5

# Python 3.11 from the system, else from uv where uv is present, else one line that says what to install.
$(STAMP): requirements.lock pyproject.toml
	@if command -v python3.11 >/dev/null 2>&1 && python3.11 -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	  python3.11 -m venv --clear $(VENV); \
	elif command -v uv >/dev/null 2>&1; then \
	  uv venv --clear --seed --python 3.11 $(VENV); \
	else \
	  echo "factory-twin needs Python 3.11 with venv: install python3.11 and python3.11-venv (or uv), then run make again." >&2; exit 2; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

lock:
	uv pip compile pyproject.toml --extra test --extra dev --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info
