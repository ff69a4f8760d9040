"""A model of LightGBM, XGBoost or CatBoost behind scikit-learn's interface.

It holds the library's native bytes and asks the library itself, so the original of all metrics and
proofs is the library's own prediction. It holds no object of the library, so that a stored one is
made of bytes and plain values alone. With the arguments of the library's class it can be fitted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from onnxpress.boosters.libraries import open_booster
from onnxpress.boosters.model import TWO, BoosterModel, Feature
from onnxpress.boosters.readers import CLASSES, read_booster
from onnxpress.boosters.trainer import Training
from onnxpress.boosters.training import trainer_of
from onnxpress.errors import UserError
from onnxpress.estimators.paths import as_text


class _BoosterEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    def __init__(
        self,
        library: str,
        model: bytes = b"",
        columns: tuple[str, ...] = (),
        parameters: dict[str, Any] | None = None,
    ) -> None:
        """Keep the bytes of a native file, ``model``, of ``library``; empty before a fit.

        ``columns`` are the features in the order of the model: names of columns of a table, or
        any names where it takes a matrix. ``parameters`` are all arguments of the library's class,
        None for a model that was given fitted.
        """
        self.library, self.model, self.columns = library, model, columns
        self.parameters = parameters
        self.n_jobs: int | None = None

    @property
    def n_features_in_(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a native file, which holds a fitted model."""
        return bool(self.model)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments, those of the library's class as ``parameters__name``."""
        found: dict[str, Any] = super().get_params(deep=deep)
        for name, value in (self.parameters or {}).items() if deep else ():
            found[f"parameters__{name}"] = value
        return found

    def set_params(self, **given: Any) -> Any:
        """Set arguments by the names that ``get_params`` gives."""
        mark = "parameters__"
        inner = {key: value for key, value in given.items() if key.startswith(mark)}
        super().set_params(**{key: value for key, value in given.items() if key not in inner})
        if inner:
            changed = {key.removeprefix(mark): value for key, value in inner.items()}
            self.parameters = (self.parameters or {}) | changed
        return self

    def fit(self, rows: Any, target: Any) -> Any:
        """Fit the library's class anew, and keep its native bytes.

        Raises:
            TypeError: the model was given, and its bytes do not say how they were fitted.
            UserError: the library is not installed.
        """
        return self._fit(rows, np.asarray(target))

    def _fit(self, rows: Any, target: NDArray[Any], groups: NDArray[Any] | None = None) -> Any:
        """Fit to rows that are sorted by their ``groups``, (rows,), if there are any.

        Raises:
            TypeError: the model was given, and its bytes do not say how they were fitted.
            UserError: the library is not installed.
        """
        if self.parameters is None:
            raise TypeError("a model given in its native format cannot be fitted again")
        name = next(path for path, kind in CLASSES.items() if self._is_of(path, kind))
        given = Training(name, self.parameters, rows, target, groups)
        self.model, classes = trainer_of(self.library).fit(given)
        self.__dict__.pop("_opened", None)
        if hasattr(rows, "columns"):
            self.columns = tuple(map(str, rows.columns))
        elif len(self.columns) != rows.shape[1]:
            self.columns = tuple(map(str, range(rows.shape[1])))
        if classes is not None:
            self.classes = classes
        return self

    def _is_of(self, path: str, library: str) -> bool:
        """Whether the class at ``path`` is the one that this estimator fits."""
        return library == self.library and path.endswith(
            type(self).__name__.removeprefix("Booster")
        )

    def read(self) -> BoosterModel:
        """Return what our own reader makes of the bytes.

        Raises:
            Unreadable, Unsupported: it does not take them.
        """
        return read_booster(self.library, self.model)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the library's object, which is made of the bytes."""
        return {key: value for key, value in super().__getstate__().items() if key != "_opened"}

    def outputs(self, rows: Any) -> NDArray[np.float64]:
        """Return what the library predicts (rows, outputs), for a matrix or a frame."""
        if not hasattr(self, "_opened"):
            self.read()  # nothing but what our own reader has checked goes to the library
            self._opened = open_booster(self.library, self.model)
        return self._opened(self._coded(rows), self.n_jobs or 1)

    def _coded(self, rows: Any) -> NDArray[Any]:
        """Return a matrix, with codes in the place of categories; NaN is a missing or new one."""
        features = self.read().features
        plain = all(feature.categories is None for feature in features)
        if plain and isinstance(rows, np.ndarray) and rows.dtype.kind == "f":
            return rows
        columns = []
        for place, feature in enumerate(features):
            if isinstance(rows, np.ndarray):
                values = rows[:, place]
            elif hasattr(rows, "columns"):
                name = self.columns[place]
                values = rows[name].to_numpy() if name in rows.columns else rows.iloc[:, place]
            else:  # a sparse matrix
                values = rows[:, [place]].toarray()[:, 0]
            columns.append(codes(feature, np.asarray(values)))
        return np.stack(columns, axis=1)


def codes(feature: Feature, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return what the trees read of the values of a column (rows,): numbers, or codes."""
    if feature.categories is None:
        return values.astype(np.float64)
    known = {key: code for code, key in enumerate(category_keys(feature, values.dtype.kind))}
    if values.dtype.kind in "fiub":
        found = [known.get(float(value), np.nan) for value in values]
    else:
        found = [known.get(as_text(value), np.nan) for value in values]
    return np.array(found, np.float64)


def category_keys(feature: Feature, kind: str) -> list[Any]:
    """Return the categories as values of a column: float32 numbers, or texts.

    ``kind`` is that of numpy's dtypes.
    """
    categories = feature.categories or ()
    if kind not in "fiub":
        return [as_text(category) for category in categories]
    return [
        float(np.float32(category)) if isinstance(category, (int, float)) else as_text(category)
        for category in categories
    ]


class BoosterRegressor(RegressorMixin, _BoosterEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A booster with one number per row, or one for each of several targets."""

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """Predict numbers (rows,), or (rows, targets)."""
        found = self.outputs(rows)
        return found[:, 0] if found.shape[1] == 1 else found


class BoosterRanker(BoosterRegressor):
    """A booster that ranks the rows of a group by a number per row, the greatest first."""

    def fit(self, rows: Any, target: Any, groups: Any = None) -> Any:
        """Fit the library's class anew, and keep its native bytes.

        Args:
            rows: a matrix or a frame.
            target: the relevance of each row, (rows,).
            groups: the number of each row's group, (rows,).

        Raises:
            TypeError: the model was given, and its bytes do not say how they were fitted.
            UserError: there are no groups, or the library is not installed.
        """
        if groups is None:
            raise UserError("it ranks rows in groups, and these are in none (see `group`)")
        order = np.argsort(groups, kind="stable")
        taken = rows.iloc[order] if hasattr(rows, "iloc") else rows[order]
        return self._fit(taken, np.asarray(target)[order], np.asarray(groups)[order])


def is_ranker(estimator: Any) -> bool:
    """Whether an estimator, or the last one of a pipeline, ranks the rows of a group."""
    steps = getattr(estimator, "steps", None)
    return isinstance(steps[-1][1] if steps else estimator, BoosterRanker)


class BoosterClassifier(ClassifierMixin, _BoosterEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A booster with a probability per row and class."""

    def __init__(
        self,
        library: str,
        model: bytes = b"",
        columns: tuple[str, ...] = (),
        classes: tuple[Any, ...] = (),
        parameters: dict[str, Any] | None = None,
    ) -> None:
        """Keep the native bytes of a classifier, and its ``classes`` in the order of its scores."""
        super().__init__(library, model, columns, parameters)
        self.classes = classes

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, int64 or str."""
        return np.array(self.classes)

    def predict(self, rows: Any) -> NDArray[Any]:
        """Predict labels (rows,): the first of the most probable classes."""
        found: NDArray[Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return probabilities (rows, classes), as the library gives them."""
        found = self.outputs(rows)
        if found.shape[1] == 1 and len(self.classes) == TWO:
            return np.hstack([1 - found, found])
        return found
