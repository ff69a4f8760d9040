"""Every error of the table in docs/mlflow.md happens in a real publish.

Each is one line with the words of the table, and has its exit code.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
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
import yaml

from onnxpress.pipeline.files import read_json
from onnxpress.tracking.failures import CAUSES
from tests.conftest import ROOT
from tests.support.publish_fixtures import (
    make_repository,
    numeric_rows,
    package,
    publish_command,
    set_params,
)
from tests.support.published import runs_of
from tests.support.secrecy import echoing
from tests.support.servers import (
    S3,
    black_hole,
    free_port,
    mlflow2_server,
    proxy,
    s3_server,
    surroundings,
)

PAGE = (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \|", PAGE, re.MULTILINE)
ADMIN, READER = (
    "admin:password1234",
    "reader:reader-password-9876",
)  # the first is MLflow's own first user
LIMIT_SECONDS = 90
"""Of the whole process.

The network may take 10 s of it, the process 15 s on a quiet machine; starting up on a busy machine
takes the rest. MLflow by itself tries for minutes.
"""


@dataclass(frozen=True)
class World:
    """A repository, a server with logins that keeps artefacts in S3, and where to publish to."""

    folder: Path
    server: str
    s3: S3
    log: Path
    """Of the server."""
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
        assert not [
            secret
            for secret in (ADMIN, READER, self.s3.secret_key)
            if secret.rpartition(":")[2] in done.stderr
        ]
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
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, S3, Path]]:
    """An MLflow 2 server with logins, the S3 store of its artefacts, and the server's log.

    The server has no credentials for the S3 store.
    """
    folder = tmp_path_factory.mktemp("servers")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/auth.db\n"
        "admin_username = admin\nadmin_password = password1234\nauthorization_function = "
        "mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {
        "MLFLOW_AUTH_CONFIG_PATH": f"{folder}/auth.ini",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of these tests",
    }
    options = ("--app-name", "basic-auth", "--artifacts-destination", "s3://artefacts/proxied")
    with (
        s3_server(folder) as s3,
        mlflow2_server(folder, *options, **s3.without_credentials, **variables) as server,
    ):
        user, _, password = READER.partition(":")
        answer = requests.post(
            f"{server.replace('//', f'//{ADMIN}@')}/api/2.0/mlflow/users/create",
            json={"username": user, "password": password},
            timeout=30,
        )
        answer.raise_for_status()
        yield server, s3, folder / "mlflow.log"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture
def world(stores: tuple[str, S3, Path], template: Path, tmp_path: Path) -> World:
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
    certificate.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    with web_server({"/health": "OK"}, certificate) as address:
        return world.publish(address)


def is_not_an_mlflow_server(world: World) -> str:
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


def does_not_permit_this(world: World) -> str:
    permission = {
        "experiment_id": world.experiment(),
        "username": READER.partition(":")[0],
        "permission": "READ",
    }
    answer = requests.post(
        f"{world.address(ADMIN)}/api/2.0/mlflow/experiments/permissions/create",
        json=permission,
        timeout=30,
    )
    answer.raise_for_status()
    return world.publish(world.address(READER))


def is_deleted_in(world: World) -> str:
    answer = requests.post(
        f"{world.address(ADMIN)}/api/2.0/mlflow/experiments/delete",
        json={"experiment_id": world.experiment()},
        timeout=30,
    )
    answer.raise_for_status()
    return world.publish(world.address(ADMIN))


def this_machine_has_no_s3_credentials(world: World) -> str:
    world.experiment("s3://artefacts/direct")
    return world.publish(world.address(ADMIN), **world.s3.without_credentials)


def needs_s3_credentials_and_this_machine_has_none(world: World) -> str:
    set_params(world.folder, "package", storage_uri="s3://artefacts/models")
    package(world.folder)
    return world.publish(**world.s3.without_credentials)


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
        database.execute(
            "update alembic_version set version_num = '451aebb31d03'"
        )  # as MLflow 1.0 marks its tables
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


def publish_tracking_uri_should_hold_no_password(world: World) -> str:
    set_params(world.folder, "publish", tracking_uri=world.address(ADMIN))
    return world.publish()


def publish_tracking_uri_or_mlflow_tracking_uri_should_be(world: World) -> str:
    return world.publish("file:///tmp/mlruns")


def its_message_repeats_a_secret_so_it_is_not_shown(world: World) -> str:
    with echoing() as port:
        return world.publish(f"http://{ADMIN}@127.0.0.1:{port}")


def scenario(row: str) -> Callable[[World], str]:
    """The function that makes the error of a row of the table happen, which is named after it."""
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", row.lower())).strip("_").removesuffix("_404")
    found: Callable[[World], str] = globals()[name]
    return found


def test_the_table_has_every_cause_that_publish_can_name() -> None:
    causes = [re.sub(r" \{.*", "", what) for _, what, _ in CAUSES]
    assert len(ROWS) > len(causes)
    assert not [what for what in causes if not any(what in row or row in what for row in ROWS)]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table_happens_and_says_what_the_table_says(
    row: str, world: World
) -> None:
    assert row in scenario(row)(world)


def test_wrong_password_is_reported_and_not_repeated(world: World) -> None:
    assert "refuses the credentials" in world.publish(world.address("admin:wrong-password-4321"))


def test_right_login_ends_in_a_complete_run_and_is_written_nowhere(
    world: World, tmp_path: Path
) -> None:
    world.experiment("s3://artefacts/direct")
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["publish"]
    stage["deps"] = [path for path in stage["deps"] if path.startswith("outputs/")]
    (world.folder / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"publish": stage}}), encoding="utf-8"
    )
    user, _, password = ADMIN.partition(":")
    environment = surroundings(
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        PYTHONPATH=str(ROOT),
        DVC_SITE_CACHE_DIR=str(tmp_path / "site-cache"),
        MLFLOW_TRACKING_URI=world.server,
        MLFLOW_TRACKING_USERNAME=user,
        MLFLOW_TRACKING_PASSWORD=password,
        **world.s3.variables(),
    )
    said = ""
    for command in ("dvc init -q --no-scm", "dvc repro"):
        done = subprocess.run(
            command.split(),
            cwd=world.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    assert read_json(world.folder / "outputs/mlflow_run.json")["tracking_uri"] == world.server
    assert (world.folder / "dvc.lock").exists()
    (run,) = runs_of(world.address(ADMIN), world.name)
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    said += str(run.to_dictionary())
    stored = [
        world.s3.client().get_object(Bucket=world.s3.bucket, Key=key)["Body"].read()
        for key in world.s3.stored()
    ]
    assert len(stored) > 10
    written = [path.read_bytes() for path in (*tmp_path.rglob("*"), world.log) if path.is_file()]
    assert not [text for text in (*stored, *written, said.encode()) if password.encode() in text]
    assert not [
        text for text in (*stored, *written, said.encode()) if world.s3.secret_key.encode() in text
    ]
