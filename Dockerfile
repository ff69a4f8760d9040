# The image of the pipeline's steps (docs/kubeflow.md), built in a clone of the repository:
#   docker build --tag registry.example.org/onnxpress-python:0.1.0 .

FROM python:3.11-slim-bookworm AS system
# git makes the working copy of a step, LightGBM needs libgomp. Debian keeps no older versions to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1 \
    && rm -rf /var/lib/apt/lists/*

FROM system AS environments
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /opt/onnxpress
COPY requirements/main.lock requirements/kubeflow.lock ./
RUN python3 -m venv .venv \
    && sed -n '/^uv==/,/[^\\]$/p' main.lock > uv.txt \
    && .venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r uv.txt \
    && .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python main.lock \
    && .venv/bin/uv venv --quiet --python /usr/local/bin/python3 .venv-kubeflow \
    && .venv/bin/uv pip sync --quiet --require-hashes --python .venv-kubeflow/bin/python kubeflow.lock \
    && rm uv.txt main.lock kubeflow.lock

# Only what is committed: no stray files, and no settings of the builder's git.
FROM system AS repository
COPY . /src
RUN git clone --quiet --no-hardlinks /src /opt/onnxpress/repository \
    && git -C /opt/onnxpress/repository remote remove origin

FROM system
COPY --from=environments /opt/onnxpress /opt/onnxpress
COPY --from=repository /opt/onnxpress/repository /opt/onnxpress/repository
# DVC asks for a user name, and a step may run as any number.
ENV PATH=/opt/onnxpress/.venv-kubeflow/bin:$PATH \
    GIT_CONFIG_SYSTEM=/opt/onnxpress/gitconfig \
    ONNXPRESS_HOME=/opt/onnxpress/repository \
    ONNXPRESS_PYTHON=/opt/onnxpress/.venv/bin/python \
    HOME=/tmp \
    USER=onnxpress \
    DVC_SITE_CACHE_DIR=/tmp/dvc \
    DVC_NO_ANALYTICS=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    PYTHONUNBUFFERED=1
# The code belongs to root, and a step runs as another user, who clones it.
RUN git config --file /opt/onnxpress/gitconfig --add safe.directory /opt/onnxpress/repository/.git
WORKDIR /tmp
USER 10001:0
