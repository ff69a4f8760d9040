"""A model in Chromium: as WebAssembly of its own, and in onnxruntime-web."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from selenium import webdriver

from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.wasm import compiled, javascript
from onnxpress.certify.environments import installed
from onnxpress.certify.usual import OTHERS
from onnxpress.runtimes import Kind

OWN = ("model.js", "model.wasm")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PAGE = """<!doctype html><link rel="icon" href="data:,"><body><script type="module">
const row = ROW;
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const measured = async (start, ask, calls) => {
  const from = performance.now(), model = await start();
  const loaded = performance.now() - from;
  const times = [];
  for (let turn = 0; turn < 30; turn++) {
    const begun = performance.now();
    for (let call = 0; call < calls; call++) await ask(model);
    times.push((performance.now() - begun) / calls * 1000);
  }
  return { load_ms: loaded, us_per_row: median(times) };
};
const files = () => performance.getEntriesByType("resource").map((each) => each.name);
try {
  const own = await measured(
    async () => (await import("./model.js")).load("model.wasm"),
    (model) => model.predict(row), 10000);
  const before = files();
  const runtime = await measured(async () => {
    globalThis.ort = await import("./dist/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1;
    return ort.InferenceSession.create("model.onnx");
  }, (session) => session.run(
    { [session.inputNames[0]]: new ort.Tensor("float32", row, [1, row.length]) }), 300);
  const loaded = files().filter((name) => !before.includes(name));
  document.title = JSON.stringify({ own, runtime, loaded });
} catch (error) { document.title = JSON.stringify({ error: String(error.stack || error) }); }
</script>"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 - as the base class has it
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def in_browser(model: onnx.ModelProto, row: NDArray[np.float32]) -> dict[str, Any]:
    """Load time, time of a row and the bytes of all files that each loads: ``own``, ``runtime``."""
    (web,) = (runtime for runtime in OTHERS if runtime.kind is Kind.WEB)
    dist = installed(web).packages / "node_modules" / web.kind / "dist"
    program = read_program(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = c_sources(program, "model", "model.onnx")
        (folder / "model.wasm").write_bytes(compiled(program, sources, "model"))
        (folder / "model.js").write_text(javascript(program, "model"))
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        (folder / "dist").symlink_to(dist)
        (folder / "index.html").write_text(PAGE.replace("ROW", json.dumps(row.tolist())))
        handler = functools.partial(_Handler, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            found = _in_chromium(f"http://127.0.0.1:{server.server_port}/index.html")
            server.shutdown()
        paths = [folder / each.split("/", 3)[3] for each in found.pop("loaded")]
        found["runtime"]["bytes"] = sum(path.stat().st_size for path in paths)
        found["own"]["bytes"] = sum((folder / each).stat().st_size for each in OWN)
    return found


def _in_chromium(address: str) -> dict[str, Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS:
        options.add_argument(flag)
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.set_script_timeout(120)
        browser.get(address)
        wait = "const done = arguments[0]; const look = () => document.title ? done(document.title)"
        found = browser.execute_async_script(f"{wait} : setTimeout(look, 50); look();")
    result: dict[str, Any] = json.loads(found)
    if "error" in result:
        raise RuntimeError(result["error"])
    return result
