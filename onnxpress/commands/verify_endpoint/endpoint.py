"""A model behind an address that speaks the Open Inference Protocol, version 2, over HTTP."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from onnxpress.commands.open_inference import binary_request, infer_request, outputs_of
from onnxpress.credentials import sources
from onnxpress.credentials.addresses import SERVERS, Unreadable, public, read
from onnxpress.errors import ServerError, UserError
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import predictions_of
from onnxpress.tables.rows import Feeds
from onnxpress.text import shortened

TOKEN = "ONNXPRESS_ENDPOINT_TOKEN"  # noqa: S105 - the name of a variable
"""Its value is sent as a bearer token."""


@dataclass(frozen=True)
class Answer:
    """What the endpoint predicts for the rows of a request, and how long that took."""

    predictions: Predictions
    milliseconds: float
    """From the first byte sent to the last received, without making and reading the JSON."""


def bearer_token() -> str | None:
    """Return the token to send, None without one; it is never printed.

    Raises:
        UserError: it cannot be sent.
    """
    token = os.environ.get(TOKEN)
    if not token:
        return None
    sources.remember(token)
    if not (token.isascii() and token.isprintable()):
        raise UserError(f"{TOKEN} should be one line of ASCII; set it again")
    return token


def answer_of(
    shown: str, response: Any, read: Callable[[Any], dict[str, Any]], rows: int, milliseconds: float
) -> Answer:
    """Return the answer to a request for ``rows`` rows; ``read`` returns a response's outputs.

    Raises:
        ServerError: the response does not have a prediction for each row.
    """
    try:
        predictions = predictions_of(_text(read(response)))
    except (KeyError, ValueError, UserError) as error:
        came = shortened(" ".join(str(response).split()))
        raise ServerError(
            f"{shown} should answer with label or prediction, got {came} ({error}); check --model"
        ) from error
    if len(predictions.values) != rows:
        came = str(len(predictions.values))
        raise ServerError(f"{shown} should answer {rows} rows with as many, got {came}")
    return Answer(predictions, milliseconds)


class Endpoint:
    """A model at an endpoint, over one connection that stays open."""

    def __init__(
        self,
        address: str,
        model: str,
        *,
        host: str | None = None,
        seconds: float = 10.0,
        binary: bool = False,
    ) -> None:
        """Name the model at ``address``, such as http://127.0.0.1:8000; nothing is sent yet.

        ``host`` is sent as the header Host, which ingresses route by. An answer may take
        ``seconds``. With ``binary``, rows are sent in the protocol's binary extension.

        Raises:
            UserError: it is not an address of HTTP, or the token cannot be sent.
        """
        try:
            parts = read(address)
        except Unreadable as error:
            raise UserError(f"URL should be like http://127.0.0.1:8000, got {error}") from error
        if parts.scheme not in SERVERS or parts.query or parts.fragment:
            raise UserError(f"URL should be like http://127.0.0.1:8000, got {public(address)}")
        self.shown = f"{public(address).rstrip('/')}/v2/models/{model}"
        self.seconds, self.binary = seconds, binary
        self._url = f"{address.rstrip('/')}/v2/models/{model}"
        self._session = requests.Session()
        if host:
            self._session.headers["Host"] = host
        if token := bearer_token():
            self._session.headers["Authorization"] = f"Bearer {token}"

    def metadata(self) -> dict[str, Any]:
        """Return the names, types and shapes of the model's inputs and outputs.

        Raises:
            ServerError: the endpoint does not answer, or not as the protocol says.
        """
        content = self._checked(self._send("GET", "", {}, None))
        if not isinstance(content, dict) or not isinstance(content.get("inputs"), list):
            raise ServerError(
                f"{self.shown} should answer with its inputs, as the Open Inference Protocol 2 "
                f"says, got {shortened(repr(content))}; check the URL and --model"
            )
        return content

    def infer(self, feeds: Feeds) -> Answer:
        """Have the endpoint predict rows.

        Raises:
            ServerError: the endpoint does not answer, refuses the rows, or answers something else.
        """
        headers = {"Content-Type": "application/json"}
        if self.binary:
            body, length = binary_request(feeds)
            headers["Inference-Header-Content-Length"] = str(length)
            headers["Content-Type"] = "application/octet-stream"
        else:
            body = json.dumps(infer_request(feeds)).encode()
        begun = time.perf_counter()
        response = self._send("POST", "/infer", headers, body)
        taken = 1000 * (time.perf_counter() - begun)
        content = self._checked(response)
        rows = len(next(iter(feeds.values())))
        return answer_of(self.shown, content, outputs_of, rows, taken)

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> requests.Response:
        try:
            return self._session.request(
                method, self._url + path, data=body, headers=headers, timeout=self.seconds
            )
        except requests.RequestException as error:
            line = shortened(" ".join(str(error).split()))
            raise ServerError(
                f"{self.shown} does not answer ({line}); check the URL, or start the server"
            ) from error

    def _checked(self, response: requests.Response) -> Any:
        if response.status_code != requests.codes.ok:
            line = shortened(" ".join(response.text.split()))
            raise ServerError(
                f"{self.shown} answers with HTTP {response.status_code}: {line}; check the URL, "
                f"--model, --host and {TOKEN}"
            )
        try:
            return response.json()
        except ValueError as error:
            raise ServerError(
                f"{self.shown} should answer with JSON, got {shortened(response.text)!r}; "
                "check the URL"
            ) from error


def _text(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs with text as str, which numpy compares with what onnxruntime returns."""
    return {
        name: values.astype(str) if values.dtype == object else values
        for name, values in outputs.items()
    }
