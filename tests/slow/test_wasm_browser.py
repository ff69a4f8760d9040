"""A model as WebAssembly in a real browser."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path

from bench.edge.random_models import random_model
from onnxpress.bodies.reading import read_program
from tests.support.browser import chromium
from tests.support.compilers import tool
from tests.support.exported import asking, check, written_as_wasm


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_chromium_answers_as_onnxruntime_does(tmp_path: Path) -> None:
    tool("clang")
    folder = tmp_path / "page"
    folder.mkdir()
    _, model, rows = random_model(2)
    expected = written_as_wasm(folder, model, rows)
    script = asking("./model.js", '"model.wasm"', expected)
    page = f'<script type="module">{script} document.body.textContent = found;</script>'
    (folder / "index.html").write_text(f"<!doctype html><body>{page}")
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with chromium(tmp_path / "profile") as browser:
            browser.get(f"http://127.0.0.1:{server.server_port}/index.html")
            wait = (
                'const done = arguments[0]; const look = () => document.body.textContent[0] === "{"'
            )
            wait += " ? done(document.body.textContent) : setTimeout(look, 50); look();"
            browser.set_script_timeout(30)
            found = browser.execute_async_script(wait)
        server.shutdown()
    check(found, expected, read_program(model).classes)
