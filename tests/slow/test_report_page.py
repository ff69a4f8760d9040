"""`make report` after a real chain, in a real browser: whole, offline, and true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.outputs import PICTURES, REPORT
from tests.support.browser import chromium
from tests.support.project import Project, finished_clone

MAKE_REPORT = ("make", "--no-print-directory", "-o", ".venv/installed", "report")
LARGEST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A project whose chain has run up to the gate, and its report."""
    project = finished_clone(tmp_path_factory.mktemp("report") / "project", chains, "gate")
    assert f"written: {REPORT}" in project.run(*MAKE_REPORT).stdout
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it to change."""
    return finished.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def opened(browser: Any, page: Path) -> str:
    """The text of a page opened from the disk."""
    browser.get(page.as_uri())
    return str(browser.find_element(By.TAG_NAME, "body").text)


def cells(browser: Any, heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{heading} ~ div table")[0].find_elements(
        By.CSS_SELECTOR, "tbody tr"
    )
    return [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(
    finished: Project, browser: Any, tmp_path: Path
) -> None:
    alone = tmp_path / "sent by mail.html"
    alone.write_bytes((finished.folder / REPORT).read_bytes())
    assert alone.stat().st_size < LARGEST_BYTES
    opened(browser, alone)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [
        item["params"] for item in messages if item["method"] == "Network.requestWillBeSent"
    ]
    asked = {
        request["request"]["url"]
        for request in requests
        if request["documentURL"] == alone.as_uri()
    }
    assert {url for url in asked if not url.startswith("data:")} == {alone.as_uri()}
    assert browser.get_log("browser") == []
    widths = browser.execute_script("return [...document.images].map(image => image.naturalWidth)")
    assert len(widths) == len(PICTURES)
    assert min(widths) >= 1000
    sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(sideways) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_text_stands_out_from_its_background(
    finished: Project, browser: Any, scheme: str
) -> None:
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    opened(browser, finished.folder / REPORT)
    body = browser.find_element(By.TAG_NAME, "body")
    ink, paper = (
        sum(map(int, body.value_of_css_property(name)[5:].split(",")[:3]))
        for name in ("color", "background-color")
    )
    assert (ink < paper) == (scheme == "light")
    assert abs(ink - paper) > 3 * 150


def test_the_page_says_what_the_files_say(finished: Project, browser: Any) -> None:
    text = opened(browser, finished.folder / REPORT)
    quantization, detail = (
        read_json(finished.folder / f"outputs/{name}.json")
        for name in ("quantization", "latency_detail")
    )
    assert "RandomForestClassifier on iris" in text
    assert all(
        words in text
        for words in (quantization["summary"], "not published", detail["environment"]["platform"])
    )
    assert [row[0] for row in cells(browser, "summary")] == [
        "scikit-learn",
        "ONNX",
        "ONNX, quantised",
    ]
    assert [(row[0], row[-2]) for row in cells(browser, "candidates")] == [
        (entry["name"], entry["outcome"]) for entry in quantization["candidates"]
    ]
    passed = {
        name: verdict["passed"]
        for name, verdict in read_json(finished.folder / "outputs/gate.json").items()
    }
    assert {
        row[0]: {"passed": True, "off": None}[row[4].partition(",")[0]]
        for row in cells(browser, "gates")
    } == passed
    assert "Not up to date: package, publish." in text


def test_a_failed_gate_and_what_is_not_up_to_date_are_shown(project: Project, browser: Any) -> None:
    project.change(gate__max_size_ratio=0.0001)
    assert project.run("dvc", "repro", "-q", check=False).returncode != 0
    assert "1 gate FAILED: max_size_ratio" in project.run(*MAKE_REPORT).stdout
    text = opened(browser, project.folder / REPORT)
    assert "Not up to date: gate, package, publish." in text
    (verdict,) = [row for row in cells(browser, "gates") if row[0] == "max_size_ratio"]
    assert (verdict[1], verdict[4]) == ("0.0001", "FAILED")
    assert "should be at most 0.0001" in verdict[5]


def test_pictures_are_drawn_first_where_they_are_missing_or_stale(project: Project) -> None:
    before = {path: (project.folder / path).read_bytes() for path in PICTURES.values()}
    (project.folder / PICTURES["size"]).unlink()
    (project.folder / PICTURES["errors"]).write_bytes(b"no picture")
    project.run(*MAKE_REPORT)
    assert {path: (project.folder / path).read_bytes() for path in PICTURES.values()} == before


def test_names_in_the_page_are_read_and_not_run(project: Project, browser: Any) -> None:
    attack = (
        "</td></p><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    )
    run = {"run_id": "abc", "experiment": attack, "tracking_uri": "sqlite:////x"}
    (project.folder / "outputs/mlflow_run.json").write_text(json.dumps(run), encoding="utf-8")
    predictions = project.folder / "outputs/predictions.csv"
    head, first, *others = predictions.read_text(encoding="utf-8").splitlines()
    quoted = attack.replace('"', '""')
    predictions.write_text(
        "\n".join([head, f'{first.rpartition(",")[0]},"{quoted}"', *others, ""]), encoding="utf-8"
    )
    project.run("dvc", "commit", "-q", "-f", "evaluate", "plot", "gate")
    project.run(*MAKE_REPORT)
    text = opened(browser, project.folder / REPORT)
    assert text.count(attack) == 2
    assert browser.title == "RandomForestClassifier on iris"
    assert len(browser.find_elements(By.TAG_NAME, "img")) == len(PICTURES)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("outputs/latency.json", "cannot read outputs/latency.json"),
        ("outputs/test.parquet", "cannot read outputs/test.parquet"),
    ],
)
def test_a_missing_file_is_reported_in_one_line(
    project: Project, missing: str, message: str
) -> None:
    (project.folder / missing).unlink()
    (project.folder / PICTURES["size"]).unlink()
    done = project.run("python", "-m", "onnxpress", "report", "--html", check=False)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith("report: "), message in line) == (2, True, True)
