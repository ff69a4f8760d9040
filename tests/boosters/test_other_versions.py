"""Files of old LightGBM and CatBoost against what those predicted; files/ has the script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnxpress.boosters.readers import read_booster
from tests.boosters.compared import BAR, compared, leaf_sum

FILES = Path(__file__).parent / "files"
TAKEN = sorted(
    f"{path.parent.name}/{path.name}"
    for library in ("lightgbm", "catboost")
    for path in FILES.glob(f"{library}-*/*")
    if "expected" not in path.name
)


@pytest.mark.parametrize("name", TAKEN)
def test_model_and_library_predict_what_the_old_version_did(name: str) -> None:
    path = FILES / name
    known = json.loads((path.parent / f"{path.stem}.expected.json").read_text())
    expected = np.array(known["predictions"])
    rows = pd.DataFrame(np.array(known["rows"], np.float32), columns=["a", "b", "c"])
    library, data = name.partition("-")[0], path.read_bytes()
    model = read_booster(library, data)
    found = compared(library, data, rows, range(model.classes) if model.classes else None)
    columns = slice(-expected.shape[1], None)  # of two classes LightGBM writes the second
    limit = BAR * max(leaf_sum(model) * np.abs(expected).max(), 1)
    assert np.abs(found.onnx[:, columns] - expected).max() <= limit
    assert np.abs(found.library[:, columns] - expected).max() <= limit


def test_all_files_are_tried() -> None:
    assert len(TAKEN) == 12
