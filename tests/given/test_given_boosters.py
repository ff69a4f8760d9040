"""Native files of boosters, taken by train through the held process and converted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.runtime.sessions import load_session, predict_onnx
from stages import convert, prepare, train
from tests.conftest import ROOT
from tests.given.conftest import chain, typed

QUIET = {"verbosity": -1, "num_threads": 1, "min_data_per_group": 5}


def of_lightgbm(frame: pd.DataFrame, path: Path) -> Callable[[pd.DataFrame], Any]:
    """Write a model of three species; return how the library predicts with it."""
    codes = pd.factorize(frame["species"], sort=True)[0]
    parameters = {"objective": "multiclass", "num_class": 3, **QUIET}
    trained = lightgbm.train(parameters, lightgbm.Dataset(typed(frame), codes), 5)
    trained.save_model(path)
    return lambda rows: trained.predict(typed(rows))


MADE = {"model.txt": of_lightgbm}
"""How a native file is made, by its name."""


@pytest.mark.parametrize("name", MADE)
def test_a_native_file_predicts_as_its_library_does(
    name: str, penguins: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    library = MADE[name](penguins, Path("models") / name)
    chain(prepare, train, convert, name=name)
    said = capsys.readouterr().out
    assert "in this order, 'Adelie', 'Chinstrap', 'Gentoo'" in said
    schema = read_schema()
    test = pd.read_parquet("outputs/test.parquet").reset_index(drop=True)
    feeds = read_rows(Path("outputs/test.parquet"), schema).feeds
    found = predict_onnx(load_session(Path("outputs/model.onnx")), feeds)
    expected = library(test[list(penguins)])
    assert np.abs(found.scores - expected).max() < 1e-6
    species = np.array(["Adelie", "Chinstrap", "Gentoo"])
    assert np.array_equal(found.values, species[expected.argmax(axis=1)])


PAGE = (ROOT / "docs" / "boosters.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.usefixtures("penguins")
@pytest.mark.parametrize(("code", "keys"), EXAMPLES)
def test_an_example_of_the_page_makes_a_file_that_is_taken(code: str, keys: str) -> None:
    exec(compile(code, "docs/boosters.md", "exec"), {})  # noqa: S102 - our own page
    path = Path(yaml.safe_load(keys)["train"]["model_path"])
    assert path.is_file()
    chain(prepare, train, convert, name=path.name)


def test_thresholds_that_float32_merges_are_counted(
    penguins: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = pd.factorize(penguins["species"], sort=True)[0]
    parameters = {"objective": "multiclass", "num_class": 3, "num_leaves": 2, **QUIET}
    text = lightgbm.train(parameters, lightgbm.Dataset(typed(penguins), codes), 1).model_to_string()
    text = re.sub("tree_sizes=.*\n", "", text)
    lines = re.findall("\nthreshold=.*", text)
    for old, new in zip(lines, ("40.1", "40.1000000001", "40.2"), strict=True):
        text = text.replace(old, f"\nthreshold={new}", 1)
    text = re.sub("split_feature=.*", "split_feature=1", text)
    text = re.sub("decision_type=.*", "decision_type=8", text)
    Path("models/model.txt").write_text(text, encoding="utf-8")
    chain(prepare, train, name="model.txt")
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 thresholds are the same as another in float32" in said


REFUSED: dict[str, tuple[dict[str, Any], Callable[[str], str], str]] = {
    "a number for classes": (
        {"objective": "regression"},
        str,
        "gives a number a row by its objective 'regression', and the target has classes",
    ),
    "two classes of three": ({"objective": "binary"}, str, "tells 2 classes apart"),
    "another column": (
        {"objective": "multiclass", "num_class": 3},
        lambda text: text.replace("bill_length_mm", "beak_length_mm"),
        "takes the column 'beak_length_mm'",
    ),
    "damage": (
        {"objective": "multiclass", "num_class": 3},
        lambda text: text[: len(text) // 2],
        "models/model.txt is cut: expected LightGBM trees",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_lightgbm_file_that_does_not_fit_is_refused(case: str, penguins: pd.DataFrame) -> None:
    parameters, change, line = REFUSED[case]
    target = pd.factorize(penguins["species"], sort=True)[0]
    if parameters["objective"] == "binary":
        target = np.minimum(target, 1)
    data = lightgbm.Dataset(typed(penguins), target)
    text = lightgbm.train({**parameters, **QUIET}, data, 2).model_to_string()
    Path("models/model.txt").write_text(change(text), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(line)):
        chain(prepare, train, name="model.txt")
