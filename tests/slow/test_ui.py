"""`make ui` in a real browser shows experiment, run, metrics, plots and artefacts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from onnxpress.pipeline.files import read_json
from tests.conftest import ROOT
from tests.support.browser import chromium
from tests.support.publish_fixtures import (
    EXPERIMENT,
    make_repository,
    numeric_rows,
    publish_command,
)
from tests.support.servers import free_port, started

WAIT_SECONDS = 90
RUN_NAME = "RandomForestClassifier on iris"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a published run and the Makefile."""
    folder = make_repository(tmp_path_factory.mktemp("ui"), numeric_rows())
    shutil.copy(ROOT / "Makefile", folder)
    assert publish_command(folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def address(repository: Path) -> Iterator[str]:
    """Where `make ui` serves."""
    port = free_port()
    command = ["make", "--no-print-directory", "-o", ".venv/installed", "ui", f"PORT={port}"]
    with started(command, repository, f"http://127.0.0.1:{port}/health", {}):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium with a profile of its own."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def run_page(address: str, repository: Path, tab: str = "") -> str:
    run_id = read_json(repository / "outputs/mlflow_run.json")["run_id"]
    return f"{address}/#/experiments/1/runs/{run_id}{tab}"


def shown(browser: Any, url: str, *texts: str) -> None:
    """Open a page and wait until it shows all the texts."""
    browser.get(url)
    missing = list(texts)

    def all_there(driver: Any) -> bool:
        page = driver.find_element(By.TAG_NAME, "body").text
        missing[:] = [text for text in texts if text not in page]
        return not missing

    WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=[Exception]).until(
        all_there, f"{url} does not show {missing}"
    )


def test_the_experiment_lists_the_run_with_its_data(browser: Any, address: str) -> None:
    shown(browser, f"{address}/#/experiments/1/runs", EXPERIMENT, RUN_NAME, "iris (")


def test_the_run_shows_card_metrics_and_params(
    browser: Any, address: str, repository: Path
) -> None:
    metrics = ("onnx_size_kb", "12.5", "quantized_size_kb", "3.25")
    shown(
        browser,
        run_page(address, repository),
        RUN_NAME,
        "Finished",
        "size (KB)",
        *metrics,
        "quantization_type",
        "forest",
    )


def test_the_batch_sweep_is_a_chart(browser: Any, address: str, repository: Path) -> None:
    shown(
        browser, run_page(address, repository, "/model-metrics"), "onnx_latency_by_batch_ms", "Step"
    )


def test_the_plots_are_pictures(browser: Any, address: str, repository: Path) -> None:
    widths = (
        "return [...document.images].filter(i => i.src.startsWith('blob:'))"
        ".map(i => i.naturalWidth)"
    )
    for plot in ("latency_by_batch.png", "confusion.png"):
        shown(
            browser,
            run_page(address, repository, f"/artifacts/{plot}"),
            "model_quantized.onnx",
            plot,
        )
        WebDriverWait(browser, WAIT_SECONDS).until(
            lambda driver: max(driver.execute_script(widths), default=0) >= 500
        )


def test_an_artifact_is_downloaded_whole(browser: Any, address: str, repository: Path) -> None:
    shown(
        browser,
        run_page(address, repository, "/artifacts/model_quantized.onnx"),
        "model_quantized.onnx",
    )
    download = """
        const done = arguments[2];
        fetch(`/get-artifact?path=${arguments[0]}&run_uuid=${arguments[1]}`)
            .then(answer => answer.arrayBuffer())
            .then(data => done([...new Uint8Array(data)]));
    """
    run_id = read_json(repository / "outputs/mlflow_run.json")["run_id"]
    data = bytes(browser.execute_async_script(download, "model_quantized.onnx", run_id))
    assert data == (repository / "outputs/model_quantized.onnx").read_bytes()


def test_make_ui_prints_its_address(repository: Path) -> None:
    command = ["make", "--no-print-directory", "-n", "-o", ".venv/installed", "ui", "PORT=5001"]
    recipe = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    said = subprocess.run(
        ["bash", "-c", recipe.partition(";")[0]], capture_output=True, text=True, check=True
    ).stdout
    assert "http://127.0.0.1:5001" in said
