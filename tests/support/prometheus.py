"""A real Prometheus for tests, and its tool promtool: those of Debian, or any on PATH."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from onnxpress.pipeline.files import write_folder
from onnxpress.serving.monitoring.files import monitoring_files
from onnxpress.serving.monitoring.watched import Timing, Watched
from tests.support.servers import free_port, wait_for

SECONDS = 90
"""How long a test waits for what must come."""
SHORT = Timing(scrape="200ms", window="2s", down="400ms", trouble="600ms")


def program(name: str) -> str:
    """Where prometheus or promtool is; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        missing = f"no {name} on PATH; on Debian: apt-get install prometheus"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def promtool(*arguments: str | Path) -> str:
    """What promtool prints; it fails if promtool finds a fault."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        answer = requests.get(f"{self.address}/api/v1/{path}", parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def has(self, query: str) -> bool:
        """Whether a query gives a number now; NaN is none."""
        found = self.ask("query", query=query)["result"]
        return any(not math.isnan(float(each["value"][1])) for each in found)

    def firing(self) -> dict[str, str]:
        """The alerts that fire, with what each says."""
        return {
            each["labels"]["alertname"]: each["annotations"]["summary"]
            for each in self.ask("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def until(self, holds: Callable[[], bool], meanwhile: Callable[[], object] = int) -> None:
        """Return when it holds; do something in the meantime."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.ask("alerts")
            meanwhile()
            time.sleep(0.1)


OURS = (
    "prometheus --config.file=prometheus.yml "
    "--web.listen-address=127.0.0.1:9090 --storage.tsdb.path=/tmp/prometheus"
)


@contextmanager
def prometheus(folder: Path, command: str = OURS) -> Iterator[Prometheus]:
    """Run a Prometheus in a folder by a command of the shell, on a free port of loopback."""
    program("prometheus")
    port, log = free_port(), folder / "log"
    for usual, here in {"/tmp/prometheus": str(folder / "data"), "9090": str(port)}.items():  # noqa: S108
        assert usual in command
        command = command.replace(usual, here)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, stdout=output, stderr=output
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/-/ready", process, log)
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def short_files(watched: Watched, port: int, folder: Path) -> None:
    """Write what is packaged, with short times, for a Triton with the metrics on ``port``.

    Debian's Prometheus has no discovery of Kubernetes, so pods are listed with the labels that it
    would give them (prometheus.io, configuration, ``kubernetes_sd_config``, role pod).
    """
    files = monitoring_files(watched, SHORT)
    scraping = yaml.safe_load(files["prometheus.yml"])
    (job,) = scraping["scrape_configs"]
    if watched.on_kserve:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job["static_configs"] = pods(port)
    else:
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    files["prometheus.yml"] = yaml.safe_dump(scraping).encode()
    write_folder(folder, files)


def pods(port: int) -> list[dict[str, Any]]:
    """Pods as they are discovered, once for each of their ports: three, the first is ours."""
    ours = {
        "label_serving_kserve_io_inferenceservice": "model",
        "annotation_prometheus_kserve_io_port": str(port),
        "annotation_prometheus_kserve_io_path": "/metrics",
        "annotation_prometheus_io_port": "9091",
        "phase": "Running",
        "name": "model-predictor-1",
    }
    other = {**ours, "label_serving_kserve_io_inferenceservice": "model-b", "name": "model-b-1"}
    pending = {**ours, "phase": "Pending", "name": "model-predictor-2"}
    found = []
    for pod in (ours, other, pending):
        labels = {f"__meta_kubernetes_pod_{key}": value for key, value in pod.items()}
        labels["__meta_kubernetes_namespace"] = "lab"
        found.append({"targets": ["127.0.0.1", "127.0.0.1:8080"], "labels": labels})
    return found
