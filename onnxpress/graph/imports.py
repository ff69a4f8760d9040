"""Fit the versions that a model file declares to what it holds."""

from __future__ import annotations

import onnx
from onnx import helper

from onnxpress.graph.canonical import lowest_ir_version
from onnxpress.graph.writer import ML_DOMAIN

ML_VERSIONS = (1, 2, 3, 4, 5)


def loadable(model: onnx.ModelProto) -> bool:
    """Give ``model`` the imports and the IR version that it needs, in place.

    Returns whether anything changed.

    1. Operators of ai.onnx.ml without an import get the oldest version that has them as they are.
    2. An IR version newer than the opsets need becomes the lowest that they need: exporters stamp
       their own library's newest, and runtimes refuse what is newer than they are.
    """
    changed = False
    domains = {node.domain for node in model.graph.node}
    if ML_DOMAIN in domains and not any(entry.domain == ML_DOMAIN for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(ML_DOMAIN, _ml_version(model)))
        changed = True
    lowest = lowest_ir_version(model)
    if model.ir_version > lowest:
        model.ir_version = lowest
        changed = True
    return changed


def _ml_version(model: onnx.ModelProto) -> int:
    """Return the oldest version of ai.onnx.ml in which all its nodes are valid.

    It is the newest one if there is none.
    """
    nodes = [node for node in model.graph.node if node.domain == ML_DOMAIN]
    for version in ML_VERSIONS:
        context = onnx.checker.C.CheckerContext()
        context.ir_version = lowest_ir_version(model)
        context.opset_imports = {ML_DOMAIN: version}
        try:
            for node in nodes:
                onnx.checker.check_node(node, context)
        except onnx.checker.ValidationError:
            continue
        return version
    return ML_VERSIONS[-1]
