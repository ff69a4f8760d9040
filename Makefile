PYTHON ?= python3
PORT ?= 5000
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
# Without byte code every stage spends three times as long on its imports.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv/installed
PEERS := .venv-bench/installed

.DEFAULT_GOAL := help
.PHONY: help all test lint bench fresh reproduce publish report ui clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

all: $(VENV) ## run every stale stage and print the summary
	@dvc repro
	@python -m stages.report

test: $(VENV) ## run the tests
	@python -m pytest -n 2 --dist loadfile

lint: $(VENV) ## check style and types
	@ruff check . && ruff format --check . && mypy

bench: $(PEERS) ## measure against other runtimes (about 40 minutes); BENCH="--quick" for a sample
	@.venv-bench/bin/python -m bench $(BENCH)
	@.venv-bench/bin/python -m bench.families $(filter --quick,$(BENCH))

fresh: $(VENV) ## fail if dvc.lock is stale: needs no cache, runs nothing
	@dvc repro --dry --allow-missing --quiet

reproduce: $(VENV) ## two fresh clones of HEAD make the same bytes, and those of dvc.lock
	@python -m stages.reproduce $(REPRODUCE)

publish: $(VENV) ## publish again, for instance after a change of tracking server
	@dvc repro --single-item --force publish

report: $(VENV) ## print the summary of the last run
	@python -m stages.report

ui: $(VENV) ## serve the embedded MLflow store at http://127.0.0.1:5000 (PORT=5001 for another port)
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port $(PORT) --workers 1

clean: ## remove the environments, caches of tools, and byte code (outputs and MLflow runs stay)
	@rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache
	@find stages tests bench -name __pycache__ -prune -exec rm -rf {} +

lock: $(VENV) ## resolve requirements.lock again from pyproject.toml
	@uv pip compile pyproject.toml --extra dev --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade -q -o requirements.lock

$(VENV): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("onnxpress needs Python 3.11 or newer, this is %d.%d; run: make PYTHON=python3.11" % v[:2])'
	@echo "setting up .venv from requirements.lock (once)"
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	@python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	@uv pip sync --quiet --python .venv/bin/python requirements.lock
	@touch $@

$(PEERS): $(VENV) requirements-peers.lock
	@echo "setting up .venv-bench with the runtimes to compare with (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-bench
	@uv pip sync --quiet --python .venv-bench/bin/python requirements.lock requirements-peers.lock || \
		{ echo "the peers do not install here; measuring without them"; uv pip sync --quiet --python .venv-bench/bin/python requirements.lock; }
	@touch $@
