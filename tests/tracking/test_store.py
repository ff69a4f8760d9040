"""MLflow's settings: a proxied file comes through the server, and from nowhere else."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from onnxpress.tracking.store import use_settings

CONTENT = b"apiVersion: serving.kserve.io/v1beta1\n"
FILE = "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/kserve.yaml"


class Proxying(ThreadingHTTPServer):
    """An MLflow server that passes artefacts on, and offers addresses of its object store."""

    seen: list[str]

    def answer(self, path: str) -> bytes:
        """What it answers for a path."""
        if path.startswith(FILE):
            return CONTENT
        if path.endswith("/server-info"):
            return json.dumps(
                {"multipart_downloads_enabled": True, "multipart_uploads_enabled": True}
            ).encode()
        if "/presigned/" in path:
            store = f"http://127.0.0.1:{self.server_port}/store"
            return json.dumps({"url": store, "headers": {}, "file_size": len(CONTENT)}).encode()
        return json.dumps({"files": []}).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers and notes each path."""

    server: Proxying

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        self.server.seen.append(path)
        body = self.server.answer(path)
        # a 404 of the store is not tried again, as its silence would be for two minutes
        self.send_response(404 if path == "/store" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[Proxying]:
    with Proxying(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_proxied_file_is_not_fetched_from_a_store_that_only_the_server_can_reach(
    server: Proxying, tmp_path: Path
) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    address = f"http://127.0.0.1:{server.server_port}"
    with mock.patch.dict(os.environ, MLFLOW_TRACKING_URI=address):
        use_settings()
        place = f"mlflow-artifacts://127.0.0.1:{server.server_port}/1/r/artifacts"
        store: Any = get_artifact_repository(place)  # has no types
        local = Path(store.download_artifacts("kserve.yaml", str(tmp_path)))
    assert local.read_bytes() == CONTENT
    assert FILE in server.seen
    assert [path for path in server.seen if path == "/store" or "presigned" in path] == []
