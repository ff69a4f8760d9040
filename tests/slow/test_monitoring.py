"""What is packaged to watch a model, with a real Prometheus on a real Triton.

Each alert is caused, fires and clears. Times are shorter than the packaged ones, rules the same.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
import yaml

from bench.serving.panels import picture, record
from onnxpress.pipeline.files import write_folder
from onnxpress.serving.monitoring.files import monitoring_files
from onnxpress.serving.monitoring.panels import panels
from onnxpress.serving.monitoring.watched import Watched
from onnxpress.serving.repository import repository_files
from onnxpress.serving.triton import Batching
from tests.conftest import ROOT
from tests.support import pages
from tests.support.packaged import Packaged, Server, package, served
from tests.support.prometheus import SHORT, Prometheus, prometheus, promtool, short_files

P99_MS = 300
HERE = Watched("model", P99_MS, on_kserve=False)
PODS = Watched("model", P99_MS, on_kserve=True)
MANY = 60_000
"""Rows that take the model a good part of a second on any machine."""
LABELS = 'instance="127.0.0.1:8002",job="triton-model"'
OF_MODEL = f'{LABELS},model="model",version="1"'
UP = f"up{{{LABELS}}}"
SUCCESS = f"nv_inference_request_success{{{OF_MODEL}}}"
FAILURE, GIVEN_UP = (
    f'nv_inference_request_failure{{{OF_MODEL},reason="{reason}"}}'
    for reason in ("BACKEND", "CANCELED")
)
P99 = f'nv_inference_request_summary_us{{{OF_MODEL},quantile="0.99"}}'
PENDING = f"nv_inference_pending_request_count{{{OF_MODEL}}}"


@dataclass(frozen=True)
class Watching:
    """A served model that is watched."""

    server: Server
    seen: Prometheus

    @property
    def instance(self) -> str:
        """What Prometheus calls the server."""
        return f"127.0.0.1:{self.server.port + 2}"

    def post(self, rows: int = 1) -> int:
        """Send a request; the status of the answer."""
        table = self.server.packaged.rows.feeds["X"]
        values = np.resize(table, (rows, table.shape[1])).tobytes()
        tensor = {
            "name": "X",
            "shape": [rows, table.shape[1]],
            "datatype": "FP32",
            "parameters": {"binary_data_size": len(values)},
        }
        whole = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        head = json.dumps(whole).encode()
        answer = requests.post(
            self.server.url,
            head + values,
            headers={"Inference-Header-Content-Length": str(len(head))},
            timeout=60,
        )
        return answer.status_code

    def posts(self, count: int = 5) -> None:
        """Send small requests that are answered."""
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(self.post, [1] * count)) == {200}

    def dashboard(self) -> dict[str, Any]:
        """The dashboard that belongs to the short rules."""
        files = monitoring_files(HERE, SHORT)
        page: dict[str, Any] = json.loads(files["dashboard.json"])
        return page

    def kill(self, name: str) -> None:
        """Kill a process of the server, the only one of this name."""
        found = [psutil.Process(pid) for pid in self.server.children()]
        (process,) = [each for each in found if name in each.name()]
        os.kill(process.pid, signal.SIGKILL)

    def fires(self, *names: str) -> Callable[[], bool]:
        return lambda: set(names) <= set(self.seen.firing())

    def clears(self, *names: str) -> Callable[[], bool]:
        return lambda: not set(names) & set(self.seen.firing())


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    made = package(tmp_path_factory.mktemp("watched"), "numbers")
    repository = repository_files(made.model, "model", Batching(max_batch_size=MANY))
    write_folder(made.folder / "outputs" / "serving" / "repository", repository)
    return made


@pytest.fixture(scope="module")
def watching(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    folder = tmp_path_factory.mktemp("prometheus")
    with served(packaged) as server:
        short_files(HERE, server.port + 2, folder)
        with prometheus(folder) as seen:
            yield Watching(server, seen)


def test_promtool_finds_no_fault(tmp_path: Path) -> None:
    write_folder(tmp_path / "here", monitoring_files(Watched("model", 100, on_kserve=False)))
    assert "SUCCESS: 6 rules found" in promtool("check", "rules", tmp_path / "here" / "rules.yml")
    promtool("check", "config", tmp_path / "here" / "prometheus.yml")
    short_files(PODS, 8002, tmp_path / "there")
    promtool("check", "config", tmp_path / "there" / "prometheus.yml")


def test_every_query_of_the_dashboard_returns_series(watching: Watching) -> None:
    seen, page = watching.seen, watching.dashboard()
    seen.until(partial(seen.has, "up == 1"))
    for panel in page["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "5s")
            seen.until(partial(seen.has, query), watching.posts)
    assert len(page["panels"]) >= 10
    assert seen.firing() == {}


def test_the_picture_of_the_page_has_every_panel_as_prometheus_answers(packaged: Packaged) -> None:
    drawn = record(packaged.folder, seconds=8)
    assert [each.panel.title for each in drawn] == [panel.title for panel in panels(HERE, SHORT)]
    up, waiting = (
        [values.max() for _, _, values in each.series]
        for each in drawn
        if each.panel.title in {"Servers", "Requests that wait"}
    )
    assert (up, len(waiting)) == ([1.0], 1)
    assert picture(drawn).startswith(b"\x89PNG")


def test_the_command_of_the_page_loads_what_is_packaged(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "serving" / "monitoring"
    write_folder(folder, monitoring_files(HERE))
    (command,) = pages.shell_blocks([ROOT / "docs" / "monitoring.md"])
    with prometheus(tmp_path, command) as seen:
        (group,) = seen.ask("rules")["groups"]
        assert [rule["type"] for rule in group["rules"]].count("alerting") == 4
        seen.until(lambda: seen.ask("targets")["activeTargets"] != [])
        (target,) = seen.ask("targets")["activeTargets"]
        assert target["scrapeUrl"] == "http://127.0.0.1:8002/metrics"


LIMITS: dict[str, tuple[dict[str, str], dict[str, set[str]]]] = {
    "all is well": ({}, {"10m": set()}),
    "one server is away for 75 seconds": (
        {UP: "1x3 0x5 1x30", SUCCESS: "0+10x3 stale _x5 0+10x30"},
        {"45s": set(), "105s": set(), "2m": {"InferenceServerDown"}, "150s": set()},
    ),
    "a server without the model": (
        {SUCCESS: "_x50"},
        {"45s": set(), "1m": {"InferenceServerDown"}},
    ),
    "1 in 99 fails": ({SUCCESS: "0+98x50", FAILURE: "0+1x50"}, {"10m": {"InferenceFailures"}}),
    "1 in 101 fails": ({SUCCESS: "0+100x50", FAILURE: "0+1x50"}, {"10m": set()}),
    "half are given up by their clients": ({GIVEN_UP: "0+10x50"}, {"10m": set()}),
    "slow for less than five minutes": ({P99: "300001x19 1000x30"}, {"5m": set(), "10m": set()}),
    "slow for five minutes": ({P99: "300001x30"}, {"4m": set(), "5m": {"InferenceSlow"}}),
    "just not slow": ({P99: "300000x50"}, {"10m": set()}),
    "a queue that empties once": ({PENDING: "1x15 0 1x10"}, {"5m": set(), "6m": set()}),
    "a queue that does not": ({PENDING: "1x30"}, {"285s": set(), "5m": {"InferenceQueueing"}}),
}
"""For series of a server, a value each 15 seconds: what fires at some times."""


@pytest.mark.parametrize("case", LIMITS)
def test_the_packaged_rules_fire_at_their_limits(case: str, tmp_path: Path) -> None:
    usual = {UP: "1x50", SUCCESS: "0+10x50", FAILURE: "0x50", P99: "1000x50", PENDING: "0x50"}
    given, expected = LIMITS[case]
    write_folder(tmp_path / "files", monitoring_files(HERE))
    series = [{"series": name, "values": each} for name, each in {**usual, **given}.items()]
    found = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": moment,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
        }
        for moment, names in expected.items()
    ]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": found}
    whole = {
        "rule_files": [str(tmp_path / "files" / "rules.yml")],
        "evaluation_interval": "15s",
        "tests": [test],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(whole))
    promtool("test", "rules", file)


def test_pods_of_kserve_are_found_by_label_and_annotations(
    watching: Watching, tmp_path: Path
) -> None:
    short_files(PODS, watching.server.port + 2, tmp_path)
    with prometheus(tmp_path) as seen:
        seen.until(lambda: seen.has("nv_inference_request_success"))
        (target,) = seen.ask("targets", state="active")["activeTargets"]
        assert target["labels"] == {
            "instance": watching.instance,
            "job": "triton-model",
            "namespace": "lab",
            "pod": "model-predictor-1",
        }
        assert target["health"] == "up"


def test_too_many_long_requests_fire_two_alerts_that_clear_after_them(watching: Watching) -> None:
    clients: list[Future[int]] = []

    def one_more() -> None:
        """Keep four clients waiting, and more after a while on a fast machine."""
        waiting = [each for each in clients if not each.done()]
        if len(waiting) < 4 + len(clients) // 10:
            clients.append(pool.submit(watching.post, MANY))

    with ThreadPoolExecutor(64) as pool:
        watching.seen.until(watching.fires("InferenceQueueing", "InferenceSlow"), one_more)
        told = watching.seen.firing()
    assert "package.p99_ms allows 300" in told["InferenceSlow"]
    assert watching.instance in told["InferenceQueueing"]
    assert {each.result() for each in clients} == {200}
    watching.seen.until(watching.clears("InferenceQueueing"))
    watching.seen.until(watching.clears("InferenceSlow"), partial(watching.posts, 100))


def test_a_model_that_fails_and_a_server_that_is_gone_fire_alerts(watching: Watching) -> None:
    serve, seen = watching.server.process, watching.seen
    serve.send_signal(signal.SIGSTOP)  # or it would start another Triton at once, in both cases
    watching.kill("stub")  # the process of the model, which this version of Triton starts only once
    seen.until(watching.fires("InferenceFailures"), watching.post)
    assert "of the requests for model fail" in seen.firing()["InferenceFailures"]
    watching.kill("tritonserver")
    seen.until(watching.fires("InferenceServerDown"))
    assert watching.instance in seen.firing()["InferenceServerDown"]
    serve.send_signal(signal.SIGCONT)
    seen.until(lambda: seen.firing() == {})
    watching.posts()
