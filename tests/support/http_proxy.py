"""An HTTP proxy for tests, before a real server.

It passes everything on but chosen requests, which get an error of its own.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

HOP_BY_HOP = {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
"""Headers that belong to a connection or to the form that ``requests`` has undone already."""


@dataclass
class Faults:
    """Which request gets an error instead of its answer, and what has been asked."""

    kind: str
    """As :func:`kind_of` names it."""
    number: int
    """Which of that kind fails, counted from 1."""
    status: int = 500
    lost_answer: bool = False
    """Whether the server has done what was asked before the error is told."""
    seen: list[str] = field(default_factory=list)
    """The kind of every request so far."""
    failed: int = 0

    def strikes(self, kind: str) -> bool:
        """Note a request, and say whether it fails."""
        self.seen.append(kind)
        if kind != self.kind or self.seen.count(kind) != self.number:
            return False
        self.failed += 1
        return True


def kind_of(method: str, path: str, body: bytes) -> str:
    """What a request does, in words that are the same for every run.

    No ids, no queries, no names of files.
    """
    path = re.sub(r"^/(api/2\.0/mlflow.)?", "", path.partition("?")[0])
    if path.startswith("artifacts/"):
        owner = "model" if "/models/" in path else "check" if "write-test" in path else "run"
        return f"{method} file of the {owner}"
    told = json.loads(body) if path in {"runs/set-tag", "runs/update"} else {}
    words = (
        method,
        re.sub(r"m-[0-9a-f]{32}", "<id>", path),
        told.get("key", "").partition(".")[0],
        told.get("status", ""),
    )
    return " ".join(filter(None, words))


@contextmanager
def http_proxy(server: str, faults: Faults) -> Iterator[str]:
    """The address of a proxy before ``server``, until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                struck = faults.strikes(kind_of(self.command, self.path, body))
            if struck and not faults.lost_answer:
                return self.answer(faults.status, {}, b"Internal Server Error")
            headers = {
                key: value
                for key, value in self.headers.items()
                if key.lower() not in {"host", *HOP_BY_HOP}
            }
            came = requests.request(
                self.command, f"{server}{self.path}", data=body, headers=headers, timeout=60
            )
            if struck:
                return self.answer(faults.status, {}, b"Internal Server Error")
            kept = {
                key: value for key, value in came.headers.items() if key.lower() not in HOP_BY_HOP
            }
            return self.answer(came.status_code, kept, came.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815 - names of the standard library

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
