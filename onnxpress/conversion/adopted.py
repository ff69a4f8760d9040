"""Adopt a model that came as ONNX: the names of the contract, and the computation it came with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
from onnx import helper, version_converter

from onnxpress.conversion.adopted_inputs import connect_inputs
from onnxpress.conversion.adopted_outputs import connect_outputs, score_each_class
from onnxpress.conversion.contract import contract_outputs
from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.graph.binary_trees import as_regressors
from onnxpress.graph.canonical import canonical
from onnxpress.graph.constants import as_initializers
from onnxpress.graph.names import rename, take_out_zipmaps
from onnxpress.graph.writer import fed_inputs
from onnxpress.onnx_file import judge
from onnxpress.tables.names import input_name
from onnxpress.tables.schema import Schema

OLDEST_OPSET, RAISED_OPSET = 11, 12
"""ai.onnx below the first, in which the quantisers cannot write, is raised to the second."""


class NotAdoptable(UserError):
    """A given ONNX model does not fit the contract."""


def adopted(estimator: OnnxClassifier | OnnxRegressor, schema: Schema) -> onnx.ModelProto:
    """Give the model the contract's inputs and outputs, canonical and checked in full.

    1. Its ai.onnx opset is kept, unless it is older than ``OLDEST_OPSET``. Constants become
       initializers.
    2. A ZipMap goes; its input becomes the output.
    3. One column d of scores becomes [-d, d].
    4. Inputs and outputs get the contract's names; a Cast, Gather or Reshape is added where types
       or shapes differ.

    Raises:
        NotAdoptable: the result would be no valid model; the message names the part and a cure.
    """
    with _part("its versions", f"export it with ai.onnx {OLDEST_OPSET} or newer"):
        model = canonical(_modern(onnx.load_from_string(estimator.model)))
        as_initializers(model.graph)
        names = [value.name for value in fed_inputs(model.graph)]
        rename(model.graph, {name: input_name(name) for name in names})
    cure = "export it with a label and a tensor of scores, or one prediction"
    with _part(f"its outputs {', '.join(estimator.outputs)}", cure):
        _adopt_outputs(model, estimator, len(schema.targets))
    cure = "export it with one float32 input, or one of shape [None, 1] per column"
    with _part("its inputs", cure):
        connect_inputs(model, tuple(map(input_name, estimator.columns)), schema)
    as_regressors(model)
    del model.graph.value_info[:]
    helper.set_model_props(model, {"feature_names": json.dumps(list(estimator.columns))})
    cure = "onnx.checker.check_model(model, full_check=True) should pass on the file itself"
    with _part("the whole", cure):
        onnx.checker.check_model(model, full_check=True)
        judge(model)
    return model


@contextmanager
def _part(name: str, cure: str) -> Iterator[None]:
    """Name the part of the model that does not fit, and a cure."""
    try:
        yield
    except Exception as error:  # onnx's version converter and checker share no base class
        reason = " ".join(str(error).split())[:300]
        raise NotAdoptable(
            f"the ONNX model does not fit the chain in {name} ({reason}); {cure}"
        ) from error


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """Raise an opset that is too old.

    Converters of boosters import ai.onnx.ml alone where they use nothing else: ai.onnx is added.
    """
    versions = {opset.domain: opset.version for opset in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx"))
    if opset is None:
        model.opset_import.append(helper.make_opsetid("", RAISED_OPSET))
        return model
    if opset < OLDEST_OPSET:
        return version_converter.convert_version(model, RAISED_OPSET)
    return model


def _adopt_outputs(
    model: onnx.ModelProto, estimator: OnnxClassifier | OnnxRegressor, targets: int
) -> None:
    """Give the outputs the names, types and shapes of the contract, in place."""
    behind = take_out_zipmaps(model.graph)
    ends = [behind.get(name, name) for name in estimator.outputs]
    if isinstance(estimator, OnnxRegressor):
        connect_outputs(model, ends, contract_outputs(None, proper=False, width=targets))
        return
    outputs = contract_outputs(estimator.classes_, proper=estimator.proper, width=estimator.width)
    connect_outputs(model, ends, outputs)
    score_each_class(model, estimator.sign)
