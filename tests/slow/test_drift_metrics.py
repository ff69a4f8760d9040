"""The drift component in a real Triton: what shifted rows do to its metrics, and others do not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import requests

from bench.serving.load import send as send_load
from onnxpress.commands.open_inference import infer_request, outputs_of
from onnxpress.commands.serve.installation import find_installation
from onnxpress.commands.serve.local_repository import copy_for_python
from onnxpress.commands.serve.triton_server import HOST, Ports, running
from onnxpress.drift.profiling import LIMIT, drift_profile
from onnxpress.drift.traces import Tensors, requests_in
from onnxpress.pipeline.files import write_folder
from onnxpress.serving.kserve import Resources
from onnxpress.serving.monitoring.drift import drift_panels
from onnxpress.serving.monitoring.watched import Watched
from onnxpress.serving.packaging import Deployment, packaged
from onnxpress.serving.triton import Batching
from onnxpress.tables.rows import Feeds, take
from tests.conftest import ROOT
from tests.support import pages
from tests.support.packaged import ENVIRONMENT, Packaged, Server, assert_same, package, served
from tests.support.prometheus import prometheus, short_files
from tests.support.servers import free_port, surroundings

pytestmark = pytest.mark.proof

SECONDS = 20
"""The component looks every two seconds."""
BLOCKS = pages.other_blocks(pages.PAGES)
DRIFT_COMMANDS = [block.strip() for block in BLOCKS if block.startswith("onnxpress drift")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`onnxpress serve` with a component that counts every second request."""
    made = package(tmp_path_factory.mktemp("drift"), "texts")
    write_folder(made.folder / "outputs" / "serving", files(made, every=2))
    with served(made) as server:
        yield server


def files(made: Packaged, every: int) -> dict[str, bytes]:
    feeds = made.rows.feeds
    profile = drift_profile(made.model, made.schema, feeds, feeds)
    deployment = Deployment("model", Batching(), Resources(), drift_every=every)
    return packaged(made.model, made.schema, profile, deployment, "1.3", [])


def test_metrics_follow_the_rows_that_are_sent(server: Server) -> None:
    rows = server.packaged.rows
    everything = [take(rows.feeds, part) for part in np.array_split(np.arange(len(rows)), 7)]
    before = send(server, everything * 2, rows=len(rows))
    assert {name: index for name, index in before.items() if index > LIMIT} == {}
    moved = [{**part, "body_mass_g": part["body_mass_g"] + 800} for part in everything]
    after = send(server, moved * 2, rows=2 * len(rows))
    assert [name for name, index in after.items() if index > chance(server)[name]]
    assert after["body_mass_g"] > LIMIT
    assert after["island"] == pytest.approx(before["island"], abs=0.01)


def test_traces_are_deleted_and_none_is_left_unread(server: Server) -> None:
    folder = next(path for path in server.memory_files() if path.is_dir()) / "traces"
    deadline = time.monotonic() + SECONDS
    while any(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(folder.iterdir()) == []
    assert metric(server, "onnxpress_drift_unread_total") == {"": 0.0}


def send(server: Server, parts: list[Feeds], rows: int) -> dict[str, float]:
    """Hold the answers to requests, and wait until so many rows are counted; the indices then."""
    for part in parts:
        body = json.dumps(infer_request(part))
        came = requests.post(server.url, data=body, timeout=30)
        assert_same(outputs_of(came.json()), server.packaged.predict(part))
    deadline = time.monotonic() + SECONDS
    while metric(server, "onnxpress_drift_rows")[""] < rows:
        assert time.monotonic() < deadline, metric(server, "onnxpress_drift_rows")
        time.sleep(0.2)
    return metric(server, "onnxpress_drift_psi")


def chance(server: Server) -> dict[str, float]:
    return metric(server, "onnxpress_drift_psi_chance")


def metric(server: Server, name: str) -> dict[str, float]:
    """A metric of Triton's page by the label ``name``."""
    text = requests.get(f"http://127.0.0.1:{server.port + 2}/metrics", timeout=10).text
    found: dict[str, float] = {}
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.startswith(f"{name}{{"):
            found[_label(series)] = float(value)
    return found


def _label(series: str) -> str:
    _, _, rest = series.partition('name="')
    return rest.partition('"')[0]


def test_a_server_that_is_busy_goes_on(server: Server, tmp_path: Path) -> None:
    """A Triton as old as the wheel's dies within seconds if it writes the traces itself."""
    bodies = tmp_path / "bodies"
    bodies.write_text(server.body(0, 4) + "\n")
    before = server.children()
    send_load(server.url, bodies, clients=64, seconds=10)
    assert server.children() == before


@pytest.mark.parametrize("table", ["texts", "numbers", "regression"])
def test_the_traces_are_those_of_triton(table: str, tmp_path: Path) -> None:
    made = package(tmp_path / "made", table)
    write_folder(made.folder / "outputs" / "serving", files(made, every=2))
    ours, tritons = (traces(made, tmp_path / f"{each}", each) for each in (False, True))
    assert len(ours) == len(tritons) == 3
    for one, other in zip(ours, tritons, strict=True):
        for mine, its in zip(one, other, strict=True):
            assert list(mine) == list(its)
            for name, values in its.items():
                np.testing.assert_array_equal(mine[name], values, strict=True)


def traces(made: Packaged, folder: Path, by_triton: bool) -> list[tuple[Tensors, Tensors]]:
    """What is traced of six requests of two rows."""
    installation = find_installation(ENVIRONMENT)
    model = made.folder / "outputs" / "serving" / "repository" / "model"
    options = copy_for_python(model, folder, installation, by_triton=by_triton)
    shutil.rmtree(folder / "repository" / "model-drift")  # which would read the traces
    ports = Ports.following(free_port(3))
    with running(installation, folder, ports, options):
        for part in np.arange(12).reshape(6, 2):
            body = json.dumps(infer_request(take(made.rows.feeds, part)))
            url = f"http://{HOST}:{ports.http}/v2/models/model/infer"
            assert requests.post(url, data=body, timeout=30).status_code == 200
    found = sorted((folder / "traces").iterdir(), key=lambda file: int(file.suffix[1:]))
    return [each for file in found for each in requests_in(file.read_text("utf-8"))]


def test_a_profile_that_is_wrong_does_not_keep_the_model_from_answering(tmp_path: Path) -> None:
    made = package(tmp_path, "texts")
    broken = files(made, every=1) | {"repository/model-drift/1/drift_profile.json": b"{}"}
    write_folder(made.folder / "outputs" / "serving", broken)
    with served(made) as server:
        server.answers(0, 3)
        assert metric(server, "onnxpress_drift_rows") == {}


RULES_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'onnxpress_drift_psi{LABELS,name="age"}'
        values: '0.5+0x20 0.1+0x20'
      - series: 'onnxpress_drift_psi_chance{LABELS,name="age"}'
        values: '0.3+0x40'
      - series: 'onnxpress_drift_psi{LABELS,name="luck"}'
        values: '0.5+0x40'
      - series: 'onnxpress_drift_psi_chance{LABELS,name="luck"}'
        values: '0.6+0x40'
    alert_rule_test:
      - {eval_time: 3m, alertname: InferenceDrift, exp_alerts: []}
      - eval_time: 10m
        alertname: InferenceDrift
        exp_alerts:
          - exp_labels:
              {job: triton-model, model: model, kind: feature, name: age, severity: warning}
            exp_annotations:
              summary: "the feature age of model has drifted from the training rows: PSI 0.50"
      - {eval_time: 30m, alertname: InferenceDrift, exp_alerts: []}
""".replace("LABELS", 'job="triton-model",model="model",kind="feature"')


def test_the_alert_fires_above_limit_and_chance_and_clears(server: Server, tmp_path: Path) -> None:
    rules = server.packaged.folder / "outputs/serving/monitoring/rules.yml"
    (tmp_path / "rules.yml").write_bytes(rules.read_bytes())
    (tmp_path / "test.yml").write_text(RULES_TEST)
    command = ["promtool", "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", DRIFT_COMMANDS)
def test_the_commands_of_the_pages_work(command: str, server: Server) -> None:
    folder = server.packaged.folder
    rows = server.packaged.rows
    parts = np.array_split(np.random.default_rng(0).permutation(len(rows)), 9)
    lines = [json.dumps(infer_request(take(rows.feeds, part))) for part in parts]
    (folder / "requests.jsonl").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=folder,
        env=surroundings(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "most changed" in done.stdout) == (0, True), done.stderr


def test_a_real_prometheus_fires_the_alert_and_clears_it(server: Server, tmp_path: Path) -> None:
    watched = Watched("model", 100, on_kserve=False, drift=True)
    short_files(watched, server.port + 2, tmp_path)
    rows = server.packaged.rows.feeds
    moved = {**rows, "body_mass_g": rows["body_mass_g"] + 800}

    alert = 'ALERTS{alertname="InferenceDrift",name="body_mass_g",alertstate="firing"}'
    with prometheus(tmp_path) as seen:
        seen.until(partial(seen.has, alert), partial(post, server, moved))
        for panel in drift_panels(watched):
            seen.until(partial(seen.has, panel.queries[0][0]))
        seen.until(lambda: not seen.has(alert), partial(post, server, rows))


def post(server: Server, feeds: Feeds) -> None:
    body = json.dumps(infer_request(feeds))
    assert requests.post(server.url, data=body, timeout=30).status_code == 200
