"""A wrong argument is one line that names it, says what was expected, and what came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV

import onnxpress

X, y = load_iris(return_X_y=True)
FOREST = RandomForestClassifier(3, random_state=0).fit(X, y)
INFINITE = np.where(X > 7, np.inf, X)
DAYS = pd.DataFrame({"day": pd.date_range("2020", periods=3)})
TWICE = pd.DataFrame(X[:, :2], columns=["a", "a"])


def compress(**arguments: Any) -> Callable[[], Any]:
    return lambda: onnxpress.compress(**{"model": FOREST, "X": X, "y": y, **arguments})


def compare(**arguments: Any) -> Callable[[], Any]:
    return lambda: onnxpress.compare(**{"original": FOREST, "model": FOREST, "X": X, **arguments})


def measure(**arguments: Any) -> Callable[[], Any]:
    return lambda: onnxpress.measure(**{"models": {"forest": FOREST}, "X": X, **arguments})


def convert(estimator: Any = FOREST, table: Any = X, **arguments: Any) -> Callable[[], Any]:
    return lambda: onnxpress.convert(estimator, table, **arguments)


ONNX = onnxpress.convert(FOREST, X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]

FOREST_OF_ONE = RandomForestClassifier(2).fit(X, y * 0)
UNSELECTED = GridSearchCV(FOREST, {"max_depth": [2]}, refit=False, cv=2).fit(X, y)
LINEAR = LogisticRegression(max_iter=1000).fit(X, y)
GAPS = np.where(X > 7, np.nan, X)
TWO_LABELS = RandomForestClassifier(2).fit(X, np.c_[y, y])
TWO_NUMBERS = LinearRegression().fit(X, X[:, :2])
FIXED = onnxpress.convert(FOREST, X)
FIXED.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

BAD: list[tuple[Callable[[], Any], str]] = [
    (convert(RandomForestClassifier()), r"estimator should be fitted, .* RandomForestClassifier"),
    (convert(3), r"estimator should be a fitted classifier or regressor of scikit-learn, .* int"),
    (convert(KMeans(2).fit(X)), r"estimator should be a fitted classifier .*, got KMeans"),
    (convert(RandomForestClassifier), r"got the class RandomForestClassifier itself"),
    (convert(UNSELECTED), r"estimator should predict, got a GridSearchCV .* refit=True"),
    (convert(TWO_LABELS), r"estimator should predict one label per row, .* several targets"),
    (compress(model=TWO_NUMBERS, y=X[:, 0]), r"the model should predict one value per row"),
    (convert(FOREST_OF_ONE), r"estimator should know two classes or more, .* knows 0"),
    (compress(model=LINEAR, X=GAPS), r"model refuses X: Input X contains NaN"),
    (
        measure(models={"m": LINEAR}, X=GAPS),
        r"models\['m'\] refuses a batch of 1 row of X: .*NaN",
    ),
    (measure(models={"m": FIXED}), r"models\['m'\] refuses a batch of 32 rows of X: "),
    (compress(y=[[0], [1, 2]]), r"y should have one value for each of 150 rows"),
    (convert(opset=12.0), r"opset should be 11 to 22, got 12\.0"),
    (convert(opset=3), r"opset should be 11 to 22, got 3"),
    (convert(table=X[:, :3]), r"RandomForestClassifier, takes 4 features, X has 3; pass X with"),
    (convert(table=X[0]), r"X should have two dimensions, rows and columns, got shape \(4,\)"),
    (convert(table=pd.Series([1.0, 2.0])), r"X should have two dimensions, .* shape \(2,\)"),
    (convert(table=[]), r"X should have two dimensions, .* got shape \(0,\)"),
    (convert(table=X[:0]), r"X should have rows and columns, got \(0, 4\)"),
    (convert(table=INFINITE), r"X: column 'x0' has inf in row \d+; expected finite float32"),
    (convert(table=DAYS), r"X: column 'day' holds dates with a time; turn it into numbers"),
    (convert(table=TWICE), r"X: column 'a' is there more than once; rename or drop one"),
    (convert(table=scipy.sparse.csr_matrix(X)), r"X should be dense, .* pass X\.toarray\(\)"),
    (
        convert(GaussianProcessClassifier().fit(X[:60], y[:60])),
        r"GaussianProcessClassifier cannot become ONNX of opset 12: .* choose another opset",
    ),
    (compress(y=y[:9]), r"y should have one value for each of 150 rows, got shape \(9,\)"),
    (compress(y=[None, *y[1:]]), r"y: row 1 has no value; leave such rows out"),
    (compress(y=y + 1), r"y holds the class 3, which model does not know; it knows 0, 1, 2"),
    (compress(method="forrest"), r"method should be one of auto, none, .*, got 'forrest'"),
    (compress(objective="bytes"), r"objective should be one of size, latency, throughput, got"),
    (compress(level=1), r"level should be one of auto, lossless, faithful, refined, got 1"),
    (compress(ml_opset=4), r"ml_opset should be one of 3, 5, got 4"),
    (compress(budgets=0.01), r"budgets should be a mapping from names to numbers, .* got 0\.01"),
    (compress(budgets={1: 0.01}), r"budgets should be a mapping from names to numbers"),
    (
        compress(budgets={"score": -1}),
        r"budgets\.score should be a number from 0 on or null, .* -1",
    ),
    (compress(budgets={"score": "much"}), r"budgets\.score should be a number from 0 on .* 'much'"),
    (
        compress(budgets={"recal": 0.1}),
        r"budgets has the unknown key 'recal'; did you mean 'rec",
    ),
    (compress(budgets={"max_abs_error": 1}), r"budgets\.max_abs_error is for regression"),
    (compress(score="r2"), r"score 'r2' is for regression, and the target has classes; choose"),
    (compress(score="f1"), r"score 'f1' is for two classes, and the target has 3; choose one of"),
    (compress(score="accurate"), r"score should name a scorer of scikit-learn, .* 'accuracy'"),
    (compress(positive=1), r"positive should be null, got 1: it is for two classes"),
    (
        compress(model=ONNX, score="roc_auc_ovr", calibration=(X[:90], y[:90])),
        r"score 'roc_auc_ovr' is undefined on calibration rows: no row is of the class 2; choose",
    ),
    (
        compress(model=ONNX, budgets={"roc_auc_ovr": 0}, calibration=(X[:90], y[:90])),
        r"budgets: 'roc_auc_ovr' is undefined on calibration rows: no row is of the class 2",
    ),
    (compress(seed=-1), r"seed should be a whole number from 0 on, got -1"),
    (compress(calibration=X), r"calibration should be a pair of X and y"),
    (compress(calibration=(X[:, :2], y)), r"calibration should have the columns of X"),
    (compress(model=b"no model"), r"model is no ONNX model that can be run"),
    (compress(model=ONNX, X=X[:, :3]), r"model takes X: .* one float32 input of 3 columns"),
    (compress(model=ONNX, y=NAMES), r"y holds the class 'setosa', which model does not know"),
    (compare(original=ONNX, y=NAMES), r"y should hold what original predicts, such as 0, got"),
    (compare(model=ONNX, X=X[:, :3]), r"original, .*, takes 4 features, X has 3"),
    (compare(original=ONNX, X=X[:, :3]), r"original takes X \[.*, 4\], X gives X \[None, 3\]"),
    (measure(models={"m": ONNX}, X=X[:, :3]), r"models\['m'\] takes X \[.*, 4\], X gives"),
    (compare(y=y + 1), r"y holds the class 3, which original does not know; it knows 0, 1, 2"),
    (compare(model="gone.onnx"), r"cannot read gone\.onnx \(No such file or directory\)"),
    (compare(probe_rows=-1), r"probe_rows should be a whole number from 0 on, got -1"),
    (measure(models={}), r"models should be a mapping from names to models, got \{\}"),
    (measure(models=[FOREST]), r"models should be a mapping from names to models"),
    (measure(batch_sizes=[0]), r"each of batch_sizes should be a whole number from 1 on, got 0"),
    (measure(batch_sizes=[]), r"batch_sizes should be whole numbers from 1 on, got \[\]"),
    (measure(threads=0), r"threads should be a whole number from 1 on, got 0"),
    (measure(seconds=0), r"seconds should be a number above 0, got 0"),
    (lambda: onnxpress.load_estimator("gone.joblib"), r"cannot read gone\.joblib"),
    (lambda: onnxpress.load_estimator("model.txt"), r"model\.txt should be a file ending in"),
    (lambda: onnxpress.load_estimator("m.onnx"), r"m\.onnx is an ONNX model .* compress"),
]


@pytest.mark.parametrize(("call", "line"), BAD, ids=[line[:40] for _, line in BAD])
def test_a_wrong_argument_is_one_line_about_it(
    call: Callable[[], Any], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(onnxpress.UserError, match=line) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    for foreign in ("params.yaml", "dvc", "outputs", "data.", "train.", "convert."):
        assert foreign not in said
