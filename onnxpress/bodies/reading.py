"""From the graph of a model to its :class:`~onnxpress.bodies.steps.Program`.

Each operator of the three tables becomes steps, or only moves numbers. All others are refused.
Where the specification is silent, the meaning is what onnxruntime computes.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxpress.bodies.oblivious import Unlike
from onnxpress.bodies.read_models import MODELS
from onnxpress.bodies.read_moves import MOVES
from onnxpress.bodies.read_numbers import NUMBERS
from onnxpress.bodies.reader import Chosen, Reader, named
from onnxpress.bodies.steps import NoBody, Program, Value
from onnxpress.graph.trees.reader import Untreatable

HANDLERS = MOVES | NUMBERS | MODELS
KNOWN = "forests, linear models and small nets of float32 columns have one"


def read_program(model: onnx.ModelProto) -> Program:
    """Return what a model computes for one row.

    Raises:
        NoBody: an input is not float32 numbers of a table, or a node cannot be written.
    """
    reader = Reader(model)
    for node in model.graph.node:
        _take(reader, node)
    outputs = [reader.output(value.name) for value in model.graph.output]
    labels = [each for each in outputs if isinstance(each, Chosen)]
    numbers = [each for each in outputs if isinstance(each, Value)]
    if len(labels) > 1 or len(numbers) != 1:
        found = ", ".join(value.name for value in model.graph.output)
        raise NoBody(f"the model should give a prediction, or a label and scores, got {found}")
    name = model.graph.output[outputs.index(numbers[0])].name
    try:
        result = reader.whole(numbers[0])
    except Unlike as error:
        raise NoBody(f"the output {name!r} has no form in C or SQL: {error}; {KNOWN}") from error
    if not labels:
        return Program(reader.inputs, result, name)
    chosen = labels[0]
    classes = np.arange(chosen.step.size) if chosen.classes is None else chosen.classes
    return Program(reader.inputs, result, name, chosen.step, classes)


def _take(reader: Reader, node: onnx.NodeProto) -> None:
    """Add the outputs of ``node``.

    Raises:
        NoBody: it cannot be written.
    """
    if all(name in reader.constants for name in node.output if name):
        return
    handler = HANDLERS.get(node.op_type)
    if handler is None:
        raise NoBody(f"{named(node)} has no form in C or SQL; {KNOWN}")
    try:
        found = handler(reader, node)
    except ValueError as error:  # of numpy, about shapes
        why = "its shapes are not those of a row"
        raise NoBody(f"{named(node)} has no form in C or SQL: {why}; {KNOWN}") from error
    except (Unlike, Untreatable) as error:
        raise NoBody(f"{named(node)} has no form in C or SQL: {error}; {KNOWN}") from error
    outputs = found if isinstance(found, tuple) else (found,)
    reader.values.update(
        (name, value) for name, value in zip(node.output, outputs, strict=False) if name
    )
