"""Columns reach the parts of a ColumnTransformer by position; pipelines and unions likewise.

Symptom: skl2onnx looks columns up by the names that they had where the estimator was fitted, which
    a matrix does not have; it forgets a permutation of all columns of an input, and groups columns
    of several inputs by input. Of pipelines and unions it fails at steps that pass everything on
    and at parts that are dropped, and takes the first of several outputs alone.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_columns_may_be_put_in_another_order
Delete when: skl2onnx's parsers of these three classes go by position and keep all outputs.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any


@cache
def register() -> None:
    """Replace skl2onnx's parsers, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_parser
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    update_registered_parser(ColumnTransformer, _parse_columns)
    update_registered_parser(FeatureUnion, _parse_union)
    update_registered_parser(Pipeline, _parse_pipeline)


def _parse_columns(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the operators of a fitted ColumnTransformer; return the variables of its output.

    scikit-learn keeps the positions of columns beside their names; they hold for every form.
    """
    results = []
    for name, part, _ in model.transformers_:
        chosen = [int(index) for index in model._transformer_to_input_indices[name]]
        if part == "drop" or not chosen:
            continue
        taken = _taken(scope, part, _columns(scope, inputs, chosen))
        made = taken if _passes(part) else _parsed(scope, part, taken, custom_parsers)
        made = _weighted(scope, made, (model.transformer_weights or {}).get(name))
        _set_width(made, model.output_indices_[name])
        results += made
    return _joined(scope, results)


def _parse_union(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the operators of a fitted FeatureUnion."""
    results = []
    for name, part in model.transformer_list:
        if part == "drop":
            continue
        taken = _taken(scope, part, inputs)
        made = taken if _passes(part) else _parsed(scope, part, taken, custom_parsers)
        results += _weighted(scope, made, (model.transformer_weights or {}).get(name))
    return _joined(scope, results)


def _parse_pipeline(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the operators of a fitted Pipeline, without the steps that pass everything on."""
    from skl2onnx._parse import _parse_sklearn_pipeline
    from sklearn.pipeline import Pipeline

    steps = [(name, step) for name, step in model.steps if step is not None and not _passes(step)]
    made = _parse_sklearn_pipeline(scope, Pipeline(steps), inputs, custom_parsers=custom_parsers)
    return list(made)


def _columns(scope: Any, inputs: list[Any], chosen: list[int]) -> list[Any]:
    """Return variables of the columns at ``chosen``, counted over all ``inputs``, in that order.

    Neighbours from one input stay together. Of the inputs a (2 columns) and b (1 column):

        chosen [1, 0, 2]    a[1, 0], b[0]
        chosen [0, 2, 1]    a[0], b[0], a[1]
    """
    places = []
    for place, item in enumerate(inputs):
        places += [(place, column) for column in range(_width(item))]
    runs = groupby((places[index] for index in chosen), key=lambda pair: pair[0])
    return [_slice(scope, inputs[place], [column for _, column in run]) for place, run in runs]


def _joined(scope: Any, variables: list[Any]) -> list[Any]:
    """Join variables to one of all columns.

    Texts and numbers stay as they came: no tensor holds both.
    """
    kinds = {type(variable.type).__name__ == "StringTensorType" for variable in variables}
    if len(variables) < 2 or len(kinds) > 1:
        return variables
    operator = scope.declare_local_operator("SklearnConcat")
    operator.inputs = variables
    shapes = [variable.type.shape for variable in variables]
    known = all(len(shape) > 1 and shape[1] is not None for shape in shapes)
    width = sum(shape[1] for shape in shapes) if known else None
    kind = type(variables[0].type)([None, width])
    operator.outputs.append(scope.declare_local_variable("columns", kind))
    return list(operator.outputs)


def _width(variable: Any) -> int:
    shape = variable.type.shape
    width = shape[1] if len(shape) > 1 else None
    if not isinstance(width, int):
        raise TypeError(f"how many columns come from {variable.onnx_name} is not known")
    return width


def _slice(scope: Any, variable: Any, columns: list[int]) -> Any:
    if columns == list(range(_width(variable))):
        return variable
    operator = scope.declare_local_operator("SklearnArrayFeatureExtractor")
    operator.inputs, operator.column_indices = [variable], columns
    kind = type(variable.type)([None, len(columns)])
    operator.outputs.append(scope.declare_local_variable("chosen_columns", kind))
    return operator.outputs[0]


def _taken(scope: Any, part: Any, variables: list[Any]) -> list[Any]:
    """Return one variable, unless the part encodes each column by itself."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    first = part.steps[0][1] if hasattr(part, "steps") else part
    apart = isinstance(first, (ColumnTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder))
    return variables if apart else _joined(scope, variables)


def _passes(part: Any) -> bool:
    """Whether a part gives its columns as they are."""
    from sklearn.preprocessing import FunctionTransformer

    return part == "passthrough" or (isinstance(part, FunctionTransformer) and part.func is None)


def _parsed(scope: Any, part: Any, variables: list[Any], custom_parsers: Any) -> list[Any]:
    from skl2onnx._parse import _parse_sklearn

    return list(_parse_sklearn(scope, part, variables, custom_parsers=custom_parsers))


def _weighted(scope: Any, variables: list[Any], weight: float | None) -> list[Any]:
    from skl2onnx.common.data_types import guess_tensor_type

    if weight is None:
        return variables
    operator = scope.declare_local_operator("SklearnMultiply")
    operator.inputs, operator.operand = _joined(scope, variables), weight
    kind = guess_tensor_type(variables[0].type)
    operator.outputs.append(scope.declare_local_variable("weighted", kind))
    return list(operator.outputs)


def _set_width(variables: list[Any], place: slice) -> None:
    """Note the width of a lone output: a ColumnTransformer behind this one counts by it."""
    if len(variables) == 1:
        kind = type(variables[0].type)
        if len(variables[0].type.shape) < 2 or variables[0].type.shape[1] is None:
            variables[0].set_type(kind([None, place.stop - place.start]))
