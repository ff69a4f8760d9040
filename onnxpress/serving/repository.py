"""A Triton model repository: the folder that a server loads, and the digest that names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

import onnx

from onnxpress.serving.triton import Batching, model_config

VERSION = "1"
"""The folder of the model's version. A new content is a new repository, so there is one version."""
CONFIG = "config.pbtxt"
MODEL = "model.onnx"
"""The name that the onnxruntime backend looks for."""


def repository_files(model: bytes, name: str, batching: Batching) -> dict[str, bytes]:
    """Return the files of a repository with one model by path, such as ``iris/1/model.onnx``.

    ``model`` is an ONNX file, which goes in byte for byte.

    Raises:
        UserError: a server cannot form batches for this graph.
    """
    config = model_config(onnx.load_from_string(model), name, batching)
    return {f"{name}/{CONFIG}": config.encode(), f"{name}/{VERSION}/{MODEL}": model}


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return a SHA-256 in hex over the paths and bytes of a repository's files.

    It can be computed anywhere, in the folder of the repository:
    ``find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum``.
    """
    lines = [f"{sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items())]
    return sha256("".join(lines).encode()).hexdigest()


def digest_file(digest: str) -> bytes:
    """Return the bytes of ``digest.json``."""
    return f"{json.dumps({'content_digest': digest}, indent=2)}\n".encode()
