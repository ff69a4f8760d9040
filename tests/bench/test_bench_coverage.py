"""The coverage table: a sample of it is made, and the docs say what the committed one does."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from bench.coverage import __main__ as coverage
from bench.coverage.cases import ALONE, COLUMNS, every_case
from bench.coverage.table import EXPLAINED, summary
from tests.conftest import ROOT

SAMPLE = ("LinearRegression", "DecisionTreeClassifier", "NearestCentroid", "ClassifierChain")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of the sample."""
    folder = tmp_path_factory.mktemp("coverage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys,
            "argv",
            [
                "coverage",
                "--estimators",
                *SAMPLE,
                "--cache",
                str(folder / "cache"),
                "--output",
                str(folder),
            ],
        )
        patch.chdir(ROOT)
        coverage.main()
    return folder


def test_every_classifier_and_regressor_is_tried_alone_and_behind_columns() -> None:
    from sklearn.utils import all_estimators

    tried = [(case.estimator, case.place) for case in every_case()]
    wanted = {
        name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)
    }
    assert set(tried) == {(name, place) for name in wanted for place in (ALONE, COLUMNS)}
    assert len(tried) == 2 * len(wanted)


def test_the_sample_converts_is_refused_or_does_not_fit(results: Path) -> None:
    found = json.loads((results / "coverage.json").read_text(encoding="utf-8"))
    outcomes = {(row["estimator"], row["place"]): row["outcome"] for row in found["rows"]}
    assert {name: outcomes[name, ALONE] for name in SAMPLE} == {
        "LinearRegression": "converts",
        "DecisionTreeClassifier": "converts",
        "NearestCentroid": "refused",
        "ClassifierChain": "does not fit the data",
    }
    assert {row["agreement"] for row in found["rows"] if row["outcome"] == "converts"} == {1.0}
    assert found["summary"][COLUMNS]["agrees"] == 2


def test_the_page_names_what_does_not_convert_with_its_reason(results: Path) -> None:
    page = (results / "coverage.md").read_text(encoding="utf-8")
    assert "- NearestCentroid refused: skl2onnx has no converter for it" in page
    assert (
        "- ClassifierChain does not fit the data: it is for several targets, the data has one"
        in page
    )
    assert re.search(r"\| DecisionTreeClassifier \| wine \| 100\.00% \|", page)


def test_a_finished_row_is_not_made_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "record", None)  # what would be called
    cases = [case for case in every_case() if case.estimator in SAMPLE]
    assert len(coverage.run(cases, results / "cache")) == len(cases)


def test_every_committed_estimator_that_does_not_convert_has_its_reason_in_words() -> None:
    committed = json.loads(
        (ROOT / "bench" / "results" / "coverage.json").read_text(encoding="utf-8")
    )
    messages = [row["reason"] for row in committed["rows"] if row["outcome"] != "converts"]
    assert [message for message in messages if not any(part in message for part in EXPLAINED)] == []


def test_the_docs_say_what_the_committed_table_does() -> None:
    committed = json.loads(
        (ROOT / "bench" / "results" / "coverage.json").read_text(encoding="utf-8")
    )
    page = " ".join((ROOT / "docs" / "inputs.md").read_text(encoding="utf-8").split())
    for place, counts in summary(committed["rows"]).items():
        tried = f"{place}: {counts['converts']} of {counts['tried']} convert"
        assert f"{tried}, {counts['agrees']} of these agree" in page
