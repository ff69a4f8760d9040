"""ONNX files that name other files, never end or are inconsistent are refused unopened."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from onnx import TensorProto, helper, numpy_helper

from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxRegressor
from onnxpress.given.onnx_models import load_onnx
from onnxpress.onnx_file import BadModel, judge, read_model
from onnxpress.onnx_file.trees import MOST_LEVELS
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.runtime.sessions import load_session, open_session
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
W = np.arange(4, dtype=np.float32).reshape(4, 1)
ROWS = Rows({"X": X}, (X @ W).reshape(-1).astype(np.float64))
SCHEMA = numeric_schema(4, "regression")
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
ML = "ai.onnx.ml"
value = helper.make_tensor_value_info
node = helper.make_node


def constant(name: str, content: Any, kind: Any = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(content, kind), name)


def linear(
    *before: onnx.NodeProto, weights: str = "W", stored: Any = (), **more: Any
) -> onnx.ModelProto:
    """``prediction = X @ weights``, with nodes before it that make the weights."""
    nodes = [*before, node("MatMul", ["X", weights], ["prediction"])]
    inputs, outputs = [value("X", FLOAT, [None, 4])], [value("prediction", FLOAT, [None, 1])]
    graph = helper.make_graph(
        nodes, "g", inputs, outputs, [numpy_helper.from_array(W, "W"), *stored]
    )
    opsets = [helper.make_opsetid("", 15), *more.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def taken(model: onnx.ModelProto | bytes, folder: Path) -> OnnxRegressor:
    """What train makes of the file."""
    path = folder / "given.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    found = load_onnx(path, ROWS, SCHEMA)
    assert isinstance(found, OnnxRegressor)
    return found


def branch(*nodes: onnx.NodeProto, stored: Any = ()) -> onnx.GraphProto:
    """A branch of an If, which gives the weights as ``w``."""
    return helper.make_graph(list(nodes), "branch", [], [value("w", FLOAT, [4, 1])], list(stored))


def either(then: onnx.GraphProto) -> onnx.NodeProto:
    return node(
        "If", ["yes"], ["Wb"], then_branch=then, else_branch=branch(node("Identity", ["W"], ["w"]))
    )


def function(
    name: str, *nodes: onnx.NodeProto, inputs: tuple[str, ...] = ("a",)
) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("my", 1)]
    return helper.make_function("my", name, inputs, ["o"], list(nodes), opsets)


YES = constant("yes", True, bool)


# References out of the file


def ways_to(
    target: str, message: Descriptor, seen: tuple[str, ...] = ()
) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Every path through the fields of the format that meets no type more than twice."""
    if seen.count(message.name) >= 2:
        return
    for field in message.fields:
        if field.message_type is None:
            continue
        if field.message_type.name == target:
            yield (field,)
        for way in ways_to(target, field.message_type, (*seen, message.name)):
            yield (field, *way)


def at_the_end(model: onnx.ModelProto, way: tuple[FieldDescriptor, ...]) -> Any:
    """The message at the end of a way, newly made."""
    message: Any = model
    for field in way:
        inner = getattr(message, field.name)
        message = inner.add() if field.is_repeated else inner
        message.SetInParent()
    return message


def external(tensor: Any, how: str) -> None:
    tensor.name, tensor.data_type = "weights", FLOAT
    tensor.dims.extend([4, 1])
    if how != "entries":
        tensor.data_location = TensorProto.EXTERNAL
    if how != "flag":
        tensor.external_data.add(key="location", value="params.yaml")


WAYS = list(ways_to("TensorProto", onnx.ModelProto.DESCRIPTOR))


@pytest.mark.parametrize("how", ["flag", "entries", "both"])
def test_a_reference_out_of_the_file_is_refused_wherever_the_format_has_a_tensor(how: str) -> None:
    assert len(WAYS) > 100
    for way in WAYS:
        model = linear()
        external(at_the_end(model, way), how)
        with pytest.raises(BadModel, match=r"keeps weights in another file") as caught:
            read_model(model.SerializeToString())
        for field in way:  # the line says where it is
            assert field.name in str(caught.value)


def test_tensors_are_found_in_graphs_subgraphs_functions_sparse_tensors_and_training() -> None:
    fields = {field.name for way in WAYS for field in way}
    assert fields >= {
        *(
            "initializer",
            "sparse_initializer",
            "values",
            "indices",
            "t",
            "tensors",
            "sparse_tensor",
            "sparse_tensors",
        ),
        *(
            "g",
            "graphs",
            "functions",
            "attribute_proto",
            "training_info",
            "initialization",
            "algorithm",
        ),
    }


OUTSIDE: dict[str, Callable[[onnx.TensorProto], onnx.ModelProto]] = {
    "initializer": lambda t: linear(stored=[t], weights="weights"),
    "initializer of a branch": lambda t: linear(
        either(branch(node("Identity", ["weights"], ["w"]), stored=[t])), stored=[YES], weights="Wb"
    ),
    "constant": lambda t: linear(node("Constant", [], ["Wb"], value=t), weights="Wb"),
    "constant of a branch": lambda t: linear(
        either(branch(node("Constant", [], ["w"], value=t))), stored=[YES], weights="Wb"
    ),
    "constant of a function": lambda t: linear(
        node("F", [], ["Wb"], domain="my"),
        weights="Wb",
        functions=[
            helper.make_function(
                "my",
                "F",
                [],
                ["o"],
                [node("Constant", [], ["o"], value=t)],
                [helper.make_opsetid("", 15)],
            )
        ],
        opsets=[helper.make_opsetid("my", 1)],
    ),
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_train_refuses_weights_in_params_yaml_where_onnxruntime_would_read_them(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes(b"x" * 64)
    tensor = onnx.TensorProto()
    external(tensor, "both")
    tensor.external_data.add(key="length", value="16")
    with pytest.raises(
        UserError, match=r"given\.onnx keeps weights in 'params.yaml'; expected a file of weights"
    ):
        taken(OUTSIDE[place](tensor), tmp_path)


def test_an_exchanged_artefact_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    model = linear()
    external(model.graph.initializer.add(), "both")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        UserError, match=r"model\.onnx .*keeps weights in another file .*; run `dvc repro`"
    ):
        read_onnx(path, SCHEMA)
    with pytest.raises(UserError, match="keeps weights in another file"):
        load_session(path)
    with pytest.raises(UserError, match="keeps weights in another file"):
        OnnxRegressor(path.read_bytes(), ("a", "b", "c", "d"), ("prediction",)).predict(X)


def test_bytes_that_onnxruntime_takes_for_its_own_format_are_refused() -> None:
    model = linear().SerializeToString()
    polyglot = b"\x12\x06xxORTM" + model  # a producer's name, to protobuf
    assert onnx.load_from_string(polyglot).graph == onnx.load_from_string(model).graph
    with pytest.raises(BadModel, match="onnxruntime's own format"):
        read_model(polyglot)
    np.testing.assert_allclose(open_session(polyglot).run(None, {"X": X})[0], X @ W, rtol=1e-5)


# Structure


def calling(name: str, *functions: onnx.FunctionProto, **attributes: Any) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("my", 1)]
    called = node(name, ["W"], ["Wb"], domain="my", **attributes)
    return linear(called, weights="Wb", functions=list(functions), opsets=opsets)


def of_the_call(name: str, own: int | None = None, operator: str = "Constant") -> onnx.NodeProto:
    """A node whose attribute the call of its function gives; ``own``: with a value beside it."""
    found = node(
        operator, [] if operator == "Constant" else ["a"], ["m" if operator == "Constant" else "o"]
    )
    found.attribute.add(name=name, type=onnx.AttributeProto.INT, ref_attr_name=name)
    if own is not None:
        found.attribute[0].i = own
    return found


def changed_node(found: onnx.NodeProto, **more: Any) -> onnx.NodeProto:
    """The node with more attributes."""
    found.attribute.extend(helper.make_attribute(name, content) for name, content in more.items())
    return found


def loop_in_function(inner: onnx.NodeProto | None = None) -> list[onnx.NodeProto]:
    """A loop of ``m`` turns, of a function's argument ``a`` and its result ``o``."""
    more = inner or node("Neg", ["v"], ["v2"])
    inputs = [value("i", INT64, []), value("c", TensorProto.BOOL, []), value("v", FLOAT, [4, 1])]
    outputs = [value("c2", TensorProto.BOOL, []), value("v2", FLOAT, [4, 1])]
    body = helper.make_graph([node("Identity", ["c"], ["c2"]), more], "b", inputs, outputs)
    yes = node("Constant", [], ["go"], value=constant("", 1, np.bool_))
    return [yes, node("Loop", ["m", "go", "a"], ["o"], body=body)]


def loops_in_functions(count: int) -> list[onnx.FunctionProto]:
    """Functions whose loops call the one before."""
    number = node("Constant", [], ["m"], value_int=9999)
    found = [function("F0", number, *loop_in_function())]
    for below in range(count - 1):
        inner = node(f"F{below}", ["v"], ["v2"], domain="my")
        found.append(function(f"F{below + 1}", number, *loop_in_function(inner)))
    return found


def standard(name: str) -> onnx.FunctionProto:
    """A function with the name of an operator."""
    found = function(name, node("Neg", ["a"], ["o"]))
    found.domain = ""
    return found


def doubling(count: int) -> list[onnx.FunctionProto]:
    """Functions that call the one before twice."""
    found = [function("F0", node("Neg", ["a"], ["o"]))]
    for number in range(1, count):
        below = f"F{number - 1}"
        found.append(
            function(
                f"F{number}",
                node(below, ["a"], ["t"], domain="my"),
                node(below, ["t"], ["o"], domain="my"),
            )
        )
    return found


def row_of(count: int) -> list[onnx.FunctionProto]:
    """Functions that call the one before."""
    rest = [
        function(f"F{number}", node(f"F{number - 1}", ["a"], ["o"], domain="my"))
        for number in range(1, count)
    ]
    return [function("F0", node("Neg", ["a"], ["o"])), *rest]


def turned(
    trip: str,
    *before: onnx.NodeProto,
    stored: Any = (),
    inner: onnx.NodeProto | None = None,
    own: Any = (),
) -> onnx.ModelProto:
    """Weights that a Loop has added to."""
    more = inner or node("Add", ["v", "one"], ["v2"])
    inputs = [value("i", INT64, []), value("c", TensorProto.BOOL, []), value("v", FLOAT, [4, 1])]
    outputs = [value("c2", TensorProto.BOOL, []), value("v2", FLOAT, [4, 1])]
    within = [constant("one", 1, np.float32), *own]
    body = helper.make_graph([node("Identity", ["c"], ["c2"]), more], "b", inputs, outputs, within)
    return linear(
        *before,
        node("Loop", [trip, "yes", "W"], ["Wb"], body=body),
        weights="Wb",
        stored=[YES, *stored],
    )


def loop_within(trip: str) -> onnx.NodeProto:
    inputs = [value("ii", INT64, []), value("cc", TensorProto.BOOL, []), value("vv", FLOAT, [4, 1])]
    outputs = [value("cc2", TensorProto.BOOL, []), value("vv2", FLOAT, [4, 1])]
    nodes = [node("Identity", ["cc"], ["cc2"]), node("Add", ["vv", "one"], ["vv2"])]
    return node(
        "Loop", [trip, "c", "v"], ["v2"], body=helper.make_graph(nodes, "b2", inputs, outputs)
    )


def changed(
    change: Callable[[onnx.ModelProto], Any], model: onnx.ModelProto | None = None
) -> onnx.ModelProto:
    found = model or linear()
    change(found)
    return found


BY = node("Identity", ["W"], ["Wb"])
REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto | bytes], str]] = {
    "a custom domain": (
        lambda: linear(node("Evil", ["W"], ["Wb"], domain="evil")),
        "domain 'evil'",
    ),
    "an internal domain": (
        lambda: linear(node("Conv", ["W", "W"], ["Wb"], domain="com.microsoft.nchwc")),
        "domain 'com.micr",
    ),
    "a context in a file": (
        lambda: linear(
            node("EPContext", ["W"], ["Wb"], domain="com.microsoft", ep_cache_context="params.yaml")
        ),
        "reads a file",
    ),
    "a text generator": (
        lambda: linear(node("GreedySearch", ["W"], ["Wb"], domain="com.microsoft")),
        "no model of a table",
    ),
    "random numbers": (
        lambda: linear(node("RandomNormalLike", ["W"], ["Wb"])),
        "draws random numbers",
    ),
    "random numbers in a branch": (
        lambda: linear(either(branch(node("Bernoulli", ["W"], ["w"]))), stored=[YES], weights="Wb"),
        "draws random numbers",
    ),
    "a cycle": (
        lambda: linear(node("Neg", ["p"], ["q"]), node("Neg", ["q"], ["p"])),
        "reads 'p', which nothing before it gives",
    ),
    "a missing input": (lambda: linear(weights="nothing"), "reads 'nothing'"),
    "a missing output": (
        lambda: changed(lambda m: setattr(m.graph.output[0], "name", "y")),
        "nothing gives the output 'y'",
    ),
    "an output twice": (
        lambda: changed(lambda m: m.graph.output.append(m.graph.output[0])),
        "'prediction' twice",
    ),
    "a tensor given twice": (lambda: linear(BY, BY), "gives 'Wb', which is given already"),
    "an initializer given again": (
        lambda: linear(node("Neg", ["W"], ["W"])),
        "gives 'W', which is given already",
    ),
    "an initializer twice": (lambda: linear(stored=[constant("W", 1)]), "two of its initializers"),
    "a function that calls itself": (
        lambda: calling("F", function("F", node("F", ["a"], ["o"], domain="my"))),
        "calls itself",
    ),
    "functions that call each other": (
        lambda: calling(
            "F",
            function("F", node("G", ["a"], ["o"], domain="my")),
            function("G", node("F", ["a"], ["o"], domain="my")),
        ),
        "calls itself",
    ),
    "functions that double": (lambda: calling("F39", *doubling(40)), "more than 1000000 nodes"),
    "functions in a long row": (lambda: calling("F2999", *row_of(3000)), "deep in each other"),
    "functions in a long row, backwards": (
        lambda: calling("F2999", *row_of(3000)[::-1]),
        "deep in each other",
    ),
    "a function twice": (
        lambda: calling("F", *[function("F", node("Neg", ["a"], ["o"]))] * 2),
        "the same name",
    ),
    "a function of outer names": (
        lambda: calling("F", function("F", node("Add", ["a", "W"], ["o"]))),
        "reads 'W'",
    ),
    "a loop without a number": (lambda: turned(""), "no constant number of turns"),
    "a loop of a computed number": (
        lambda: turned("n", node("Mul", ["m", "m"], ["n"]), stored=[constant("m", 10)]),
        "no constant number of turns",
    ),
    "a loop of all numbers": (
        lambda: turned("m", stored=[constant("m", 2**63 - 1)]),
        "9223372036854775807 turns",
    ),
    "a loop in a loop": (
        lambda: turned("m", stored=[constant("m", 1000)], inner=loop_within("m")),
        "1000000 turns",
    ),
    "a loop of a name that hides a number": (
        lambda: turned("i", stored=[constant("i", 5)], inner=loop_within("i")),
        "no constant number of turns",
    ),
    "a loop in a loop, by what the outer one carries": (
        lambda: turned(
            "m", stored=[constant("m", 9)], inner=loop_within("i"), own=[constant("i", 5)]
        ),
        "no constant number of turns",
    ),
    "a loop of a number that the call gives": (
        lambda: calling(
            "F", function("F", of_the_call("value_int"), *loop_in_function()), value_int=2**50
        ),
        "no constant number of turns",
    ),
    "a loop of a number and that of the call": (
        lambda: calling(
            "F", function("F", of_the_call("value_int", 3), *loop_in_function()), value_int=2**50
        ),
        "has a value and takes that of a call",
    ),
    "a loop of two numbers": (
        lambda: turned(
            "m", changed_node(node("Constant", [], ["m"], value_int=2**50), value_int=3)
        ),
        "has an attribute twice",
    ),
    "loops in functions that call each other": (
        lambda: calling("F3", *loops_in_functions(4)),
        "99980001 turns",
    ),
    "blocks that the call gives": (
        lambda: calling(
            "F", function("F", of_the_call("blocksize", operator="DepthToSpace")), blocksize=2**40
        ),
        "is what the call of a function gives",
    ),
    "a function in the place of an operator": (
        lambda: linear(
            node("Identity", ["W"], ["Wb"]), weights="Wb", functions=[standard("Identity")]
        ),
        "takes the place of an operator",
    ),
    "blocks of an overflowing size": (
        lambda: linear(node("DepthToSpace", ["X"], ["d"], blocksize=2**40)),
        "blocksize should be between 1 and",
    ),
    "settings of onnxruntime": (
        lambda: changed(
            lambda m: m.metadata_props.add(key="ort_config", value='{"session_options": {}}')
        ),
        "settings of onnxruntime",
    ),
    "a field that nobody knows": (
        lambda: linear().SerializeToString() + b"\xfa\x7f\x03abc",
        "does not know",
    ),
    "a name that is not text": (
        lambda: linear().SerializeToString().replace(b"prediction", b"predi\xfftion"),
        "no UTF-8 text",
    ),
    "no graph": (lambda: changed(lambda m: m.ClearField("graph")), "no graph"),
    "nothing": (lambda: b"", "no graph"),
    "text": (lambda: b"hello", "not a whole ONNX file"),
    "two gigabytes said": (
        lambda: b"\x3a\xff\xff\xff\xff\x07" + linear().SerializeToString(),
        "not a whole ONNX file",
    ),
    "lengths within lengths": (lambda: b"\x3a\xff\xff\xff\x07" * 1000, "not a whole ONNX file"),
    "groups within groups": (lambda: b"\x3b" * 100_000, "not a whole ONNX file"),
    "millions of empty messages": (
        lambda: linear().SerializeToString() + b"\x42\x00" * 600_000,
        "more than 500000",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_run_is_one_line(what: str, tmp_path: Path) -> None:
    make, line = REFUSED[what]
    with pytest.raises(UserError, match=line) as caught:
        taken(make(), tmp_path)
    assert "given.onnx is no ONNX model that can be run" in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: turned("m", stored=[constant("m", 10)]),
        lambda: turned("m", node("Constant", [], ["m"], value=constant("", 10))),
        lambda: turned("m", node("Constant", [], ["m"], value_int=10)),
        lambda: calling("F2", *row_of(3)),
        lambda: calling("F3", *doubling(4)),
        lambda: linear(either(branch(node("Neg", ["W"], ["w"]))), stored=[YES], weights="Wb"),
        lambda: linear(
            node("Gelu", ["W"], ["Wb"], domain="com.microsoft"),
            opsets=[helper.make_opsetid("com.microsoft", 1)],
        ),
        lambda: changed(lambda m: m.graph.input.append(value("W", FLOAT, [4, 1]))),
        lambda: changed(lambda m: setattr(m, "doc_string", "x" * (20 << 20))),
    ],
    ids=[
        "loop",
        "constant loop",
        "constant_int loop",
        "functions",
        "doubling",
        "branches",
        "microsoft",
        "old IR",
        "20 MB of text",
    ],
)
def test_what_comes_to_an_end_is_taken(make: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    assert taken(make(), tmp_path).predict(X).shape == (60, 1)


def test_functions_may_differ_in_their_overload_alone() -> None:
    one, other = function("F", node("Neg", ["a"], ["o"])), function("F", node("Abs", ["a"], ["o"]))
    other.overload = "other"
    model = calling("F", one, other)
    judge(model)
    model.graph.node[0].overload = "third"
    with pytest.raises(BadModel, match="domain 'my'"):
        judge(model)


def test_a_model_that_answers_otherwise_when_asked_again_is_refused(tmp_path: Path) -> None:
    training = [constant("ratio", 0.5, np.float32), constant("yes", True, bool)]
    model = linear(node("Dropout", ["W", "ratio", "yes"], ["Wb"]), stored=training, weights="Wb")
    for _ in range(40):  # its four weights are dropped alike in one of sixteen calls
        with pytest.raises(UserError, match="predicts differently when it is run twice"):
            taken(model, tmp_path)
    inference = [training[0], constant("yes", False, bool)]
    assert taken(
        linear(node("Dropout", ["W", "ratio", "yes"], ["Wb"]), stored=inference, weights="Wb"),
        tmp_path,
    )


# Sizes


def tensor(**fields: Any) -> onnx.TensorProto:
    return onnx.TensorProto(
        **{"name": "W", "data_type": FLOAT, "dims": [4, 1], "raw_data": b"\0" * 16, **fields}
    )


TENSORS: dict[str, tuple[dict[str, Any], str]] = {
    "too few bytes": ({"raw_data": b"\0" * 15}, "needs 16 bytes, and holds 15"),
    "too many bytes": ({"raw_data": b"\0" * 17}, "needs 16 bytes, and holds 17"),
    "none": ({"raw_data": b""}, "needs 4 values, and holds 0"),
    "a terabyte": ({"dims": [2**20, 2**20]}, "needs 4398046511104 bytes"),
    "more than 64 bits": ({"dims": [2**62, 2**62]}, "and holds 16"),
    "negative": ({"dims": [-4, -1]}, "negative dimensions"),
    "none of many": ({"dims": [0, 2**62]}, "needs 0 bytes, and holds 16"),
    "twice": ({"float_data": [0] * 4}, "holds its values twice"),
    "of another type": ({"raw_data": b"", "int64_data": [0] * 4}, "not of its type"),
    "an unknown type": ({"data_type": 99}, "data type 99"),
    "no type": ({"data_type": 0}, "data type 0"),
    "texts as bytes": ({"data_type": TensorProto.STRING}, "texts as raw bytes"),
    "a part": ({"segment": {"begin": 0, "end": 4}}, "a part of a tensor"),
}


@pytest.mark.parametrize("what", TENSORS)
def test_a_tensor_holds_what_its_dimensions_say(what: str) -> None:
    fields, line = TENSORS[what]
    stored, attribute = linear(), linear(node("Constant", [], ["c"], value=tensor(**fields)))
    stored.graph.initializer[0].CopyFrom(tensor(**fields))
    for model in (stored, attribute):
        with pytest.raises(BadModel, match=line):
            judge(model)


@pytest.mark.parametrize("kind", [*range(1, 27)])
def test_tensors_of_every_type_are_taken_in_both_forms(kind: int) -> None:
    if kind == TensorProto.STRING:
        made = [numpy_helper.from_array(np.array(["a", "b", "c"], object), "c")]
    else:
        of_bits = [helper.make_tensor("c", kind, [3], [1, 0, 1])]
        array = numpy_helper.to_array(of_bits[0])
        made = [*of_bits, numpy_helper.from_array(array, "c")]
    for stored in made:
        judge(linear(stored=[stored]))


SPARSE = {
    "far": ([0, 12], [4, 3], "out of bounds"),
    "negative": ([-1, 2], [4, 3], "out of bounds"),
    "far in a dimension": ([[0, 0], [3, 3]], [4, 3], "out of bounds"),
    "too few": ([0], [4, 3], "2 values and indices of the shape"),
    "huge": ([0, 5], [2**31, 2**31], "more than 2147483648 bytes"),
    "negative dimensions": ([0, 5], [-4, -3], "not negative"),
    "no dimensions": ([0, 5], [], "one or more"),
}


@pytest.mark.parametrize("what", SPARSE)
def test_indices_of_sparse_tensors_lie_within_them(what: str) -> None:
    indices, dims, line = SPARSE[what]
    model = linear()
    model.graph.sparse_initializer.add(
        values=constant("S", [1, 2], np.float32), indices=constant("", indices), dims=dims
    )
    with pytest.raises(BadModel, match=line):
        judge(model)
    model.graph.sparse_initializer[0].CopyFrom(
        onnx.SparseTensorProto(
            values=constant("S", [1, 2], np.float32), indices=constant("", [0, 5]), dims=[4, 3]
        )
    )
    judge(model)


# Operators of ai.onnx.ml

TREE: dict[str, Any] = {
    "nodes_treeids": [0] * 5,
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_featureids": [0, 1, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.2, 0.0, 0.0, 0.0],
    "nodes_truenodeids": [1, 3, 0, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0],
    "target_treeids": [0, 0, 0],
    "target_nodeids": [2, 3, 4],
    "target_ids": [0, 0, 0],
    "target_weights": [1.0, 2.0, 3.0],
    "n_targets": 1,
}
TREE_5: dict[str, Any] = {
    "tree_roots": [0],
    "nodes_featureids": [0, 1],
    "nodes_modes": helper.make_tensor("m", TensorProto.UINT8, [2], [0, 0]),
    "nodes_splits": helper.make_tensor("s", FLOAT, [2], [0.5, 0.2]),
    "nodes_truenodeids": [1, 0],
    "nodes_falsenodeids": [1, 2],
    "nodes_trueleafs": [0, 1],
    "nodes_falseleafs": [1, 1],
    "leaf_targetids": [0, 0, 0],
    "leaf_weights": helper.make_tensor("w", FLOAT, [3], [1.0, 2.0, 3.0]),
    "n_targets": 1,
    "post_transform": 0,
    "aggregate_function": 1,
}
LINEAR: dict[str, Any] = {"coefficients": [1.0] * 4, "intercepts": [0.5], "targets": 1}
VECTORS: dict[str, Any] = {
    "kernel_type": "RBF",
    "kernel_params": [0.1, 0.0, 3.0],
    "coefficients": [1.0, -1.0],
    "support_vectors": [1.0] * 8,
    "n_supports": 2,
    "rho": [0.1],
}
OPERATORS = {
    "TreeEnsembleRegressor": (TREE, 3),
    "TreeEnsemble": (TREE_5, 5),
    "LinearRegressor": (LINEAR, 1),
    "SVMRegressor": (VECTORS, 1),
}


def operator(name: str, **changes: Any) -> onnx.ModelProto:
    attributes, version = OPERATORS[name]
    made = node(
        name,
        ["X"],
        ["prediction"],
        domain=ML,
        **{k: v for k, v in {**attributes, **changes}.items() if v is not None},
    )
    graph = helper.make_graph(
        [made], "g", [value("X", FLOAT, [None, 4])], [value("prediction", FLOAT, [None, 1])]
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid(ML, version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def variants(content: Any) -> Iterator[Any]:
    """Lists and tensors that are cut, doubled or empty, and indices out of every table."""
    if isinstance(content, onnx.TensorProto):
        array = numpy_helper.to_array(content)
        yield from (
            numpy_helper.from_array(made) for made in (array[:-1], np.concatenate([array, array]))
        )
    elif isinstance(content, list) and len(content) > 1:
        yield from (content[:-1], content + content)
        if isinstance(content[0], int):
            for stray in (-1, 7, 10**6, 2**31, 2**62, -(2**63)):
                yield [stray, *content[1:]]


MUTATED = [
    (name, key, number)
    for name, (attributes, _) in OPERATORS.items()
    for key, content in attributes.items()
    for number in range(len(list(variants(content))))
]
RIGHT = {("nodes_nodeids", (7, 1, 2, 3, 4)), ("nodes_nodeids", (10**6, 1, 2, 3, 4))}
"""The root may have any number."""


@pytest.mark.parametrize("name", OPERATORS)
def test_the_tables_of_an_operator_fit_together(name: str, tmp_path: Path) -> None:
    assert taken(operator(name), tmp_path).predict(X).shape == (60, 1)
    for _, key, number in (case for case in MUTATED if case[0] == name):
        change = list(variants(OPERATORS[name][0][key]))[number]
        if key in {"nodes_trueleafs", "nodes_falseleafs"} and number > 1:
            continue  # whatever is not 0 means a leaf
        if isinstance(change, list) and (key, tuple(change)) in RIGHT:
            continue
        with pytest.raises(BadModel):
            judge(operator(name, **{key: change}))


CIRCLES: dict[str, dict[str, Any]] = {
    "TreeEnsembleRegressor": {
        "nodes_modes": [*["BRANCH_LEQ"] * 4, "LEAF"],
        "nodes_truenodeids": [1, 3, 0, 1, 0],
    },
    "TreeEnsemble": {"nodes_truenodeids": [1, 0], "nodes_trueleafs": [0, 0]},
}


@pytest.mark.parametrize("name", CIRCLES)
def test_nodes_that_lead_in_a_circle_are_refused(name: str) -> None:
    with pytest.raises(BadModel, match="in a circle"):
        judge(operator(name, **CIRCLES[name]))


def shared(trees: int, levels: int) -> onnx.ModelProto:
    """Trees that begin at one branch, with two ways to the next on each level."""
    splits = list(range(3 * levels))  # a branch over two, which both lead to the next level
    below = [next_ for level in range(levels) for next_ in (3 * level + 1, *[3 * level + 3] * 2)]
    other = [next_ for level in range(levels) for next_ in (3 * level + 2, 0, 0)]
    last = 3 * levels
    true_leaf = [int(child >= last) for child in below]
    false_leaf = [int(number % 3 > 0) for number in splits]
    return operator(
        "TreeEnsemble",
        tree_roots=[0] * trees,
        nodes_featureids=[0] * last,
        nodes_modes=numpy_helper.from_array(np.zeros(last, np.uint8), "modes"),
        nodes_splits=numpy_helper.from_array(np.zeros(last, np.float32), "splits"),
        nodes_truenodeids=[0 if child >= last else child for child in below],
        nodes_trueleafs=true_leaf,
        nodes_falsenodeids=other,
        nodes_falseleafs=false_leaf,
        nodes_missing_value_tracks_true=None,
        membership_values=None,
    )


def test_branches_that_trees_share_are_bounded() -> None:
    judge(shared(trees=10, levels=1))  # 10 trees of 3 branches: 30 copies of 3 branches
    for trees, levels in ((1, 40), (100, 1)):  # 2^40 ways through 120 branches; 300 of 3
        with pytest.raises(BadModel, match="share branches more than 16 times"):
            judge(shared(trees, levels))


def deep(levels: int) -> onnx.ModelProto:
    """A tree with a leaf and the next branch on each level."""
    count = 2 * levels + 1
    leaves = list(range(levels, count))
    return operator(
        "TreeEnsembleRegressor",
        nodes_treeids=[0] * count,
        nodes_nodeids=list(range(count)),
        nodes_featureids=[0] * count,
        nodes_modes=["BRANCH_LEQ"] * levels + ["LEAF"] * (levels + 1),
        nodes_values=[0.5] * count,
        nodes_truenodeids=[*range(levels, 2 * levels), *[0] * (levels + 1)],
        nodes_falsenodeids=[*range(1, levels), 2 * levels, *[0] * (levels + 1)],
        target_treeids=[0] * len(leaves),
        target_nodeids=leaves,
        target_ids=[0] * len(leaves),
        target_weights=[1.0] * len(leaves),
    )


def test_a_tree_that_is_too_deep_for_onnxruntime_is_refused(tmp_path: Path) -> None:
    assert taken(deep(MOST_LEVELS), tmp_path)
    with pytest.raises(BadModel, match=f"more than {MOST_LEVELS} levels"):
        judge(deep(MOST_LEVELS + 1))


# Memory

BOMBS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.given.test_given_onnx_file import bombs, taken
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for name, model in bombs().items():
    try:
        taken(model, Path(sys.argv[2]))
        print(name, "taken")
    except MemoryError:
        print(name, "no memory")
    except Exception as error:
        print(name, type(error).__name__, error)
"""


def bombs() -> dict[str, onnx.ModelProto]:
    """Models of a few hundred bytes that need terabytes when they are opened or run."""
    shape, one = constant("s", [10**6, 10**6]), constant("one", 1, np.float32)
    largest = node("ReduceMax", ["X"], ["x"], keepdims=0)
    ends = [constant("end", 1e12, np.float32), constant("start", 0, np.float32)]
    makers = {
        "ConstantOfShape": ([node("ConstantOfShape", ["s"], ["o"])], [shape]),
        "Expand at opening": ([node("Expand", ["one", "s"], ["o"])], [shape, one]),
        "Expand": ([largest, node("Expand", ["x", "s"], ["o"])], [shape]),
        "Range": ([node("Range", ["start", "end", "one"], ["o"])], [*ends, one]),
        "Pad": ([node("Pad", ["X", "p"], ["o"])], [constant("p", [0, 0, 10**9, 10**3])]),
        "Resize": (
            [node("Resize", ["X", "", "by"], ["o"], mode="nearest")],
            [constant("by", [1, 1e9], np.float32)],
        ),
        "broadcast": (
            [
                node("ConstantOfShape", ["a"], ["y"]),
                node("ConstantOfShape", ["b"], ["z"]),
                node("Add", ["y", "z"], ["o"]),
            ],
            [constant("a", [10**6, 1]), constant("b", [1, 10**6])],
        ),
    }
    return {
        name: linear(
            *nodes,
            node("ReduceMax", ["o"], ["m"], keepdims=0),
            node("Add", ["W", "m"], ["Wb"]),
            stored=stored,
            weights="Wb",
        )
        for name, (nodes, stored) in makers.items()
    }


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a process has no limit of its address space"
)
def test_a_model_that_wants_more_memory_than_there_is_says_so(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", BOMBS, str(root), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, timeout=120
    )
    assert done.stdout.splitlines() == [f"{name} no memory" for name in bombs()], done.stderr[
        -2000:
    ]
