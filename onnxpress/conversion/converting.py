"""A fitted scikit-learn estimator as an ONNX model that takes raw rows and answers under the contract's names."""

from __future__ import annotations

import json
import warnings
from typing import Any

import onnx
from onnx import TensorProto, helper

from onnxpress.conversion import inputs
from onnxpress.conversion.adopted import adopted
from onnxpress.conversion.converters import (
    discriminant,
    encoders,
    gradient_descent,
    imputers,
    neighbors,
    support_vectors,
    text,
)
from onnxpress.conversion.converters.trees import converter as trees
from onnxpress.conversion.meta import converter as meta
from onnxpress.conversion.skl2onnx_patches import (
    chosen_columns,
    column_positions,
    float64_sums,
    linear_svc_zipmap,
)
from onnxpress.conversion.skl2onnx_patches.own_classes import as_known
from onnxpress.conversion.wrappers import unwrapped
from onnxpress.errors import UserError
from onnxpress.estimators.layout import layout
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.estimators.paths import evidence
from onnxpress.graph.binary_trees import as_regressors
from onnxpress.graph.canonical import canonical
from onnxpress.graph.names import rename, take_out_zipmaps
from onnxpress.graph.svm_nodes import rewrite_svm_nodes
from onnxpress.onnx_file import judge
from onnxpress.tables.names import LABEL, PREDICTION, PROBABILITIES, SCORES, input_name
from onnxpress.tables.schema import Schema

NEWEST_OPSET = 22
"""The newest ai.onnx version that skl2onnx 1.20 writes (``skl2onnx.__max_supported_opset__``)."""

INEXACT = {"Scaler"}
"""Operators to do without: this one multiplies by 1 / scale. Sub and Div round as scikit-learn does, which matters to trees."""


def to_onnx(estimator: Any, schema: Schema, target_opset: int) -> onnx.ModelProto:
    """Convert a fitted estimator, canonical and checked in full.

    Inputs: one float32 ``X`` of shape (rows, features) for all-numeric data, otherwise one (rows, 1) float32 or string
    input per column. Outputs: ``label`` (rows,) and ``probabilities`` (rows, classes), or ``scores`` for an estimator
    without ``predict_proba``, [-d, d] of a binary decision d; regressors ``prediction`` (rows, 1).

    A model that came as ONNX keeps its own opset (:mod:`onnxpress.conversion.adopted`).

    Raises:
        UserError: skl2onnx cannot express the estimator, or not in this opset.
    """
    if isinstance(estimator, (OnnxClassifier, OnnxRegressor)):
        return adopted(estimator, schema)
    original, estimator = estimator, unwrapped(as_known(estimator))
    name = type(estimator[-1] if hasattr(estimator, "steps") else estimator).__name__
    try:
        _register()
        with trees.deferred() as fill:
            model = canonical(_convert(estimator, original, schema, target_opset))
            _stamp_opset(model, target_opset)
            _drop_needless_casts(model.graph)
            _name_outputs(model, estimator, schema)
            _keep_both_columns(model.graph)
        fill(model)
        as_regressors(model)
        model, _ = rewrite_svm_nodes(model)
        _name_inputs(model.graph, schema)
        helper.set_model_props(
            model, {"feature_names": json.dumps([column.name for column in schema.columns])}
        )
        onnx.checker.check_model(model, full_check=True)
        judge(model)
    except (
        Exception
    ) as error:  # skl2onnx raises whatever its converters raise, down to AttributeError
        raise NotConvertible(name, target_opset, error) from error
    return model


class NotConvertible(UserError):
    """There is no ONNX form of an estimator, or none in this opset; ``reason`` says why."""

    def __init__(self, name: str, opset: int, error: Exception) -> None:
        """``name`` is the estimator's class, ``error`` what its converter raised."""
        said = " ".join(str(error).split())[:300]
        if type(error).__name__ in {"MissingShapeCalculator", "MissingConverter"}:
            said = "skl2onnx has no converter for it"
        elif not isinstance(error, text.CannotTokenize):
            said = f"{type(error).__name__}: {said}"
        self.reason = said
        super().__init__(
            f"skl2onnx cannot convert {name} to ONNX opset {opset} ({self.reason}); "
            "choose another convert.target_opset or another model in params.yaml"
        )


def transformer_to_onnx(
    transformer: Any, whole: Any, schema: Schema, target_opset: int
) -> onnx.ModelProto:
    """The first steps of the pipeline ``whole`` as a model of its own, whose outputs are what they make of raw rows.

    Raises:
        NotConvertible: there is no ONNX form of them.
    """
    try:
        _register()
        with trees.deferred() as fill:
            model = canonical(_convert(as_known(transformer), whole, schema, target_opset))
            _stamp_opset(model, target_opset)
        fill(model)
        _name_inputs(model.graph, schema)
    except Exception as error:  # as above
        raise NotConvertible(type(transformer).__name__, target_opset, error) from error
    return model


def _register() -> None:
    predictors = (
        trees,
        support_vectors,
        neighbors,
        discriminant,
        gradient_descent,
        linear_svc_zipmap,
        float64_sums,
        meta,
    )
    for family in (*predictors, chosen_columns, column_positions, encoders, imputers, text):
        family.register()


def _convert(estimator: Any, whole: Any, schema: Schema, target_opset: int) -> onnx.ModelProto:
    """skl2onnx's model of ``estimator``, with the inputs that suit ``whole``, which it is a part of."""
    from skl2onnx import convert_sklearn

    taken = layout(whole, schema)
    blank = evidence(whole, len(taken.columns)).blank
    with imputers.blank_is_a_text(blank), warnings.catch_warnings():
        # skl2onnx reads probA_ and probB_ of every SVC; scikit-learn 1.9 announces their end
        warnings.filterwarnings(
            "ignore", message="Attribute `prob[AB]_` was deprecated", category=FutureWarning
        )
        model: onnx.ModelProto = convert_sklearn(
            estimator,
            initial_types=inputs.initial_types(taken, schema),
            target_opset=target_opset,
            black_op=INEXACT,
        )
    inputs.declare(model, taken, schema)
    return model


def _stamp_opset(model: onnx.ModelProto, target_opset: int) -> None:
    """Declare the opset that was asked for; skl2onnx declares the lowest that its nodes need, down to 1."""
    others = [opset for opset in model.opset_import if opset.domain]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", target_opset), *others])


def _drop_needless_casts(graph: onnx.GraphProto) -> None:
    """Take out, in place, casts to int64 of classifiers' labels that are int64: an operator less in every call."""
    labels = {
        "classlabels_int64s",
        "classlabels_ints",
    }  # of trees; of linear models and support vectors
    whole = {
        node.output[0]
        for node in graph.node
        if any(item.name in labels and item.ints for item in node.attribute)
    }
    needless = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in whole
        and node.attribute[0].i == TensorProto.INT64
    }
    kept = [node for node in graph.node if node.output[0] not in needless]
    for node in kept:
        node.input[:] = [needless.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = needless.get(output.name, output.name)
    del graph.node[:]
    graph.node.extend(kept)


def _name_inputs(graph: onnx.GraphProto, schema: Schema) -> None:
    """Give the inputs of columns their names, in place: last, so that no converter meets a name that a user gave."""
    if not schema.all_numeric:
        names = [input_name(column.name) for column in schema.columns]
        rename(graph, dict(zip((value.name for value in graph.input), names, strict=True)))


def _keep_both_columns(graph: onnx.GraphProto) -> None:
    """Take out, in place, the operator by which skl2onnx gives the second of two columns of scores alone."""
    columns = next(
        (
            node
            for node in graph.node
            if SCORES in node.output and node.op_type == "ArrayFeatureExtractor"
        ),
        None,
    )
    if columns is None:
        return
    both = columns.input[0]
    graph.node.remove(columns)
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [SCORES if name == both else name for name in field]


def _name_outputs(model: onnx.ModelProto, estimator: Any, schema: Schema) -> None:
    """Give the outputs their contract names and shapes, in place, without the ZipMap that skl2onnx may end with."""
    graph = model.graph
    behind = take_out_zipmaps(graph)
    produced = [behind.get(output.name, output.name) for output in graph.output]
    if schema.task == "regression":
        outputs = [helper.make_tensor_value_info(PREDICTION, TensorProto.FLOAT, [None, 1])]
    else:
        scores, width = (
            (PROBABILITIES, len(estimator.classes_))
            if hasattr(estimator, "predict_proba")
            else (SCORES, None)
        )
        kind = TensorProto.STRING if estimator.classes_.dtype.kind in "UO" else TensorProto.INT64
        outputs = [
            helper.make_tensor_value_info(LABEL, kind, [None]),
            helper.make_tensor_value_info(scores, TensorProto.FLOAT, [None, width]),
        ]
    rename(graph, dict(zip(produced, (output.name for output in outputs), strict=False)))
    del graph.output[:], graph.value_info[:]
    graph.output.extend(outputs)
