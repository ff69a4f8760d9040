"""Estimators that skl2onnx 1.20 converts wrongly or not at all answer as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from onnxpress.conversion import converting
from onnxpress.conversion.by_skl2onnx import by_skl2onnx
from onnxpress.conversion.converting import to_onnx
from onnxpress.conversion.rehearsal import rehearse
from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema

WINE, CANCER = load_wine(return_X_y=True), load_breast_cancer(return_X_y=True)
VERDICTS = np.array(["bad", "good"])[CANCER[1]]
LINE = LogisticRegression(max_iter=5000)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "quadratic": (QuadraticDiscriminantAnalysis(), *WINE),
    "quadratic, two classes, scaled": (
        make_pipeline(StandardScaler(), QuadraticDiscriminantAnalysis(reg_param=0.1)),
        *CANCER,
    ),
    "quadratic, words": (QuadraticDiscriminantAnalysis(reg_param=0.01), CANCER[0], VERDICTS),
    "fixed threshold": (FixedThresholdClassifier(LINE, threshold=0.8), *CANCER),
    "fixed threshold of the first class": (
        FixedThresholdClassifier(LINE, threshold=0.2, pos_label="bad"),
        CANCER[0],
        VERDICTS,
    ),
    "threshold on decision scores": (
        FixedThresholdClassifier(LinearSVC(random_state=0), threshold=0.5, pos_label="bad"),
        CANCER[0],
        VERDICTS,
    ),
    "tuned threshold, scaled": (
        make_pipeline(StandardScaler(), TunedThresholdClassifierCV(LINE)),
        *CANCER,
    ),
}


@pytest.mark.parametrize("opset", [11, 12, 13, 18, 22])
@pytest.mark.parametrize("case", list(CASES))
def test_labels_and_probabilities_are_those_of_scikit_learn(case: str, opset: int) -> None:
    estimator, x, y = CASES[case]
    x, schema = x.astype(np.float32), numeric_schema(x.shape[1])
    model = to_onnx(estimator.fit(x, y), schema, opset)
    rows = np.concatenate([x, np.random.default_rng(0).permuted(x, axis=0)])
    original, answer = (
        predict_original(estimator, {"X": rows}, schema),
        predict_onnx(open_session(to_bytes(model)), {"X": rows}),
    )
    np.testing.assert_array_equal(answer.values, original.values)
    assert original.scores is not None
    assert answer.scores is not None
    np.testing.assert_allclose(answer.scores, original.scores, atol=1e-5)


def test_the_threshold_is_not_the_half_that_the_classifier_inside_has() -> None:
    estimator, x, y = CASES["fixed threshold"]
    x = x.astype(np.float32)
    estimator.fit(x, y)
    assert (estimator.predict(x) != estimator.estimator_.predict(x)).any()


def test_an_estimator_whose_onnx_form_answers_otherwise_is_refused_before_the_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = by_skl2onnx

    def wrong(estimator: Any, *arguments: Any) -> onnx.ModelProto:
        """A converter that mixes up the features."""
        estimator.coef_ = estimator.coef_[:, ::-1]
        model = right(estimator, *arguments)
        estimator.coef_ = estimator.coef_[:, ::-1]
        return model

    monkeypatch.setattr(converting, "by_skl2onnx", wrong)
    with pytest.raises(
        UserError,
        match=r"gives different predictions as ONNX.* on 300 rows scores differ by .*labels differ",
    ):
        rehearse(LogisticRegression(max_iter=500), digits_rows(), numeric_schema(64))


def test_a_graph_that_onnxruntime_cannot_run_is_refused_before_the_fit() -> None:
    from sklearn.neighbors import RadiusNeighborsClassifier

    rows: NDArray[np.float32] = np.arange(100, dtype=np.float32)[:, None]
    x, y = np.concatenate([rows, rows + 1000]), np.repeat([0, 1], 100)
    with pytest.raises(UserError, match="cannot become ONNX"):
        rehearse(RadiusNeighborsClassifier(radius=1.5), Rows({"X": x}, y), numeric_schema(1))


def test_a_classifier_of_labels_alone_is_refused_with_the_cure() -> None:
    from sklearn.ensemble import VotingClassifier

    rows = digits_rows(0, 200)
    voting = VotingClassifier([("line", LogisticRegression(max_iter=500))]).fit(
        rows.feeds["X"], rows.target
    )
    with pytest.raises(UserError, match=r"VotingClassifier gives labels alone.*voting='soft'"):
        predict_original(voting, rows.feeds, numeric_schema(64))
