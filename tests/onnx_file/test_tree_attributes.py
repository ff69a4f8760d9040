"""The table of tree attributes says what onnx's own schemas say."""

from __future__ import annotations

import onnx
import pytest
from onnx import AttributeProto

from onnxpress.onnx_file.tree_attributes import (
    MEMBER_MODE,
    SPLIT_MODES,
    TREE_OPERATORS,
    Per,
    required,
)

VERSIONS = [
    ("TreeEnsembleClassifier", 1),
    ("TreeEnsembleClassifier", 3),
    ("TreeEnsembleRegressor", 1),
    ("TreeEnsembleRegressor", 3),
    ("TreeEnsemble", 5),
]


@pytest.mark.parametrize(("operator", "version"), VERSIONS)
def test_names_and_types_are_those_of_the_specification(operator: str, version: int) -> None:
    schema = onnx.defs.get_schema(operator, version, "ai.onnx.ml")
    specified = {
        name: str(item.type).rpartition(".")[2] for name, item in schema.attributes.items()
    }
    table = {
        one.name: AttributeProto.AttributeType.Name(one.type)
        for one in TREE_OPERATORS[operator]
        if one.since <= version
    }
    assert table == specified


def test_what_the_specification_requires_is_required_here() -> None:
    schema = onnx.defs.get_schema("TreeEnsemble", 5, "ai.onnx.ml")
    specified = {name for name, item in schema.attributes.items() if item.required}
    assert specified == {one.name for per in Per for one in required("TreeEnsemble", per)}


def test_the_modes_of_version_5_are_the_positions_of_the_older_ones() -> None:
    specified = onnx.defs.get_schema("TreeEnsemble", 5, "ai.onnx.ml").attributes["nodes_modes"]
    for number, name in enumerate((*SPLIT_MODES, b"BRANCH_MEMBER")):
        assert f"{number} ('{name.decode()}')" in specified.description
    assert len(SPLIT_MODES) == MEMBER_MODE
