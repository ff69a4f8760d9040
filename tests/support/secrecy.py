"""What the tests of secrets share.

Servers that give secrets back, the cases, and how a command is run and searched.

The search is its own: it knows nothing of how the code under test looks for secrets.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import runpy
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import mlflow
import pytest

from onnxpress.cli import main as onnxpress
from onnxpress.commands.doctor import machine
from tests.support.publish_fixtures import make_repository, numeric_rows, set_params

USER, PASSWORD, TOKEN = "alicia", "s3cr3tPW", "t0kenT0ken"
KEY_ID, SECRET_KEY, SESSION = "AKIASECRETID", "aws/SecretValue+1", "FwoGZXIvYXdzEDsecret"
SECRETS = (PASSWORD, "pwtail", TOKEN, KEY_ID, SECRET_KEY, SESSION)
COMMANDS = ("publish", "doctor", "promote", "doctor --json", "promote --json")
LIMIT_SECONDS = 60


def traces(text: str, *secrets: str) -> list[str]:
    """Find the secrets, also in base64, that a text holds, ignoring line breaks and letter case."""
    plain = "".join(text.split()).replace("\\n", "").lower()
    logins = [
        base64.b64encode(f"{USER}:{password}".encode()).decode()
        for password in (PASSWORD, f"{PASSWORD}/pwtail")
    ]
    alone = [base64.b64encode(secret.encode()).decode() for secret in secrets or SECRETS]
    whole = [*(secrets or SECRETS), *(quote(secret, safe="") for secret in secrets or SECRETS)]
    parts = [
        letters[start : start + 12]
        for letters in (*logins, *alone)
        for start in range(len(letters) - 11)
    ]
    return [
        secret
        for secret in (*whole, *parts)
        if secret.lower() in plain or secret.lower() in plain[::-1]
    ]


Echo = Callable[[str], tuple[int, str]]
"""What a server answers, given the Authorization header: status and body.

With 302 the place to go.
"""


def _json(code: str, message: str) -> str:
    return json.dumps({"error_code": code, "message": message})


def _decoded(header: str) -> str:
    with contextlib.suppress(ValueError):
        return base64.b64decode(header.partition(" ")[2]).decode(errors="replace")
    return header


def _lines(text: str) -> str:
    return "\n    ".join(text[start : start + 7] for start in range(0, len(text), 7))


ECHOES: dict[str, Echo] = {
    "401": lambda header: (401, f"You are not authenticated, header was {header}"),
    "403": lambda header: (403, _json("PERMISSION_DENIED", f"denied for {header}")),
    "500": lambda header: (500, f"Internal error with {header}"),
    "400": lambda header: (400, _json("INVALID_PARAMETER_VALUE", f"bad {header}")),
    "302": lambda header: (302, "http://127.0.0.1:9/elsewhere?auth=" + header.replace(" ", "_")),
    "418": lambda header: (418, f"teapot saw {header}"),
    "418 decoded": lambda header: (418, f"teapot saw {_decoded(header)}"),
    "418 quoted": lambda header: (418, f"teapot saw {quote(header, safe='')}"),
    "418 bare": lambda header: (418, f"teapot saw {header.partition(' ')[2].rstrip('=')}"),
    "418 other case": lambda header: (418, f"teapot saw {header.swapcase()}"),
    "418 backwards": lambda header: (418, f"teapot saw {header[::-1]}"),
    "418 in lines": lambda header: (418, f"teapot saw {_lines(header)}"),
    "418 lines in JSON": lambda header: (418, _json("TEAPOT", _lines(header))),
    "418 half": lambda header: (418, f"teapot saw {header[: len(header) * 3 // 4]}..."),
    "418 login in base64 again": lambda header: (
        418,
        base64.b64encode(f"saw {_decoded(header)} there".encode()).decode(),
    ),
    "418 in an address": lambda header: (
        418,
        f"see http://{_decoded(header)}@h/x?auth={header.replace(' ', '+')}",
    ),
    "307 to a port of words": lambda header: (302, f"http://{_decoded(header)}/x"),
    "not JSON": lambda header: (200, f"<p>welcome, {header}</p>"),
}

S3_ERROR = (
    "<Error><Code>{code}</Code><Message>{told}</Message><AWSAccessKeyId>{key}</AWSAccessKeyId>"
    "<SignatureProvided>{signature}</SignatureProvided>"
    "<StringToSign>AWS4-HMAC-SHA256 {told}</StringToSign></Error>"
)


class _Server(BaseHTTPRequestHandler):
    """Answers health checks as MLflow does, then tells what it was sent."""

    echo: ClassVar[Any]
    """An Echo."""
    healthy: ClassVar[bool] = True
    location: ClassVar[str] = ""
    """Where experiments keep their artefacts; empty: the server knows no experiment."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        header = self.headers.get("Authorization", "")
        path = self.path.partition("?")[0]
        status, body = self.echo(header)
        if self.healthy and path == "/health":
            status, body = 200, "OK"
        elif self.healthy and path == "/version":
            status, body = 200, "3.1.0"
        elif self.location and path.endswith("experiments/get-by-name"):
            place = self.location.replace("HEADER", header.replace(" ", "_")).replace(
                "LOGIN", _decoded(header)
            )
            experiment = {
                "experiment_id": "7",
                "name": "x",
                "artifact_location": place,
                "lifecycle_stage": "active",
            }
            status, body = 200, json.dumps({"experiment": experiment})
        self.send_response(status)
        if status == 302:
            self.send_header("Location", body)
        data = body.encode()
        self.send_header(
            "content-type", "application/json" if body.startswith("{") else "text/plain"
        )
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names of the standard library

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _S3(BaseHTTPRequestHandler):
    """Refuses every request with all that it was sent; lets STS answer first where ``known``."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "AccessDenied"
    known: ClassVar[bool] = False

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        header = self.headers.get("Authorization", "")
        told = f"{header} {self.headers.get('X-Amz-Security-Token', '')}"
        key, _, signature = header.partition("Credential=")[2].partition("Signature=")
        key = key.partition("/")[0]
        body, status = (
            S3_ERROR.format(code=self.code, told=told, key=key, signature=signature),
            self.status,
        )
        if b"GetCallerIdentity" in sent and self.known:
            name = f"{key}/{self.headers.get('X-Amz-Security-Token', '')}"
            body = (
                f"<r xmlns='x'><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/{name}</Arn>"
                "</GetCallerIdentityResult></r>"
            )
            status = 200
        self.send_response(status)
        if status in {302, 307}:
            where = f"http://127.0.0.1:9/x?X-Amz-Credential={key}&X-Amz-Signature={signature}&X-Amz-Security-Token={SESSION}"
            self.send_header("Location", where)
        data = body.encode()
        self.send_header("content-type", "text/xml")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the standard library

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], certificate: Path | None = None
) -> Iterator[int]:
    """The port of a server, until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def echoing(name: str = "418") -> AbstractContextManager[int]:
    """Serve health checks as MLflow does and all else by the named echo; yield the port."""
    return listening(type("Echoing", (_Server,), {"echo": staticmethod(ECHOES[name])}))


def admitting(login: str) -> AbstractContextManager[int]:
    """The port of a server that knows no experiment, and lets in who has this login."""
    basic = f"Basic {base64.b64encode(login.encode()).decode()}"
    absent = 404, _json("RESOURCE_DOES_NOT_EXIST", "no such experiment")
    echo = staticmethod(lambda header: absent if header == basic else (401, "who are you?"))
    return listening(type("Admitting", (_Server,), {"echo": echo}))


@dataclass(frozen=True)
class Case:
    """How secrets are given, and what becomes of the command.

    ``codes`` are the exit codes that it may have.
    """

    name: str
    variables: Mapping[str, str]
    codes: frozenset[int] = frozenset({4})

    def codes_of(self, command: str) -> frozenset[int]:
        """The doctor says of everything that publish would refuse that it is not ready."""
        return self.codes | {4} if command.startswith("doctor") else self.codes


REFUSED = frozenset({2})
DONE = frozenset({0, 2})  # promote finds no candidate in an empty store


def addresses(port: int, tls: int) -> Iterator[Case]:
    """Logins in every form of an address, read rightly or refused."""
    uri = "MLFLOW_TRACKING_URI"
    login = f"{USER}:{PASSWORD}"
    yield Case("closed port", {uri: f"http://{login}@127.0.0.1:9"})
    yield Case("unknown host", {uri: f"http://{login}@nohost.invalid"})
    yield Case("TLS", {uri: f"https://{login}@127.0.0.1:{tls}"})
    for letter in "/#?@[]\\ %:\n\t;'\"<&":
        codes = frozenset({4}) if letter in ":;'\"<&" else REFUSED
        yield Case(
            f"password with {letter!r}", {uri: f"http://{login}{letter}pwtail@127.0.0.1:9"}, codes
        )
        yield Case(
            f"port and {letter!r}", {uri: f"http://{USER}:1{letter}{PASSWORD}@127.0.0.1:9"}, codes
        )
        yield Case(
            f"user with {letter!r}", {uri: f"http://{PASSWORD}{letter}{TOKEN}:x@127.0.0.1:9"}, codes
        )
        quoted = quote(f"{PASSWORD}{letter}pwtail", safe="")
        yield Case(
            f"password with {letter!r}, percent-encoded",
            {uri: f"http://{USER}:{quoted}@127.0.0.1:{port}"},
        )
    yield Case("bad port", {uri: f"http://{login}@127.0.0.1:notaport"}, REFUSED)
    yield Case("high port", {uri: f"http://{login}@127.0.0.1:99999"}, frozenset({2, 4}))
    yield Case("no scheme", {uri: f"{login}@127.0.0.1:9"}, REFUSED)
    yield Case("no scheme, no user", {uri: f"{PASSWORD}@127.0.0.1:9"}, REFUSED)
    yield Case("one slash", {uri: f"http:/{login}@127.0.0.1:9"}, REFUSED)
    yield Case("no slash", {uri: f"http:{login}@127.0.0.1:9"}, REFUSED)
    yield Case("three slashes", {uri: f"http:///{login}@127.0.0.1:9"}, REFUSED)
    for scheme in (
        "ftp",
        "socks5",
        "s3",
        "databricks",
        "file",
        "sqlite",
        "unheard-of",
        "HTTPS",
        PASSWORD,
    ):
        codes = frozenset({4}) if scheme == "HTTPS" else REFUSED
        yield Case(f"scheme {scheme}", {uri: f"{scheme}://{login}@127.0.0.1:9"}, codes)
        yield Case(
            f"scheme {scheme}, / in password",
            {uri: f"{scheme}://{login}/pwtail@127.0.0.1:9"},
            REFUSED,
        )
        yield Case(f"scheme {scheme}, no @", {uri: f"{scheme}://{login}"}, REFUSED)
    yield Case("sqlite, four slashes", {uri: f"sqlite:////{login}@127.0.0.1/db"}, REFUSED)
    yield Case("token as user", {uri: f"http://{TOKEN}@127.0.0.1:{port}"}, REFUSED)
    yield Case("token as user, no password", {uri: f"http://{TOKEN}:@127.0.0.1:{port}"}, REFUSED)
    yield Case("token as password, no user", {uri: f"http://:{TOKEN}@127.0.0.1:{port}"}, REFUSED)
    yield Case("long token as user", {uri: f"http://{TOKEN}{TOKEN}:x@127.0.0.1:{port}"})
    yield Case("token in query", {uri: f"http://127.0.0.1:9/?token={TOKEN}"}, REFUSED)
    yield Case("token in fragment", {uri: f"http://127.0.0.1:9/#{TOKEN}"}, REFUSED)
    yield Case("token in path", {uri: f"http://127.0.0.1:{port}/access/{TOKEN}/"})
    yield Case(
        "known token in path",
        {uri: f"http://127.0.0.1:{port}/{TOKEN}/", "MLFLOW_TRACKING_TOKEN": TOKEN},
    )
    for driver in (
        "postgresql",
        "postgresql+psycopg2",
        "mysql+pymysql",
        "mysql",
        "mssql+pyodbc",
        "mysql+nodriver",
    ):
        yield Case(f"{driver}, closed", {uri: f"{driver}://{login}@127.0.0.1:9/db"})
        yield Case(
            f"{driver}, / in password", {uri: f"{driver}://{login}/pwtail@127.0.0.1:9/db"}, REFUSED
        )
        yield Case(
            f"{driver}, / percent-encoded", {uri: f"{driver}://{login}%2Fpwtail@127.0.0.1:9/db"}
        )
        yield Case(
            f"{driver}, ?password=",
            {uri: f"{driver}://127.0.0.1:9/db?user={USER}&password={PASSWORD}"},
        )
        yield Case(
            f"{driver}, @ in ?password=",
            {uri: f"{driver}://127.0.0.1:9/db?password=x@{PASSWORD}"},
            REFUSED,
        )
    yield Case(
        "a database of connection strings",
        {uri: f"mssql+pyodbc:///?odbc_connect=PWD%3D{PASSWORD}"},
        REFUSED,
    )
    yield Case("embedded store", {uri: f"sqlite:///mlflow.db?password={PASSWORD}"}, DONE)
    keys = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "MLFLOW_TRACKING_TOKEN": TOKEN,
    }
    yield Case(
        "keys beside an embedded store", {**keys, "MLFLOW_TRACKING_PASSWORD": PASSWORD}, DONE
    )
    yield Case(
        "proxy", {uri: "http://nohost.invalid", "HTTP_PROXY": f"http://{login}@127.0.0.1:{port}"}
    )
    yield Case(
        "proxy without scheme", {uri: "http://nohost.invalid", "HTTP_PROXY": f"{login}@127.0.0.1:9"}
    )
    yield Case(
        "proxy that is none",
        {uri: "http://nohost.invalid", "HTTP_PROXY": f"http://{login}/x@127.0.0.1:9"},
    )
    here = f"http://127.0.0.1:{port}"
    yield Case("token of two lines", {uri: here, "MLFLOW_TRACKING_TOKEN": f"{TOKEN}\n{PASSWORD}"})
    yield Case("token that no header holds", {uri: here, "MLFLOW_TRACKING_TOKEN": f"{TOKEN}한"})


def echoes(name: str, port: int) -> Iterator[Case]:
    """Each way to log in to a server that gives back what it got."""
    here = f"127.0.0.1:{port}"
    uri = "MLFLOW_TRACKING_URI"
    named = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    codes = frozenset({0, 2, 4}) if name in {"not JSON", "artefacts at HEADER"} else frozenset({4})
    yield Case(f"user and password, {name}", {uri: f"http://{here}", **named}, codes)
    yield Case(f"token, {name}", {uri: f"http://{here}", "MLFLOW_TRACKING_TOKEN": TOKEN}, codes)
    yield Case(f"in the address, {name}", {uri: f"http://{USER}:{PASSWORD}@{here}"}, codes)


@contextmanager
def all_cases(folder: Path) -> Iterator[list[Case]]:
    """Every case, with its servers running until the block ends."""
    with ExitStack() as servers:

        def port_of(
            kind: type[BaseHTTPRequestHandler], certificate: Path | None = None, **values: Any
        ) -> int:
            return servers.enter_context(
                listening(type(kind.__name__, (kind,), values), certificate)
            )

        pem = folder / "own.pem"
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=127.0.0.1",
            "-keyout",
            "-",
            "-out",
            "-",
        ]
        pem.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
        plain = staticmethod(ECHOES["418 decoded"])
        cases = [
            *addresses(
                port_of(_Server, echo=plain), port_of(_Server, pem, echo=plain, healthy=False)
            )
        ]
        for name, echo in ECHOES.items():
            cases += echoes(name, port_of(_Server, echo=staticmethod(echo)))
            if name in {"401", "403", "500", "400", "302"}:
                cases += echoes(
                    f"{name} at once", port_of(_Server, echo=staticmethod(echo), healthy=False)
                )
        for place in (
            "s3://b/HEADER",
            "s3://LOGIN@b/x",
            "http://LOGIN@127.0.0.1:9/x",
            "sftp://LOGIN@127.0.0.1:9/x",
            "HEADER",
        ):
            cases += echoes(f"artefacts at {place}", port_of(_Server, echo=plain, location=place))
        keys = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": SESSION,
        }
        store = f"http://127.0.0.1:{port_of(_Server, echo=plain, location='s3://bucket/x')}"
        for status, code in (
            (403, "AccessDenied"),
            (418, "Teapot"),
            (500, "InternalError"),
            (302, "Moved"),
            (400, "ExpiredToken"),
        ):
            for known in (False, True):
                port = port_of(_S3, status=status, code=code, known=known)
                variables = {
                    "MLFLOW_TRACKING_URI": store,
                    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                    **keys,
                }
                cases.append(Case(f"S3 {code} {known}", variables))
        for name in ("AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL"):
            for endpoint in (
                f"http://{KEY_ID}:{PASSWORD}@127.0.0.1:9",
                f"http://x:{PASSWORD}/y@127.0.0.1:9",
                f"{USER}:{PASSWORD}@h",
            ):
                variables = {"MLFLOW_TRACKING_URI": store, name: endpoint, **keys}
                cases.append(Case(f"S3 at {name} {endpoint[:5]}", variables, REFUSED | {4}))
        yield cases


def repository(folder: Path) -> Path:
    """A repository to publish from, with a registered model to promote."""
    made = make_repository(folder, numeric_rows())
    set_params(made, "publish", register="forest")
    return made


def run(command: str, folder: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run publish or an `onnxpress` command in this process, which has MLflow imported.

    Returns its exit code.
    """
    module, *options = command.split()
    before, streams = dict(os.environ), (sys.stdout, sys.stderr)
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["-m", *options])
        patch.setattr(machine, "CHECKS", {})  # what is installed here is not asked
        try:
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # takes back what a case before has set, from the environment too
            for name in [name for name in os.environ if name.startswith(("MLFLOW_", "AWS_"))]:
                del os.environ[name]
            os.environ.update(
                {
                    "AWS_EC2_METADATA_DISABLED": "true",
                    "AWS_CONFIG_FILE": os.devnull,
                    "AWS_DEFAULT_REGION": "us-east-1",
                }
            )
            os.environ.update({"NO_PROXY": "127.0.0.1", "HOME": str(folder), **case.variables})
            if module == "publish":
                sys.modules.pop("stages.publish", None)
                runpy.run_module("stages.publish", run_name="__main__", alter_sys=True)
            else:
                onnxpress([module, *options])
        except SystemExit as end:
            return int(str(end.code))
        finally:
            sys.stdout, sys.stderr = streams
            os.environ.clear()
            os.environ.update(before)
    return 0
