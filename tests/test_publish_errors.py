"""Every error of README's MLflow table, made to happen by a real publish: one line, its exit code, the words of the table."""

from __future__ import annotations

import re
import shutil
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.publish_fixtures import make_repository, numeric_rows, publish_command, set_params
from tests.servers import S3, black_hole, free_port, mlflow2_server, proxy, s3_server

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## MLflow") : README.index("## When something is wrong")]
ROWS = re.findall(r"^\| `(.+?)` \|", SECTION, re.MULTILINE)
ADMIN, READER = "admin:password1234", "reader:reader-password-9876"  # the first is MLflow's own first user
LIMIT_SECONDS = 40
"""The whole process. The network may take 10 s of it, within 15 on a quiet machine; starting up on a busy one takes the rest."""


@dataclass(frozen=True)
class World:
    """A repository to publish from, a server with logins that keeps artefacts in S3, and what to publish to."""

    folder: Path
    server: str
    s3: S3
    name: str

    def address(self, login: str) -> str:
        return self.server.replace("//", f"//{login}@")

    def publish(self, uri: str = "", **variables: str) -> str:
        """What publish says of its failure: one line, in time, without secrets."""
        start = time.monotonic()
        done = publish_command(self.folder, uri, **variables)
        assert time.monotonic() - start < LIMIT_SECONDS
        assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
        assert done.returncode in {2, 4}
        assert not [secret for secret in (ADMIN, READER, self.s3.secret_key) if secret.rpartition(":")[2] in done.stderr]
        return done.stderr

    def experiment(self, location: str | None = None) -> str:
        """Make the experiment that is published to; its id."""
        answer = requests.post(
            f"{self.address(ADMIN)}/api/2.0/mlflow/experiments/create",
            json={"name": self.name, **({"artifact_location": location} if location else {})},
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["experiment_id"])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, S3]]:
    """An MLflow 2 server with logins, which has no credentials for the S3 store that it keeps artefacts in; and that store."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/auth.db\n"
        "admin_username = admin\nadmin_password = password1234\nauthorization_function = "
        "mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {"MLFLOW_AUTH_CONFIG_PATH": f"{folder}/auth.ini", "MLFLOW_FLASK_SERVER_SECRET_KEY": "of these tests"}
    options = ("--app-name", "basic-auth", "--artifacts-destination", "s3://artefacts/proxied")
    with s3_server(folder) as s3, mlflow2_server(folder, *options, **s3.without_credentials, **variables) as server:
        user, _, password = READER.partition(":")
        answer = requests.post(
            f"{server.replace('//', f'//{ADMIN}@')}/api/2.0/mlflow/users/create",
            json={"username": user, "password": password},
            timeout=30,
        )
        answer.raise_for_status()
        yield server, s3


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture
def world(stores: tuple[str, S3], template: Path, tmp_path: Path) -> World:
    folder = shutil.copytree(template, tmp_path / "repository")
    set_params(folder, "publish", experiment=tmp_path.name)
    return World(folder, *stores, tmp_path.name)


@contextmanager
def web_server(answers: dict[str, str], certificate: Path | None = None) -> Iterator[str]:
    """A web server that knows the paths of ``answers`` and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(self.path, "").encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        server.shutdown()


def cannot_be_reached(world: World) -> str:
    return world.publish(f"http://127.0.0.1:{free_port()}")


def has_an_unknown_host_name(world: World) -> str:
    return world.publish(f"http://{READER}@no-such-host.invalid:5000")


def does_not_answer_in_time(world: World) -> str:
    with black_hole() as address:
        return world.publish(address)


def cut_the_connection(world: World) -> str:
    with proxy(world.server, budget=0) as cutting:
        return world.publish(cutting.address)


def has_a_certificate_that_cannot_be_verified(world: World) -> str:
    certificate = world.folder.parent / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "-", "-out", "-"]
    certificate.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    with web_server({"/health": "OK"}, certificate) as address:
        return world.publish(address)


def is_no_mlflow_server(world: World) -> str:
    with web_server({}) as address:
        return world.publish(address)


def should_be_2_9_or_newer(world: World) -> str:
    with web_server({"/health": "OK", "/version": "1.30.1"}) as address:
        return world.publish(address)


def refuses_the_credentials(world: World) -> str:
    return world.publish(world.server)


def does_not_permit_you_to_use_the_experiment(world: World) -> str:
    world.experiment()
    return world.publish(world.address(READER))


def is_deleted_in(world: World) -> str:
    answer = requests.post(
        f"{world.address(ADMIN)}/api/2.0/mlflow/experiments/delete", json={"experiment_id": world.experiment()}, timeout=30
    )
    answer.raise_for_status()
    return world.publish(world.address(ADMIN))


def this_machine_has_no_s3_credentials(world: World) -> str:
    world.experiment("s3://artefacts/direct")
    return world.publish(world.address(ADMIN), **world.s3.without_credentials)


def refuses_the_s3_credentials(world: World) -> str:
    world.experiment("s3://artefacts/direct")
    return world.publish(world.address(ADMIN), **world.s3.variables(secret_key="wrong"))  # noqa: S106 - that is the point


def names_a_bucket_that_does_not_exist(world: World) -> str:
    world.experiment("s3://no-such-bucket/direct")
    return world.publish(world.address(ADMIN), **world.s3.variables())


def failed_server_error(world: World) -> str:
    return world.publish(world.address(ADMIN))


def needs_the_python_package(world: World) -> str:
    world.experiment("gs://bucket/direct")
    return world.publish(world.address(ADMIN))


def was_made_by_an_older_mlflow(world: World) -> str:
    publish_command(world.folder)
    with sqlite3.connect(world.folder / "mlflow.db") as database:
        database.execute("update alembic_version set version_num = '451aebb31d03'")  # as MLflow 1.0 marks its tables
    return world.publish()


def is_locked_by_another_program(world: World) -> str:
    publish_command(world.folder)
    with sqlite3.connect(world.folder / "mlflow.db") as database:
        database.execute("begin exclusive")
        return world.publish()


def should_be_a_sqlite_database_but_is_not(world: World) -> str:
    (world.folder / "mlflow.db").write_text("my notes")
    said = world.publish()
    assert (world.folder / "mlflow.db").read_text() == "my notes"
    return said


def is_on_a_full_disk(world: World) -> str:
    blocked = world.folder / "mlartifacts" / re.sub(r"[^\w.-]", "_", world.name) / "models"
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    world.publish()  # leaves a run
    blocked.unlink()
    (file,) = world.folder.glob("mlartifacts/*/*/artifacts/metrics.json")
    file.unlink()
    file.symlink_to("/dev/full")  # which answers as a full disk does
    return world.publish()


def publish_tracking_uri_or_mlflow_tracking_uri_should_be(world: World) -> str:
    return world.publish("file:///tmp/mlruns")


def scenario(row: str) -> Callable[[World], str]:
    """The function that makes the error of a row of the table happen, which is named after it."""
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", row.lower())).strip("_").removesuffix("_404")
    found: Callable[[World], str] = globals()[name]
    return found


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table_happens_and_says_what_the_table_says(row: str, world: World) -> None:
    assert row in scenario(row)(world)
