"""Convert boosters from what our own readers make of their native bytes.

The graph has these parts, each only where the model needs it:

1. texts and listed numbers become codes, NaN for a missing or new category (:mod:`.inputs`);
2. columns of 0 and 1 for category splits are put behind the features;
3. one TreeEnsembleRegressor gives all sums, its attributes written from arrays;
4. of many trees it gives the sums of groups, which are added in float64;
5. linear leaves multiply their features;
6. the link, and the label of the first greatest sum.

A regressor and operators behind it are read alike by all releases of onnxruntime, whatever the
signs of the leaves (:mod:`onnxpress.graph.binary_trees`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from onnxpress.boosters.model import BoosterModel
from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.boosters.attributes import groups_of, regressor_attributes
from onnxpress.conversion.converters.boosters.inputs import matrix_of_numbers, tree_columns
from onnxpress.conversion.converters.boosters.links import added, decisions, linked, weighted
from onnxpress.conversion.converters.trees.deferring import FillingContainer

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
"""What skl2onnx may ask of a classifier's converter."""


@cache
def register() -> None:
    """Tell skl2onnx the converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter

    from onnxpress.estimators.booster_estimator import (
        BoosterClassifier,
        BoosterRanker,
        BoosterRegressor,
    )

    update_registered_converter(
        BoosterClassifier, "OnnxpressBoosterClassifier", _classes, _classifier, options=OPTIONS
    )
    for kind in (BoosterRanker, BoosterRegressor):
        update_registered_converter(kind, f"Onnxpress{kind.__name__}", _number, _regressor)


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    estimator = operator.raw_operator
    model, writer = estimator.read(), ContainerWriter(scope, container)
    if model.classes != len(estimator.classes_):
        raise NotImplementedError(
            f"the objective {model.objective!r} gives no probability for each of "
            f"{len(estimator.classes_)} classes; choose one that does"
        )
    label, probabilities = (variable.full_name for variable in operator.outputs)
    sums = weighted(*_sums(model, operator, writer, scope, container), model, writer)
    if container.get_options(estimator, {}).get("raw_scores"):
        both = decisions(sums, model, writer)
        writer.add("Identity", both, output=probabilities)
    else:
        both = linked(sums, model, writer, probabilities)
    writer.labels(both, estimator.classes_, label)


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    model, writer = operator.raw_operator.read(), ContainerWriter(scope, container)
    if model.outputs > 1 and model.classes:
        raise NotImplementedError(
            f"the objective {model.objective!r} gives {model.outputs} probabilities a row; choose "
            "one that gives a number"
        )
    model = replace(model, classes=0)  # of two classes the number is the second's probability
    sums = weighted(*_sums(model, operator, writer, scope, container), model, writer)
    linked(sums, model, writer, operator.outputs[0].full_name)


def _sums(
    model: BoosterModel, operator: Any, writer: ContainerWriter, scope: Any, container: Any
) -> tuple[str, str]:
    """Write (rows, outputs * (1 + linear features)); return their name and that of the rows."""
    rows = matrix_of_numbers(model, operator.inputs, writer)
    arrays = regressor_attributes(model)
    filling = FillingContainer(container, [arrays])
    sums = writer.name("sums")
    filling.add_node(
        "TreeEnsembleRegressor",
        [tree_columns(model, rows, writer)],
        [sums],
        op_domain="ai.onnx.ml",
        op_version=1,
        name=scope.get_unique_operator_name("TreeEnsembleRegressor"),
        n_targets=groups_of(model) * model.outputs * (1 + len(model.linear)),
        aggregate_function="SUM",
        post_transform="NONE",
        **arrays,
    )
    return added(sums, model, writer), rows


def _classes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    classes = operator.raw_operator.classes_
    text = classes.dtype.kind in "UO"
    operator.outputs[0].set_type((StringTensorType if text else Int64TensorType)([None]))
    operator.outputs[1].set_type(FloatTensorType([None, len(classes)]))


def _number(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    # a column for each target, which the contract counts
    operator.outputs[0].set_type(FloatTensorType([None, None]))
