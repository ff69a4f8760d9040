"""Exported programs are judged and written anew; support/torch_exports has one that torch saved."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxpress.torch_program.archive import read_program
from onnxpress.torch_program.fields import BadProgram
from onnxpress.torch_program.program import Interface, TensorInput

SAVED = Path(__file__).parents[1] / "support" / "torch_exports" / "program.pt2"
MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
SAMPLES = "data/sample_inputs/model.pt"


class Members(dict[str, bytes]):
    """The members of the saved archive, to be changed and put together again."""

    def __init__(self) -> None:
        with zipfile.ZipFile(SAVED) as archive:
            super().__init__(
                {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
            )

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        content = json.loads(self[name])
        change(content)
        self[name] = json.dumps(content).encode()

    def together(self, compression: int = zipfile.ZIP_STORED) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, content in self.items():
                archive.writestr(f"net/{name}", content)
        return file.getvalue()


@pytest.fixture
def members() -> Members:
    return Members()


def nodes(model: Any) -> Any:
    return model["graph_module"]["graph"]["nodes"]


def values(model: Any) -> Any:
    return model["graph_module"]["graph"]["tensor_values"]


def test_what_it_takes_and_gives_is_read() -> None:
    found = read_program(SAVED.read_bytes()).interface
    taken = (TensorInput("input", "float32", (None, 4)),)
    assert found == Interface(taken, ("linear_1",))


def test_it_is_written_anew_the_same_each_time_and_without_what_would_be_unpickled() -> None:
    written = read_program(SAVED.read_bytes()).data
    assert read_program(written).data == written
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.read(f"program/{SAMPLES}") == b""
        model = json.loads(archive.read(f"program/{MODEL}"))
        names = sorted(name for name in archive.namelist() if "weight_" in name)
        weights = [archive.read(name) for name in names]
    assert all(node["metadata"] == {} for node in nodes(model))
    assert [node["target"] for node in nodes(model)] == [
        "torch.ops.aten.linear.default",
        "torch.ops.aten.relu.default",
        "torch.ops.aten.linear.default",
    ]
    original = Members()
    assert weights == [original[name.partition("/")[2]] for name in names]


def test_rows_of_the_export_that_run_code_are_never_read(members: Members) -> None:
    members[SAMPLES] = pickle.dumps(print)
    assert pickle.dumps(print) not in read_program(members.together()).data


GRAPH = "graph_module.graph"
ROWS = f"{GRAPH}.tensor_values.input.sizes.0"
CALL = "graph_module.module_call_graph.0.signature"
SPECS = "graph_module.signature"
BAD: dict[str, tuple[str, str, Any, str]] = {
    "os": (MODEL, f"{GRAPH}.nodes.0.target", "torch.os.system", "calls torch.os.system"),
    "hub": (MODEL, f"{GRAPH}.nodes.0.target", "torch.hub.load", "calls torch.hub.load"),
    "attrgetter": (MODEL, f"{GRAPH}.nodes.0.target", "_operator.attrgetter", "calls _operator"),
    "file": (
        *(MODEL, f"{GRAPH}.nodes.0.target", "torch.ops.aten.from_file.default"),
        "calls torch.ops.aten.from_file.default, which is no operator",
    ),
    "own operator": (MODEL, f"{GRAPH}.nodes.0.target", "torch.ops.mine.f.default", "calls torch"),
    "code as a size": (
        *(MODEL, f"{ROWS}.as_expr.expr_str", "__import__('os').system('true')"),
        "computes a size by \"__import__('os')",
    ),
    "code in a symbol": (
        *(MODEL, f"{ROWS}.as_expr.expr_str", "Symbol(__import__('os').system('true'))"),
        "computes a size by",
    ),
    "a power": (
        *(MODEL, f"{ROWS}.as_expr.expr_str", "Pow(Integer(9), Integer(999999999))"),
        "computes a size by",
    ),
    "a type": (
        *(MODEL, f"{CALL}.out_spec"),
        json.dumps([1, {"type": "os.stat_result", "context": "null", "children_spec": []}]),
        "takes or gives a os.stat_result",
    ),
    "an import": (
        *(MODEL, f"{CALL}.out_spec"),
        json.dumps(
            [
                1,
                {
                    "type": "builtins.list",
                    "context": json.dumps({"__enum__": 1, "fqn": "this:c", "name": "x"}),
                    "children_spec": [],
                },
            ]
        ),
        "expected one of null",
    ),
    "code as a name": (MODEL, f"{CALL}.forward_arg_names", ["x=exit()"], "expected a name"),
    "code as a weight": (
        *(MODEL, f"{SPECS}.input_specs.0.parameter.parameter_name", "a;exit()"),
        "expected a name",
    ),
    "another graph": (
        *(MODEL, f"{GRAPH}.nodes.0.inputs.0.arg", {"as_graph": {}}),
        "holds 'as_graph', which is not taken",
    ),
    "an object": (
        *(MODEL, f"{GRAPH}.custom_obj_values", {"o": {"name": "o", "class_fqn": "a.B"}}),
        "holds an object of its own",
    ),
    "an unknown field": (MODEL, "hooks", ["x"], "has the field 'hooks', which is not known"),
    "an unknown version": (MODEL, "schema_version.major", 9, "expected one of 8, got 9"),
    "a graphics card": (
        *(MODEL, f"{GRAPH}.tensor_values.input.device.type", "cuda"),
        "has tensors on 'cuda'; move the model to the CPU, model.cpu()",
    ),
    "fixed rows": (MODEL, ROWS, {"as_int": 7}, "takes 7 rows a call for 'input', and no other"),
    "training": (
        *(MODEL, f"{SPECS}.output_specs.0"),
        {"buffer_mutation": {"arg": {"name": "linear_1"}, "buffer_name": "mean"}},
        "changes its own weights at each call; call model.eval()",
    ),
    "pickled weights": (
        *(WEIGHTS, "config.0%weight.use_pickle", True),
        "keeps weights as a pickle, which runs code",
    ),
    "weights elsewhere": (
        *(WEIGHTS, "config.0%weight.path_name", "../../etc/passwd"),
        "expected a name",
    ),
    "weights beyond the file": (
        *(WEIGHTS, "config.0%weight.tensor_meta.sizes.0.as_int", 10**6),
        "should have 16000000 bytes, and has",
    ),
}
"""By what is wrong: the member, the field (``%`` is a dot in a name), its value, what is said."""


@pytest.mark.parametrize("what", BAD)
def test_what_is_not_known_is_refused(what: str, members: Members) -> None:
    member, path, value, said = BAD[what]
    parts = path.split(".")

    def change(content: Any) -> None:
        for part in parts[:-1]:
            content = content[int(part) if isinstance(content, list) else part.replace("%", ".")]
        last = parts[-1]
        content[int(last) if isinstance(content, list) else last.replace("%", ".")] = value

    members.edit(member, change)
    with pytest.raises(BadProgram) as error:
        read_program(members.together())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_of_a_range_are_refused_with_how_to_export(members: Members) -> None:
    members.edit(
        MODEL, lambda model: next(iter(model["range_constraints"].values())).update(max_val=64)
    )
    with pytest.raises(BadProgram, match=r"takes 0 to 64 rows a call for 'input'; export it with"):
        read_program(members.together())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data/aotinductor/model/net.so", "holds machine code"),
        ("extra/library.so", "holds machine code"),
        ("data/weights/model.pt", "keeps its weights as a pickle"),
        (
            "data/constants/custom_obj_0",
            "holds an object of its own, 'data/constants/custom_obj_0'",
        ),
        ("models/second.json", "should hold one program, and holds 2"),
    ],
)
def test_other_members_are_refused(name: str, said: str, members: Members) -> None:
    members[name] = b"x"
    with pytest.raises(BadProgram, match=said):
        read_program(members.together())


def test_what_is_no_archive_or_not_whole_is_refused(members: Members) -> None:
    whole = SAVED.read_bytes()
    for size in (0, 10, len(whole) // 2):
        with pytest.raises(BadProgram, match="is no archive of torch.export.save"):
            read_program(whole[:size])
    with pytest.raises(BadProgram, match="is compressed"):
        read_program(members.together(zipfile.ZIP_DEFLATED))
    del members["data/weights/weight_0"]
    with pytest.raises(BadProgram, match="'data/weights/weight_0' is missing"):
        read_program(members.together())
