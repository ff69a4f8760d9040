"""Predict with the estimators inside another one, in the ONNX graph of the other.

A meta-estimator's converter gets the predictions of its members as names of values in the graph:
their probabilities, decisions, predicted classes or predicted values. A member that is a
meta-estimator itself is written by its own part, in place; any other becomes an operator that
skl2onnx converts (:mod:`onnxpress.conversion.meta.leaves`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnxpress.conversion.meta.leaves import Leaves
from onnxpress.conversion.meta.values import Inputs
from onnxpress.conversion.wrappers import unwrapped


class Members(Leaves):
    """Write each prediction of a member once, and return the names of the values.

    Shapes are (rows, classes) for probabilities, (rows, 1) for decisions between two classes and
    (rows, classes) for others, (rows,) for positions of classes in ``classes_``, and (rows,
    targets) for values.
    """

    def __init__(self, scope: Any, container: Any, part_of: Callable[[Any], Any]) -> None:
        """``part_of`` finds the Part that writes a meta-estimator; None for other estimators."""
        super().__init__(scope, container)
        self._part_of = part_of

    def probabilities(self, estimator: Any, inputs: Inputs) -> str:
        """Write what ``predict_proba`` returns, float32."""
        return self._once("probabilities", estimator, inputs)

    def decisions(self, estimator: Any, inputs: Inputs) -> str:
        """Write what ``decision_function`` returns, float32."""
        return self._once("decisions", estimator, inputs)

    def places(self, estimator: Any, inputs: Inputs) -> str:
        """Write the positions in ``classes_`` of what ``predict`` returns, int64."""
        return self._once("places", estimator, inputs)

    def values(self, estimator: Any, inputs: Inputs) -> str:
        """Write what ``predict`` of a regressor returns, float32."""
        return self._once("values", estimator, inputs)

    def responses(self, estimator: Any, inputs: Inputs) -> tuple[str, bool]:
        """Write decisions if there are any, else probabilities; say whether they are decisions."""
        if hasattr(estimator, "decision_function"):
            return self.decisions(estimator, inputs), True
        return self.probabilities(estimator, inputs), False

    def _once(self, kind: str, estimator: Any, inputs: Inputs) -> str:
        key = (kind, id(estimator), *(variable.onnx_name for variable in inputs))
        if key not in self._written:
            self._written[key] = self._predicted(kind, estimator, inputs)
        return str(self._written[key])

    def _predicted(self, kind: str, estimator: Any, inputs: Inputs) -> str:
        estimator = unwrapped(estimator)
        if hasattr(estimator, "steps"):
            inputs, estimator = self._behind(estimator.steps[:-1], inputs), estimator.steps[-1][1]
            return self._once(kind, estimator, inputs)
        if kind == "probabilities" and not hasattr(estimator, "predict_proba"):
            name = type(estimator).__name__
            raise NotImplementedError(f"the {name} inside gives no probabilities")
        part = self._part_of(estimator)
        if part is None:
            return str(getattr(self, f"leaf_{kind}")(estimator, inputs))
        return str(getattr(part, kind)(estimator, self, inputs))

    def _behind(self, steps: Sequence[tuple[str, Any]], inputs: Inputs) -> Inputs:
        """Declare the steps of a pipeline; return the variables that they make of the inputs."""
        from skl2onnx._parse import _parse_sklearn

        for _, step in steps:
            key = ("step", id(step), *(variable.onnx_name for variable in inputs))
            if step is None or isinstance(step, str):  # "passthrough"
                continue
            if key not in self._written:
                self._written[key] = _parse_sklearn(self._scope, step, list(inputs))
            inputs = self._written[key]
        return inputs
