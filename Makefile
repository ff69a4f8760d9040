PYTHON ?= python3
PORT ?= 5000
SWEEP ?= sweep.yaml
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
# Without byte code every stage spends three times as long on its imports.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv/installed
PEERS := .venv-bench/installed
MLFLOW2 := .venv-mlflow2/installed
SERVE := .venv-serve/installed
KUBEFLOW := .venv-kubeflow/installed
TRITON := .venv-triton/installed
TORCH := .venv-torch/installed
SPARK := .venv-spark/installed
ENVIRONMENTS := $(MLFLOW2) $(TRITON) $(SERVE) $(KUBEFLOW) $(TORCH) $(SPARK)
# Three processes for two cores: tests spend a fifth of their time waiting for servers, browsers, disks and timeouts.
# A thread each: threads that outnumber the cores spend their time waiting for each other.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help all test proofs environments lint bench fresh reproduce stability sweep certify soak scale kubeflow publish promote rollback report doctor migrate docs ui serve cluster score clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

all: $(VENV) ## run every stale stage and print the summary
	@python -m onnxpress mend
	@dvc repro
	@python -m onnxpress report

test: $(VENV) ## run the tests
	@$(PYTEST) --ignore tests/slow

proofs: $(VENV) $(ENVIRONMENTS) ## run the tests that clone, kill, or start servers and browsers for minutes
	@$(PYTEST) tests/slow

environments: $(ENVIRONMENTS)

lint: $(VENV) ## check style and types
	@ruff check . && ruff format --check . && mypy

bench: $(PEERS) $(TRITON) $(SERVE) $(TORCH) ## measure forests against other runtimes, other families, every estimator, every score, budgets, servers under load (two hours); BENCH="--quick" for a sample
	@for suite in bench bench.lossless bench.families bench.coverage bench.scores bench.budgets bench.budgets.gates bench.faithful bench.learning bench.boosters bench.nets bench.edge bench.runtimes bench.serving; do .venv-bench/bin/python -m $$suite $(BENCH) || exit; done
	@.venv-torch/bin/python -m bench.qat $(BENCH)

fresh: $(VENV) ## fail if dvc.lock is stale: needs no cache, runs nothing
	@python -m onnxpress fresh

reproduce: $(VENV) ## two fresh clones of HEAD make the same bytes, and those of dvc.lock
	@python -m onnxpress reproduce $(REPRODUCE)

stability: $(VENV) ## repeat split, fit, choice and test over ten seeds: how often would each gate fail; STABILITY="--seeds 20"
	@python -m onnxpress stability $(STABILITY)

sweep: $(VENV) ## try a grid or list of params as experiments and compare them; SWEEP=my.yaml for another file than sweep.yaml
	@python -m onnxpress sweep $(SWEEP)

certify: $(VENV) ## replay test rows in other runtimes: 18 versions of onnxruntime, OpenVINO, tract, a browser, ARM; CERTIFY="--runtime onnxruntime==1.20.1"
	@python -m onnxpress certify $(CERTIFY)

soak: $(VENV) $(TRITON) ## read 100,000 hostile files, send 100,000 requests to the server, kill the chain and publish at random points and see them recover (hours); SOAK="fuzz --cases 1000"
	@python -m bench.soak $(SOAK)

scale: $(VENV) ## measure how time and memory of each stage grow with rows, columns and trees, and what workers save (an hour); SCALE="--quick" for a sample
	@python -m bench.scale $(SCALE)

kubeflow: $(KUBEFLOW) ## compile kubeflow/pipeline.yaml; IMAGE=registry/name:tag for the image as your cluster finds it
	@ONNXPRESS_IMAGE='$(or $(IMAGE),onnxpress-python:0.1.0)' .venv-kubeflow/bin/python -m kubeflow.pipeline

publish: $(VENV) ## publish again, for instance after a change of tracking server
	@dvc repro --single-item --force publish

promote: $(VENV) ## make the registered candidate the champion if it beats the present one
	@python -m onnxpress promote

rollback: $(VENV) ## make the champion before the champion again, and write its manifest for KServe
	@python -m onnxpress rollback

report: $(VENV) ## print the summary of the last run and write outputs/report.html, which opens anywhere
	@python -m onnxpress report --html

doctor: $(VENV) ## check this machine, the tracking server and the place of packaged models: a line per check, within 20 seconds
	@python -m onnxpress doctor

migrate: $(VENV) ## bring a repository of the first edition up to date, and name what cannot be
	@python -m onnxpress migrate

docs: $(VENV) ## write the parts of README and docs/ that follow from the code
	@python -m onnxpress docs

ui: $(VENV) ## serve the embedded MLflow store at http://127.0.0.1:5000 (PORT=5001 for another port)
	@echo "the MLflow UI: http://127.0.0.1:$(PORT) (Ctrl-C ends it)"; \
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false exec mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port $(PORT) --workers 1

serve: PORT = 8000
serve: $(VENV) $(TRITON) ## answer requests with the packaged model by a real Triton at http://127.0.0.1:8000 (PORT=8100 for other ports)
	@exec python -m onnxpress serve --port $(PORT)

cluster: $(VENV) ## run a Dask cluster of this machine for engine.scheduler, at tcp://127.0.0.1:8786; WORKERS=2
	@exec python -m onnxpress cluster --workers $(or $(WORKERS),2)

score: $(VENV) ## write what model_quantized.onnx predicts for a file, folder or glob of tables: TABLE=rows OUTPUT=scored; SCORE="--keep id" for options
	@python -m onnxpress score outputs/model_quantized.onnx '$(TABLE)' --output '$(OUTPUT)' $(SCORE)

clean: ## remove the environments, caches of tools, and byte code (outputs and MLflow runs stay)
	@rm -rf .venv .venv-bench .venv-mlflow2 .venv-triton .venv-serve .venv-kubeflow .venv-torch .venv-spark .pytest_cache .mypy_cache .ruff_cache
	@find onnxpress stages kubeflow tests bench -name __pycache__ -prune -exec rm -rf {} +

lock: $(VENV) ## resolve requirements/main.lock again from pyproject.toml
	@uv pip compile pyproject.toml --extra dev --python-version 3.11 --generate-hashes --upgrade -q -o requirements/main.lock

$(VENV): requirements/main.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("onnxpress needs Python 3.11 or newer, this is %d.%d; run: make PYTHON=python3.11" % v[:2])'
	@echo "setting up .venv from requirements/main.lock (once)"
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/main.lock > .venv/uv.txt
	@python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	@uv pip sync --quiet --python .venv/bin/python requirements/main.lock
	@touch $@

$(PEERS): $(VENV) requirements/peers.lock
	@echo "setting up .venv-bench with the runtimes to compare with (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-bench
	@uv pip sync --quiet --python .venv-bench/bin/python requirements/main.lock requirements/peers.lock || \
		{ echo "the peers do not install here; measuring without them"; uv pip sync --quiet --python .venv-bench/bin/python requirements/main.lock; }
	@touch $@

$(MLFLOW2): $(VENV) requirements/mlflow2.lock
	@echo "setting up .venv-mlflow2 with an MLflow 2 server for the tests (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-mlflow2
	@uv pip sync --quiet --python .venv-mlflow2/bin/python requirements/mlflow2.lock
	@touch $@

$(SERVE): $(VENV) requirements/serve.lock
	@echo "setting up .venv-serve with KServe's server and the schemas for the tests (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-serve
	@uv pip sync --quiet --python .venv-serve/bin/python requirements/serve.lock
	@touch $@

$(KUBEFLOW): $(VENV) requirements/kubeflow.lock requirements/hadolint.lock requirements/operator.lock
	@echo "setting up .venv-kubeflow with KFP, and the linter and schemas for the tests (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-kubeflow
	@uv pip sync --quiet --python .venv-kubeflow/bin/python requirements/kubeflow.lock requirements/hadolint.lock requirements/operator.lock
	@touch $@

$(SPARK): $(VENV) requirements/spark.lock
	@echo "setting up .venv-spark with Spark for the tests (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-spark
	@uv pip sync --quiet --python .venv-spark/bin/python requirements/spark.lock
	@touch $@

$(TRITON): $(VENV) requirements/triton.lock
	@echo "setting up .venv-triton with a Triton server (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-triton
	@uv pip sync --quiet --python .venv-triton/bin/python requirements/triton.lock || \
		{ echo "Triton does not install here: its wheel needs Linux with glibc 2.35 or newer, on x86-64 or aarch64"; exit 1; }
	@touch $@

# By pip, which takes the CPU build from wherever it is told to look; by plain names it comes with CUDA, in gigabytes.
$(TORCH): $(VENV) requirements/torch.lock
	@echo "setting up .venv-torch with PyTorch for the tests (once)"
	@uv venv --quiet --clear --python .venv/bin/python .venv-torch
	@uv pip sync --quiet --python .venv-torch/bin/python requirements/main.lock
	@python -m pip --python .venv-torch/bin/python install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/torch.lock || \
		{ echo "the CPU build of PyTorch was not found: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu"; exit 1; }
	@touch $@
