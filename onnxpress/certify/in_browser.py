"""Replay rows in headless Chromium, on a page from a server that runs meanwhile on loopback."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from onnxpress.certify.environments import SCRIPTS, Environment

OPTIONS = (
    "--headless",
    "--no-sandbox",  # which root cannot have; the page and its script are ours
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class _Handler(SimpleHTTPRequestHandler):
    """Gives the page, the files of the package, and the request; takes the answer."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def __init__(self, *args: object, taken: Taken, **settings: str) -> None:
        self.taken = taken
        super().__init__(*args, **settings)  # type: ignore[arg-type] # those of socketserver

    def do_POST(self) -> None:
        """Take the answer."""
        length = int(self.headers["Content-Length"])
        self.taken.text = self.rfile.read(length).decode()
        self.send_response(204)
        self.end_headers()
        self.taken.there.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Taken:
    """The answer of a page, once it is there."""

    there: threading.Event = field(default_factory=threading.Event)
    text: str = ""


def answer_of_browser(
    environment: Environment, request: Path, folder: Path, seconds: float
) -> tuple[str, str]:
    """Return the answer to a request as JSON, and what went wrong if there is none."""
    site = folder / "site"
    site.mkdir()
    dist = environment.packages / "node_modules" / environment.runtime.kind / "dist"
    (site / "dist").symlink_to(dist)
    (site / "request.json").symlink_to(request)
    for name in ("replay.mjs", "replay.html"):
        (site / name).symlink_to(SCRIPTS / name)
    taken = Taken()
    handler = partial(_Handler, taken=taken, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/replay.html"
        profile = f"--user-data-dir={folder / 'profile'}"
        browser = subprocess.Popen(
            [*environment.program, *OPTIONS, profile, page],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            taken.there.wait(seconds)
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    return taken.text, "" if taken.text else f"no answer in {seconds:.0f} s"
