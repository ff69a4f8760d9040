"""Files of XGBoost 1.7.6 and 2.1.4 against what those predicted; files/ has the script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnxpress.boosters.model import Unsupported
from onnxpress.boosters.xgboost_json import read_xgboost
from tests.boosters.compared import BAR, compared, leaf_sum

FILES = Path(__file__).parent / "files"
REFUSED = {"xgboost-1.7.6/logitraw.json", "xgboost-2.1.4/vectors.json"}
TAKEN = sorted(
    f"{path.parent.name}/{path.name}"
    for path in FILES.glob("xgboost-*/*")
    if "expected" not in path.name and f"{path.parent.name}/{path.name}" not in REFUSED
)


@pytest.mark.parametrize("name", TAKEN)
def test_model_and_library_predict_what_the_old_version_did(name: str) -> None:
    path = FILES / name
    known = json.loads((path.parent / f"{path.stem}.expected.json").read_text())
    expected = np.array(known["predictions"])
    rows = pd.DataFrame(np.array(known["rows"], np.float32), columns=["a", "b", "c"])
    data = path.read_bytes()
    model = read_xgboost(data)
    found = compared("xgboost", data, rows, range(model.classes) if model.classes else None)
    columns = slice(-expected.shape[1], None)  # of two classes the second was written
    limit = BAR * max(leaf_sum(model) * np.abs(expected).max(), 1)
    assert np.abs(found.onnx[:, columns] - expected).max() <= limit
    assert np.abs(found.library[:, columns] - expected).max() <= limit


def test_all_files_are_tried() -> None:
    assert len(TAKEN) == 10


@pytest.mark.parametrize("version", ["1.7.6", "2.1.4"])
def test_after_early_stopping_the_best_rounds_count(version: str) -> None:
    data = (FILES / f"xgboost-{version}" / "early-stopped.json").read_bytes()
    model = read_xgboost(data)
    assert len(model.trees) == 11
    assert model.notes == (
        "was stopped early: 11 of its 13 rounds count, as in scikit-learn's class",
    )


def test_a_booster_saved_by_itself_counts_all_rounds() -> None:
    document = json.loads((FILES / "xgboost-2.1.4" / "early-stopped.json").read_bytes())
    del document["learner"]["attributes"]["scikit_learn"]
    data = json.dumps(document).encode()
    model = read_xgboost(data)
    assert len(model.trees) == 13
    assert model.notes == (
        "counts all 13 rounds, as Booster.predict does; booster[:11] has the best",
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("xgboost-1.7.6/logitraw.json", "has the objective binary:logitraw of XGBoost 1, whose"),
        (
            "xgboost-2.1.4/vectors.json",
            "has leaves of several outputs as XGBoost wrote them before",
        ),
    ],
)
def test_what_the_library_of_today_reads_otherwise_is_refused(name: str, line: str) -> None:
    with pytest.raises(Unsupported, match=line):
        read_xgboost((FILES / name).read_bytes())
