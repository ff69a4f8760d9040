"""A model that came as ONNX, behind scikit-learn's interface, so that callers treat both alike.

It holds the file's own bytes and runs them by onnxruntime as they are. So the original of the
metrics is the given model itself, and its agreement with the converted model proves that renamed
inputs and outputs are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

NUMPY_TYPES: dict[str, type[Any]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(string)": object,
}
"""Types of inputs, by onnxruntime's names."""


class OnnxEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What classifiers and regressors share."""

    def __init__(self, model: bytes, columns: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Keep the bytes of an ONNX file, ``model``, and its ``columns``, the features in order.

        ``outputs`` are names of the model's own: the label and the scores, or the prediction.
        """
        self.model, self.columns, self.outputs = model, columns, outputs
        self.n_jobs: int | None = None

    @property
    def n_features_in_(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def __sklearn_is_fitted__(self) -> bool:
        """Return that it is."""
        return True

    def fit(self, _rows: Any, _target: Any) -> Any:
        """Refuse: an ONNX file does not say how it was fitted."""
        raise TypeError("a model given as ONNX cannot be fitted again")

    def session(self) -> Any:
        """Return the onnxruntime session, with ``n_jobs`` threads.

        Raises:
            UserError: the bytes are no ONNX model that can be run; a pickle may hold any.
        """
        from onnxpress.runtime.checked import checked_onnx
        from onnxpress.runtime.sessions import open_session

        threads = self.n_jobs or 1
        if getattr(self, "_opened", (0, None))[0] != threads:
            checked_onnx(self.model, "the ONNX model that was given")
            self._opened = threads, open_session(self.model, threads)
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session, which cannot be pickled."""
        return {key: value for key, value in super().__getstate__().items() if key != "_opened"}

    def predict(self, rows: Any) -> NDArray[Any]:
        """Predict labels (rows,) or numbers (rows, 1).

        ``rows`` is a matrix or a frame of the columns, or a mapping of tensors.
        """
        return np.asarray(self._run(rows, self.outputs[0]))

    def _run(self, rows: Any, output: str) -> Any:
        from onnxpress.runtime.sessions import raise_memory_error, run

        session = self.session()
        inputs = session.get_inputs()
        if isinstance(rows, Mapping) and len(inputs) == 1:
            (rows,) = rows.values()
        whole = len(inputs) == 1 and inputs[0].name not in getattr(rows, "columns", ())
        feeds = {}
        for item in inputs:
            values = rows if whole else self._column(rows, item.name)
            feeds[item.name] = np.asarray(values, NUMPY_TYPES[item.type])
        try:
            return run(session, [output], feeds)[0]
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise_memory_error(error)
            raise

    def _column(self, rows: Any, name: str) -> NDArray[Any]:
        if isinstance(rows, Mapping):
            return np.asarray(rows[name])
        if isinstance(rows, np.ndarray):
            return rows[:, self.columns.index(name)].reshape(-1, 1)
        return np.asarray(rows[name].to_numpy()).reshape(-1, 1)


class OnnxRegressor(RegressorMixin, OnnxEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A given model with one number per row, or one for each of several targets."""


class OnnxClassifier(ClassifierMixin, OnnxEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A given model with a label per row and a score per row and class."""

    def __init__(
        self,
        model: bytes,
        columns: tuple[str, ...],
        outputs: tuple[str, ...],
        classes: tuple[Any, ...],
        *,
        width: int,
        proper: bool,
    ) -> None:
        """Keep the bytes of a classifier, its ``classes`` in the order of its ``width`` scores.

        ``proper``: the scores are probabilities.
        """
        super().__init__(model, columns, outputs)
        self.classes, self.width, self.proper = classes, width, proper
        self.sign = 1
        """-1 if the model gives the label the lesser of two scores; scores are times this."""

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, int64 or str."""
        return np.array(self.classes)

    @available_if(lambda self: self.proper)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return probabilities (rows, classes)."""
        return self.scores(rows)

    @available_if(lambda self: not self.proper)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def decision_function(self, rows: Any) -> NDArray[np.float64]:
        """Return scores (rows, classes), or (rows, 1) where the model has one for two classes."""
        return self.scores(rows)

    def scores(self, rows: Any) -> NDArray[np.float64]:
        """Return the scores beside the label (rows, width)."""
        found = self._run(rows, self.outputs[1])
        if isinstance(found, list):  # of a ZipMap: a mapping from class to score for each row
            found = [[row[label] for label in self.classes] for row in found]
        return self.sign * np.asarray(found, np.float64).reshape(len(found), -1)
