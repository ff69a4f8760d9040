"""Asking the estimators inside another one, in the ONNX graph of the other.

A meta-estimator's converter gets the answers of its members as names of values in the graph: their probabilities, decisions,
predicted classes or predicted values. A member that is a meta-estimator itself is written by its own part in
:mod:`onnxpress.conversion.meta`, in place; any other one becomes an operator that skl2onnx converts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.wrappers import unwrapped

TWO = 2
Inputs = Sequence[Any]
"""Variables of skl2onnx: one matrix, or one column each."""


class Members(ContainerWriter):
    """Writes members' answers, each of them once, and gives the names of the values.

    Shapes are (rows, classes) for probabilities, (rows, 1) for decisions between two classes and (rows, classes) otherwise,
    (rows,) for places of classes in ``classes_`` and (rows, 1) for values.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        """See ContainerWriter."""
        super().__init__(scope, container)
        self._written: dict[tuple[Any, ...], Any] = {}

    def probabilities(self, estimator: Any, inputs: Inputs) -> str:
        """What ``predict_proba`` gives, float32."""
        return self._once("probabilities", estimator, inputs)

    def decisions(self, estimator: Any, inputs: Inputs) -> str:
        """What ``decision_function`` gives, float32."""
        return self._once("decisions", estimator, inputs)

    def places(self, estimator: Any, inputs: Inputs) -> str:
        """The places in ``classes_`` of what ``predict`` gives, int64."""
        return self._once("places", estimator, inputs)

    def values(self, estimator: Any, inputs: Inputs) -> str:
        """What ``predict`` of a regressor gives, float32."""
        return self._once("values", estimator, inputs)

    def responses(self, estimator: Any, inputs: Inputs) -> tuple[str, bool]:
        """Decisions if there are any, else probabilities; whether they are decisions."""
        if hasattr(estimator, "decision_function"):
            return self.decisions(estimator, inputs), True
        return self.probabilities(estimator, inputs), False

    def _once(self, question: str, estimator: Any, inputs: Inputs) -> str:
        key = (question, id(estimator), *(variable.onnx_name for variable in inputs))
        if key not in self._written:
            self._written[key] = self._answer(question, estimator, inputs)
        return str(self._written[key])

    def _answer(self, question: str, estimator: Any, inputs: Inputs) -> str:
        from onnxpress.conversion.meta import part_of

        estimator = unwrapped(estimator)
        if hasattr(estimator, "steps"):
            inputs, estimator = self._behind(estimator.steps[:-1], inputs), estimator.steps[-1][1]
            return self._once(question, estimator, inputs)
        if question == "probabilities" and not hasattr(estimator, "predict_proba"):
            raise NotImplementedError(
                f"the {type(estimator).__name__} inside gives no probabilities"
            )
        part = part_of(estimator)
        if part is None:
            return str(getattr(self, f"_{question}_of_leaf")(estimator, inputs))
        return str(getattr(part, question)(estimator, self, inputs))

    def _behind(self, steps: Sequence[tuple[str, Any]], inputs: Inputs) -> Inputs:
        """The variables that the steps of a pipeline make of the inputs."""
        from skl2onnx._parse import _parse_sklearn

        for _, step in steps:
            key = ("step", id(step), *(variable.onnx_name for variable in inputs))
            if step is None or isinstance(step, str):  # "passthrough"
                continue
            if key not in self._written:
                self._written[key] = _parse_sklearn(self._scope, step, list(inputs))
            inputs = self._written[key]
        return inputs

    # Leaves: estimators that skl2onnx converts

    def _leaf(self, estimator: Any, inputs: Inputs) -> list[Any]:
        """The outputs of an operator of its own: label and scores, or values."""
        from skl2onnx._parse import _parse_sklearn_simple_model
        from skl2onnx._supported_operators import sklearn_operator_name_map as known

        if type(estimator) not in known:
            raise NotImplementedError(
                f"there is no converter for the {type(estimator).__name__} inside"
            )
        if getattr(getattr(estimator, "classes_", None), "dtype", np.dtype(int)).kind in "bf":
            estimator = self._kept(estimator, _with_whole_classes)
        key = ("operator", id(estimator), *(variable.onnx_name for variable in inputs))
        if key not in self._written:
            self._written[key] = (
                _parse_sklearn_simple_model(self._scope, estimator, list(inputs)),
                estimator,
            )
        return list(self._written[key][0])

    def _probabilities_of_leaf(self, estimator: Any, inputs: Inputs) -> str:
        return str(self._leaf(estimator, inputs)[1].onnx_name)

    def _values_of_leaf(self, estimator: Any, inputs: Inputs) -> str:
        return self.column(self._leaf(estimator, inputs)[0].onnx_name)

    def _places_of_leaf(self, estimator: Any, inputs: Inputs) -> str:
        label, classes = self._leaf(estimator, inputs)[0].onnx_name, estimator.classes_
        if classes.dtype.kind in "UO":
            places = self.add_ml(
                "LabelEncoder",
                label,
                version=2,
                output=self.name("places"),
                keys_strings=[str(name) for name in classes],
                values_int64s=list(range(len(classes))),
            )
            return self.flat(places)
        if np.array_equal(classes, np.arange(len(classes))):
            return self.flat(label)
        column = self.add("Reshape", label, self.constant(np.array([-1, 1], np.int64)))
        same = self.add("Equal", column, self.constant(classes.astype(np.int64)))
        return self.add("ArgMax", self.add("Cast", same, to=TensorProto.FLOAT), axis=1, keepdims=0)

    def _decisions_of_leaf(self, estimator: Any, inputs: Inputs) -> str:
        from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
        from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
        from sklearn.linear_model._base import LinearClassifierMixin
        from sklearn.svm import SVC, NuSVC

        if isinstance(estimator, LinearClassifierMixin):
            return self._linear(estimator, inputs)
        if isinstance(estimator, (SVC, NuSVC)):
            return self._machine(estimator, inputs)
        if isinstance(estimator, QuadraticDiscriminantAnalysis):
            from onnxpress.conversion.discriminant import _log_posterior

            posterior = _log_posterior(estimator, self.matrix(inputs), self)
            return self._difference(posterior) if len(estimator.classes_) == TWO else posterior
        if isinstance(estimator, (GradientBoostingClassifier, HistGradientBoostingClassifier)):
            return self._boosted(estimator, inputs)
        raise NotImplementedError(f"the decision function of the {type(estimator).__name__} inside")

    def _linear(self, estimator: Any, inputs: Inputs) -> str:
        dense = (
            estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else estimator.coef_
        )
        weights = np.atleast_2d(dense)
        offsets = np.broadcast_to(estimator.intercept_, len(weights))
        constants = [self.constant(np.asarray(values, np.float32)) for values in (weights, offsets)]
        return self.add("Gemm", self.matrix(inputs), *constants, transB=1)

    def _machine(self, estimator: Any, inputs: Inputs) -> str:
        plain = self._kept(estimator, _without_probabilities)
        scores = self._leaf(plain, inputs)[1].onnx_name
        return self.pick(scores, [1]) if len(estimator.classes_) == TWO else scores

    def _boosted(self, estimator: Any, inputs: Inputs) -> str:
        raw = self._kept(estimator, copy.copy)
        for store in (self._scope, self._container):
            store.add_options(id(raw), {"raw_scores": True})
        scores = self._leaf(raw, inputs)[1].onnx_name
        return self.pick(scores, [1]) if len(estimator.classes_) == TWO else scores

    def _kept(self, estimator: Any, change: Callable[[Any], Any]) -> Any:
        """A changed copy of the estimator, the same one each time (skl2onnx keeps options by id)."""
        key = ("changed", change, id(estimator))
        if key not in self._written:
            self._written[key] = change(estimator)
        return self._written[key]

    # What members' answers are put together with

    def matrix(self, inputs: Inputs) -> str:
        """The inputs as one float32 matrix."""
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        if any(isinstance(variable.type, StringTensorType) for variable in inputs):
            raise NotImplementedError("columns of text go to a member that takes numbers only")
        names = [
            variable.onnx_name
            if isinstance(variable.type, FloatTensorType)
            else self.add("Cast", variable.onnx_name, to=TensorProto.FLOAT)
            for variable in inputs
        ]
        return self.beside(names)

    def variable(self, name: str, width: int) -> Any:
        """The float32 matrix of that name as an input of further members."""
        from skl2onnx.common.data_types import FloatTensorType

        variable = self._scope.declare_local_variable("members", FloatTensorType([None, width]))
        return self.add("Identity", name, output=variable.onnx_name) and variable

    def stack(self, blocks: Sequence[str], last: Any) -> Inputs:
        """Matrices side by side as the input of a last estimator."""
        key = ("stacked", id(last), *blocks)
        if key not in self._written:
            self._written[key] = [self.variable(self.beside(blocks), last.n_features_in_)]
        return list(self._written[key])

    def beside(self, names: Sequence[str]) -> str:
        """Matrices side by side."""
        return names[0] if len(names) == 1 else self.add("Concat", *names, axis=1)

    def pick(self, name: str, columns: Sequence[int]) -> str:
        """Some columns of a matrix, in that order."""
        return self.add("Gather", name, self.constant(np.array(columns, np.int64)), axis=1)

    def column(self, name: str) -> str:
        """(rows, 1), whether it was that before or (rows,)."""
        return self.add("Reshape", name, self.constant(np.array([-1, 1], np.int64)))

    def flat(self, name: str) -> str:
        """(rows,), whether it was that before or (rows, 1)."""
        return self.add("Reshape", name, self.constant(np.array([-1], np.int64)))

    def scaled(self, name: str, factor: float) -> str:
        """Every number of a float32 value times ``factor``."""
        return (
            name
            if factor == 1
            else self.add("Mul", name, self.constant(np.array(factor, np.float32)))
        )

    def same_in_every_row(self, value: float, inputs: Inputs) -> str:
        """(rows, 1), float32."""
        first = self.pick(self.matrix(inputs), [0])
        itself = self.add("Cast", self.add("Equal", first, first), to=TensorProto.FLOAT)
        zeros = self.add("Mul", itself, self.constant(np.zeros(1, np.float32)))
        return self.add("Add", zeros, self.constant(np.array([value], np.float32)))

    def total(self, names: Sequence[str]) -> str:
        """The sum of values of one shape."""
        return names[0] if len(names) == 1 else self.add("Sum", *names)

    def double(self, name: str) -> str:
        """A float64 copy."""
        return self.add("Cast", name, to=TensorProto.DOUBLE)

    def single(self, name: str) -> str:
        """A float32 copy."""
        return self.add("Cast", name, to=TensorProto.FLOAT)

    def best(self, scores: str) -> str:
        """The place of the first greatest score of each row."""
        return self.add("ArgMax", scores, axis=1, keepdims=0)

    def above(self, column: str, threshold: float) -> str:
        """1 in rows where a float32 (rows, 1) is above the threshold, else 0: int64 (rows,)."""
        greater = self.add(
            "Greater", self.flat(column), self.constant(np.array([threshold], np.float32))
        )
        return self.add("Cast", greater, to=TensorProto.INT64)

    def lookup(self, table: NDArray[Any], places: str) -> str:
        """The rows of ``table`` at ``places``."""
        return self.add("Gather", self.constant(np.ascontiguousarray(table)), places, axis=0)

    def labels_at(self, places: str, classes: NDArray[Any]) -> str:
        """The labels at these places, int64 or string."""
        if classes.dtype.kind not in "UO" and np.array_equal(classes, np.arange(len(classes))):
            return places
        return self.lookup(
            classes.astype(object if classes.dtype.kind in "UO" else np.int64), places
        )

    def shares(self, name: str) -> str:
        """Every row divided by its sum; a row whose sum is 0 stays."""
        sums = self.reduce("ReduceSum", name, 1)
        one = self.constant(np.ones(1, np.float32))
        none = self.add("Equal", sums, self.constant(np.zeros(1, np.float32)))
        return self.add("Div", name, self.add("Where", none, one, sums))

    def _difference(self, name: str) -> str:
        """The second column less the first, (rows, 1)."""
        return self.add("Sub", self.pick(name, [1]), self.pick(name, [0]))


def _without_probabilities(machine: Any) -> Any:
    """A copy of a support vector classifier that converts to its decisions."""
    result = copy.copy(machine)
    result.probability, result._probA, result._probB = False, np.empty(0), np.empty(0)
    return result


def _with_whole_classes(estimator: Any) -> Any:
    """A copy of a classifier whose classes are 0.0 and 1.0, or False and True, that has 0 and 1."""
    result = copy.copy(estimator)
    result.classes_ = estimator.classes_.astype(np.int64)
    return result
