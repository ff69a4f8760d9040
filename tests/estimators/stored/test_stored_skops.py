"""skops files: a real one loads as skops itself loads it; a hostile one is refused in one line."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch
from skops import io as skops

from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.loading import load_original
from tests.support.skops_files import (
    a_dict,
    a_list,
    a_tuple,
    a_type,
    an_object,
    array,
    call,
    entry,
    npy,
    objects,
    skops_file,
    value,
    zip_file,
)
from tests.support.stored_comparison import differences

RAN = "mark"
COMMAND = f"touch {RAN}"
TREE = "sklearn.tree._tree"
KERNEL = ("sklearn.gaussian_process.kernels", "ConstantKernel")
EXPECTED = (stored.Refused, stored.Damaged, stored.OtherVersion)
LONGEST = 5.0
"""Seconds that a hostile file may take; all take less than a tenth of one on an idle machine."""


def theirs(data: bytes) -> Any:
    """What skops makes of a file."""
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def rows() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


# What real files hold

VALUES: dict[str, Any] = {
    "values": [None, True, 0, -(1 << 70), 1.5, float("inf"), "", "é", "1"],
    "containers": {
        "list": [1, [2]],
        "tuple": (1, (2,), ()),
        "set": {1, 2},
        "frozenset": frozenset({"a"}),
        "slice": slice(1, None),
    },
    "bytes": [b"", b"abc", bytearray(b"x")],
    "keys": {"a": 1, 2: 2, 2.5: 3, np.int64(7): 4, np.str_("b"): 5, np.float32(0.1): 6},
    "dicts": [OrderedDict(a=1, b=2), Bunch(x=[1]), Counter("aab")],
    "scalars": [np.float32(0.1), np.float64(0.1), np.int8(-3), np.bool_(True), np.str_("text")],
    "types": [np.float32, int, str, np.dtype("<f4"), np.dtype("O"), np.dtype("<U3")],
    "functions": [np.log1p, np.sqrt],
    "arrays": [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.eye(3)),
        np.array(3),
        np.empty((0, 2)),
        np.arange(4) > 1,
    ],
    "views": [np.arange(20)[::3], np.arange(12).reshape(3, 4)[:, 1:3]],
    "text": [np.array(["a", "bcd"]), np.array([b"x"])],
    "objects": [
        np.array(["a", 1, None, 2.5], object),
        np.array([["a", 1], [None, [3]]], object),
        np.empty(0, object),
    ],
    "masked": [
        np.ma.array([1.0, 2.0], mask=[False, True]),
        np.ma.array([1, 2]),
        np.ma.array(["a", None], mask=[True, False], dtype=object),
        np.ma.array(np.asfortranarray(np.eye(3)), mask=np.asfortranarray(np.eye(3))),
        np.ma.array(np.asfortranarray(np.ones((2, 3))), mask=np.tri(2, 3, dtype=bool)),
    ],
    "random states": [
        np.random.RandomState(5),
        np.random.default_rng(5),
        np.random.Generator(np.random.Philox(1)),
    ],
    "sparse": [
        kind(np.eye(3))
        for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array)
    ],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_out_as_skops_makes_them(name: str) -> None:
    data = skops.dumps(VALUES[name])
    assert differences(stored.loads(data, kind="skops"), theirs(data)) == []


def test_keys_that_skops_confuses_come_out_as_they_went_in() -> None:
    confused = {True: "t", False: "f", 1.5: "x"}
    assert theirs(skops.dumps(confused)) == {True: "f", 1.5: "x"}
    assert stored.loads(skops.dumps(confused), kind="skops") == confused
    for keys in ({None: 1}, {1: "number", "1": "text"}):
        assert stored.loads(skops.dumps(keys), kind="skops") == keys
    numbers = defaultdict(list, {3: [1]})
    assert stored.loads(skops.dumps(numbers), kind="skops") == numbers


def test_an_object_that_is_in_two_places_is_one_object() -> None:
    shared = [np.random.RandomState(1), np.arange(3)]
    first, second = stored.loads(
        skops.dumps({"a": shared, "b": (shared[0], shared[1])}), kind="skops"
    ).values()
    assert first[0] is second[0]
    assert first[1] is second[1]


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_compression_that_skops_offers_is_read(compression: int) -> None:
    data = skops.dumps([np.arange(1000.0), b"abc"], compression=compression)
    assert differences(stored.loads(data, kind="skops"), [np.arange(1000.0), b"abc"]) == []


def estimators() -> dict[str, Any]:
    """Fitted ones that hold more than numbers."""
    x, y = rows()
    frame = pd.DataFrame({"a": x[:, 0], "b": ["u", "v", None] * 20, "c": x[:, 1]})
    columns = [
        ("n", SplineTransformer(3), ["a"]),
        ("s", "passthrough", slice("c", "c")),
        ("c", OneHotEncoder(), make_column_selector("b")),
    ]
    texts = ["red apple", "green pear", "red pear"] * 20
    return {
        "columns": make_pipeline(ColumnTransformer(columns), LogisticRegression()).fit(frame, y),
        "functions": make_pipeline(
            FunctionTransformer(np.abs), SelectKBest(k=2), SGDClassifier(random_state=0)
        ).fit(x, y),
        "neighbors": KNeighborsClassifier(algorithm="kd_tree").fit(x, y),
        "search": GridSearchCV(
            DecisionTreeClassifier(), {"max_depth": [1, 2], "criterion": ["gini", "entropy"]}, cv=2
        ).fit(x, y),
        "sparse": SVC().fit(sparse.csr_matrix(x), y),
        "text": make_pipeline(
            CountVectorizer(stop_words=["the"]), LogisticRegression(class_weight={0: 1, 1: 2.5})
        ).fit(texts, y),
        "trees": GradientBoostingClassifier(
            n_estimators=2, random_state=np.random.RandomState(0)
        ).fit(x, y),
        "histogram": HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(
            np.floor(abs(x)), y
        ),
    }


def test_estimators_come_out_as_skops_makes_them() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator in estimators().items():
            data = skops.dumps(estimator)
            ours = stored.loads(data, kind="skops")
            assert differences(ours, theirs(data)) == [], name
            again = stored.dump(ours)
            assert stored.dump(stored.loads(again)) == again, name


def test_skops_is_not_imported_to_read_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.skops").write_bytes(skops.dumps(DecisionTreeClassifier().fit(*rows())))
    code = (
        "import sys; from pathlib import Path; from onnxpress.estimators import stored; "
        "stored.load(Path(sys.argv[1])); sys.exit('skops' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.skops")], check=True, cwd=root)


def test_the_older_protocols_are_read() -> None:
    function = entry(
        "FunctionNode", "numpy", "ufunc", content={"module_path": "numpy", "function": "sqrt"}
    )
    assert stored.loads(skops_file(function, protocol=0), kind="skops") is np.sqrt
    bits = theirs_entry(np.random.default_rng(3))
    del bits["content"]["seed_seq"]
    found = stored.loads(skops_file(bits, protocol=1), kind="skops")
    assert found.random() == np.random.default_rng(3).random()
    for protocol in (3, -1, True, "2", None, 1.0):
        with pytest.raises(stored.Damaged, match=r"protocol .*, and 0 to 2 are read"):
            stored.loads(skops_file(value(1), protocol=protocol), kind="skops")


def theirs_entry(item: Any) -> dict[str, Any]:
    """The entry that skops writes for an object without members of its own."""
    with zipfile.ZipFile(io.BytesIO(skops.dumps(item))) as archive:
        return dict(json.loads(archive.read("schema.json")))


# Hostile files


def mapped(address: int) -> dict[str, Any]:
    """An object that numpy takes for a window on memory."""
    window = {
        "data": a_tuple(value(address), value(False)),
        "shape": a_tuple(value(8)),
        "typestr": value("|u1"),
        "version": value(3),
    }
    return an_object(*KERNEL, {"__array_interface__": a_dict(window)})


def calls() -> dict[str, dict[str, Any]]:
    """Every kind of entry, as one that would run a command or reach into memory."""
    command = value(COMMAND)
    system = entry("FunctionNode", "os", "system")
    return {
        "constructor": call("os", "system", command),
        "constructor of an estimator": call("sklearn.dummy", "DummyClassifier", value("prior")),
        "constructor exec": call("builtins", "exec", value(f"open('{RAN}', 'w')")),
        "constructor of a window": call(
            "numpy", "ndarray", a_tuple(), value("<u8"), objects(value(1))
        ),
        "constructor of a matrix": call(
            "numpy", "matrix", mapped(id(EXPECTED)), value(None), value(False)
        ),
        "constructor of a masked array": call("numpy.ma", "MaskedArray", mapped(id(EXPECTED))),
        "constructor of a path": call("pathlib", "PosixPath", command),
        "state with a dunder": mapped(id(EXPECTED)),
        "state with a class": an_object(
            "sklearn.dummy", "DummyClassifier", {"__class__": a_type("builtins", "str")}
        ),
        "state with a method": an_object(
            "sklearn.dummy", "DummyClassifier", {"predict": a_type("builtins", "str")}
        ),
        "state of slots": entry(
            "ObjectNode", *KERNEL, content=a_tuple(value(None), a_dict({"__class__": value(1)}))
        ),
        "object": an_object("subprocess", "Popen", {"args": command}),
        "object of a nested name": an_object("sklearn.dummy", "DummyClassifier.__init__", {}),
        "function": system,
        "function of protocol 0": entry(
            "FunctionNode", "x", "y", content={"module_path": "os", "function": "system"}
        ),
        "type": a_type("os", "system"),
        "type exec": a_type("builtins", "exec"),
        "keys": a_dict({COMMAND: value(1)}, a_type("os", "system")),
        "keys of any class": a_dict({"5": value(1)}, a_type("builtins", "range")),
        "dict": entry("DictNode", "os", "system", content={}, key_types=a_list()),
        "list": entry("ListNode", "os", "system", content=[command]),
        "set": entry("SetNode", "os", "system", content=[command]),
        "tuple": entry("TupleNode", "os", "system", content=[command]),
        "default factory": entry(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": a_dict({}), "default_factory": system},
        ),
        "default factory exec": entry(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": a_dict({}), "default_factory": a_type("builtins", "exec")},
        ),
        "partial": entry(
            "PartialNode",
            "functools",
            "partial",
            content={
                "func": system,
                "args": a_tuple(command),
                "kwds": a_dict({}),
                "namespace": value(None),
            },
        ),
        "partial of a class": entry(
            "PartialNode",
            "functools",
            "partial",
            content={
                "func": a_type("builtins", "str"),
                "args": a_tuple(command),
                "kwds": a_dict({}),
                "namespace": value(None),
            },
        ),
        "method": entry(
            "MethodNode", *KERNEL, content={"func": "__init__", "obj": an_object(*KERNEL, {})}
        ),
        "method of a value": entry(
            "MethodNode", "builtins", "str", content={"func": "format", "obj": command}
        ),
        "method of another": entry(
            "MethodNode", "os", "system", content={"func": "__call__", "obj": a_dict({})}
        ),
        "operator": entry(
            "OperatorFuncNode", "operator", "methodcaller", attrs=a_tuple(value("system"), command)
        ),
        "operator elsewhere": entry("OperatorFuncNode", "os", "system", attrs=a_tuple(command)),
        "tree": entry(
            "TreeNode", "os", "system", __reduce__={"args": a_tuple(command)}, content=a_dict({})
        ),
        "tree without nodes": entry(
            "TreeNode",
            TREE,
            "Tree",
            __reduce__={"args": a_tuple(value(1), value(2), value(3))},
            content=a_dict({}),
        ),
        "loss": entry(
            "LossNode", "os", "system", __reduce__={"args": a_tuple(command)}, content=a_dict({})
        ),
        "loss of text": entry(
            "LossNode",
            "sklearn.linear_model._sgd_fast",
            "Hinge",
            __reduce__={"args": a_tuple(command)},
            content=a_dict({}),
        ),
        "gradient descent": entry(
            "SGDNode", "os", "system", __reduce__={"args": a_tuple(command)}, content=a_dict({})
        ),
        "quantile forest": entry(
            "QuantileForestNode",
            "x",
            "QuantileForest",
            __reduce__={"args": a_tuple(command)},
            content=a_dict({}),
        ),
        "array class": entry("NdArrayNode", "os", "system", type="numpy", file="a.npy"),
        "scalar class": entry("NdArrayNode", "os", "system", type="numpy", file="number.npy"),
        "array of another class": entry(
            "NdArrayNode", "numpy", "recarray", type="numpy", file="a.npy"
        ),
        "objects class": {**objects(command), "__module__": "os", "__class__": "system"},
        "pickled objects": array("objects.npy"),
        "pickled records": array("records.npy"),
        "masked class": entry(
            "MaskedArrayNode",
            "os",
            "system",
            content={"data": array("a.npy"), "mask": array("a.npy")},
        ),
        "masked array of an object": entry(
            "MaskedArrayNode",
            "numpy.ma",
            "MaskedArray",
            content={"data": mapped(1), "mask": value(False)},
        ),
        "random state class": entry("RandomStateNode", "os", "system", content=a_dict({})),
        "random state of another": entry(
            "RandomStateNode",
            "numpy.random.mtrand",
            "RandomState",
            content=a_dict({"bit_generator": value("seed")}),
        ),
        "generator": entry(
            "RandomGeneratorNode",
            "numpy.random._generator",
            "Generator",
            content={
                "bit_generator": a_dict({"bit_generator": value("seed")}),
                "seed_seq": a_dict({}),
            },
        ),
        "generator of an object": entry(
            "RandomGeneratorNode", "os", "system", content={"bit_generator": mapped(1)}
        ),
        "dtype": entry("DTypeNode", "numpy", "dtype", content=mapped(1)),
        "sparse class": entry("SparseMatrixNode", "os", "system", type="scipy", file="m.npz"),
        "sparse of another": entry(
            "SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="scipy", file="a.npy"
        ),
        "sparse beyond its shape": entry(
            "SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="scipy", file="m.npz"
        ),
        "slice": entry(
            "SliceNode", "builtins", "slice", content={"start": {"a": 1}, "stop": [], "step": None}
        ),
        "value": entry("JsonNode", "builtins", "str", content='{"a": [1]}'),
        "an unknown kind": entry("EvalNode", "builtins", "eval", content=f"open('{RAN}', 'w')"),
        "an alias": entry("CachedNode", "os", "system", __id__=12),
        "a name with a line": an_object("os\x1b[31m", "system\n", {}),
        "a name of 10,000": an_object("x" * 10_000, "y", {}),
    }


def members() -> dict[str, bytes]:
    """Members that the hostile entries name."""
    broken = {
        "format.npy": npy(b"csr"),
        "shape.npy": npy([2, 2]),
        "data.npy": npy([1.0]),
        "indices.npy": npy([9]),
        "indptr.npy": npy([0, 1, 1]),
    }
    record = np.zeros(1, [("a", "O"), ("b", "<i8")])
    return {
        "a.npy": npy([1.0, 2.0]),
        "number.npy": npy(1.0),
        "objects.npy": npy(np.array([RAN], object)),
        "records.npy": npy(record),
        "m.npz": zip_file(broken),
    }


@pytest.mark.parametrize("name", calls())
def test_what_would_run_or_reach_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = calls()[name]
    for root in (
        hostile,
        an_object("sklearn.dummy", "DummyClassifier", {"inner": a_list(hostile)}),
    ):
        Path("a.skops").write_bytes(skops_file(root, members()))
        with pytest.raises(EXPECTED):
            stored.load(Path("a.skops"))
        with pytest.raises(UserError) as caught:
            load_original(Path("a.skops"))
        assert "\n" not in str(caught.value)
        assert str(caught.value).isprintable()
    assert not Path(RAN).exists()


def test_names_that_no_estimator_holds_are_all_told() -> None:
    root = a_list(
        a_type("os", "system"),
        an_object("foreign.package", "Model", {"a": a_type("shutil", "rmtree")}),
    )
    with pytest.raises(stored.Refused) as caught:
        stored.judge(skops_file(root), kind="skops")
    assert caught.value.names == ["foreign.package.Model", "os.system", "shutil.rmtree"]


def itself(make: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """A file whose root refers to itself by its number."""
    return skops_file(
        {
            **make({"__loader__": "CachedNode", "__module__": "", "__class__": "", "__id__": 7}),
            "__id__": 7,
        }
    )


CIRCLES: dict[str, bytes] = {
    "tuple": itself(a_tuple),
    "arguments": itself(
        lambda inner: entry(
            "ConstructorFromReduceNode", "builtins", "frozenset", content=a_tuple(inner)
        )
    ),
    "arguments themselves": itself(
        lambda inner: entry("ConstructorFromReduceNode", "builtins", "frozenset", content=inner)
    ),
    "objects": itself(objects),
    "shape": itself(lambda inner: {**objects(value(1)), "shape": inner}),
    "masked": itself(
        lambda inner: entry(
            "MaskedArrayNode", "numpy.ma", "MaskedArray", content={"data": inner, "mask": inner}
        )
    ),
    "key types": itself(lambda inner: {**a_dict({"a": value(1)}), "key_types": inner}),
    "random state": itself(
        lambda inner: entry("RandomStateNode", "numpy.random.mtrand", "RandomState", content=inner)
    ),
    "generator": itself(
        lambda inner: entry(
            "RandomGeneratorNode", "numpy.random", "Generator", content={"bit_generator": inner}
        )
    ),
    "dtype": itself(lambda inner: entry("DTypeNode", "numpy", "dtype", content=inner)),
    "state": itself(
        lambda inner: entry("ObjectNode", "sklearn.dummy", "DummyClassifier", content=inner)
    ),
    "tree": itself(
        lambda inner: entry(
            "TreeNode",
            TREE,
            "Tree",
            __reduce__={"args": a_tuple(inner, inner, inner)},
            content=inner,
        )
    ),
    "partial": itself(
        lambda inner: entry(
            "PartialNode",
            "functools",
            "partial",
            content=dict.fromkeys(("func", "args", "kwds", "namespace"), inner),
        )
    ),
    "default": itself(
        lambda inner: entry(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": inner, "default_factory": inner},
        )
    ),
    "set": itself(lambda inner: entry("SetNode", "builtins", "set", content=[inner])),
    "method": itself(
        lambda inner: entry("MethodNode", "a", "b", content={"func": "c", "obj": inner})
    ),
}


@pytest.mark.parametrize("name", CIRCLES)
def test_what_holds_itself_and_cannot_is_damaged(name: str) -> None:
    with pytest.raises(EXPECTED):
        stored.loads(CIRCLES[name], kind="skops")


def test_a_list_may_hold_itself() -> None:
    found = stored.loads(itself(a_list), kind="skops")
    assert found[0] is found


# Damaged files


def deep(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


def nested(depth: int) -> dict[str, Any]:
    root = a_list()
    for _ in range(depth):
        root = a_list(root)
    return root


def shared_rows(dimensions: int, size: int) -> dict[str, Any]:
    """An array of ``size`` to the power of ``dimensions`` objects in a few entries.

    Rows that are the same row.
    """
    row = a_list(*[value(0) for _ in range(size)], __id__=1)
    for number in range(2, dimensions):
        row = a_list(
            row,
            *[{"__id__": number - 1, "__loader__": "ListNode"} for _ in range(size - 1)],
            __id__=number,
        )
    shape = a_tuple(*[value(size)] * dimensions)
    rest = [{"__id__": dimensions - 1, "__loader__": "ListNode"} for _ in range(size - 1)]
    return entry("NdArrayNode", "numpy", "ndarray", type="json", content=[row, *rest], shape=shape)


def masked_over_and_over(count: int) -> dict[str, Any]:
    """Masked arrays of the same numbers."""
    content = {"data": array("a.npy", __id__=1), "mask": array("mask.npy", __id__=2)}
    return a_list(
        *[
            entry("MaskedArrayNode", "numpy.ma", "MaskedArray", content=content)
            for _ in range(count)
        ]
    )


def changed(data: bytes, at: int, by: bytes) -> bytes:
    at %= len(data)
    return data[:at] + by + data[at + len(by) :]


@cache
def broken() -> dict[str, bytes]:
    """Files that are no whole skops file."""
    plain = skops_file(a_list(array("a.npy")), {"a.npy": npy(np.arange(9.0))})
    directory = plain.rindex(b"PK\1\2")
    first = plain.index(b"PK\1\2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO(plain)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("a.npy", b"another")
        twice = file.getvalue()
    big = zip_file({"schema.json": b"{}", "a.bin": b""})
    size_at = big.rindex(b"PK\1\2") + 24
    return {
        "empty": b"",
        "text": b"hello",
        "begun": b"PK\3\4",
        "no schema": zip_file({"other.json": b"{}"}),
        "a schema elsewhere": zip_file(
            {"../schema.json": b"{}", "/schema.json": b"{}", "x/schema.json": b"{}"}
        ),
        "an empty schema": zip_file({"schema.json": b""}),
        "an empty object": zip_file({"schema.json": b"{}"}),
        "a list": skops_file("[]"),
        "a number": skops_file("1"),
        "other text": zip_file({"schema.json": "{}".encode("utf-16")}),
        "no text": zip_file({"schema.json": b"\xff\xfe\x00"}),
        "a bomb": changed(big, big.index(b"PK\1\2") + 24, b"\1\0\0\x10"),
        "a key twice": skops_file('{"protocol": 2, "protocol": 2}'),
        "a long number": skops_file('{"protocol": ' + "9" * 10_000 + "}"),
        "a million lists": skops_file(deep("[", "]", 1_000_000)),
        "a million objects": skops_file(deep('{"a":', "}", 1_000_000)),
        "a value of a million lists": skops_file(
            entry("JsonNode", "builtins", "str", content=deep("[", "]", 1_000_000))
        ),
        "nested": skops_file(nested(320)),
        "a long number as a value": skops_file(
            entry("JsonNode", "builtins", "str", content="9" * 10_000)
        ),
        "a member that is not there": skops_file(array("b.npy")),
        "a member outside": skops_file(array("../a.npy"), {"a.npy": npy(1)}),
        "another file's number": skops_file({**value(1), "__id__": [1]}),
        "a truth value for a number": skops_file({**value(1), "__id__": True}),
        "a member twice": twice,
        "encrypted": changed(changed(plain, first + 8, b"\1\0"), directory + 8, b"\1\0"),
        "a compression that is none": changed(plain, first + 10, b"\x63\0"),
        "other bytes": changed(plain, 60, b"\0"),
        "a member elsewhere": changed(plain, first + 42, b"\x07\0\0\0"),
        "cut": plain[:-30],
        "without its first bytes": plain[9:],
        "a bomb of all members": changed(big, size_at, b"\xff\xff\xff\xfe"),
        "rows over and over": skops_file(shared_rows(9, 10)),
        "numbers over and over": skops_file(
            masked_over_and_over(3000),
            {"a.npy": npy(np.zeros(10_000)), "mask.npy": npy(np.zeros(10_000, bool))},
        ),
        "an array of another shape": skops_file(
            array("a.npy"), {"a.npy": npy([1.0]).replace(b"(1,)", b"(9,)")}
        ),
        "an array of a large shape": skops_file(
            array("a.npy"), {"a.npy": npy([1.0]).replace(b"(1,), }  ", b"(9e9,), }")}
        ),
        "an array of a shape below 0": skops_file(
            array("a.npy"), {"a.npy": npy([1.0]).replace(b"(1,), } ", b"(-1,), }")}
        ),
        "an array that is cut": skops_file(array("a.npy"), {"a.npy": npy([1.0])[:-1]}),
        "an array of nothing": skops_file(array("a.npy"), {"a.npy": b""}),
        "an array's header of code": skops_file(
            array("a.npy"), {"a.npy": npy([1.0]).replace(b"'<f8'", b"open")}
        ),
        "a large masked array": skops_file(
            entry(
                "MaskedArrayNode",
                "numpy.ma",
                "MaskedArray",
                content={"data": array("a.npy"), "mask": value(False)},
            ),
            {"a.npy": npy(np.zeros((3, 3))).replace(b"(3, 3), }      ", b"(999999999, 9), }"[:15])},
        ),
    }


@pytest.mark.parametrize("name", broken())
def test_a_damaged_file_is_one_line_within_seconds(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.skops"
    path.write_bytes(broken()[name])
    started = time.process_time()
    with pytest.raises(stored.Damaged):
        stored.load(path)
    assert time.process_time() - started < LONGEST
    with pytest.raises(UserError, match="is not a whole skops file") as caught:
        load_original(path)
    assert str(caught.value).isprintable()


JUNK: tuple[Any, ...] = (None, True, -1, 10**30, "", "os.system", [], {}, [1], {"a": 1})


def places(item: Any) -> list[tuple[Any, Any]]:
    """Every place in JSON: a container, and a key or an index of it."""
    found: list[tuple[Any, Any]] = []
    for key, inner in list(
        item.items()
        if isinstance(item, dict)
        else enumerate(item)
        if isinstance(item, list)
        else ()
    ):
        found += [(item, key), *places(inner)]
    return found


@pytest.mark.parametrize("name", ["trees", "neighbors", "search", "sparse"])
def test_entries_with_another_content_are_refused_or_read_never_a_traceback(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = skops.dumps(estimators()[name])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema, others = (
            archive.read("schema.json"),
            {one: archive.read(one) for one in archive.namelist() if one != "schema.json"},
        )
    chance = random.Random(name)  # noqa: S311 # no secret
    known = [container[key] for container, key in places(json.loads(schema)) if key == "__id__"]
    refused = 0
    for _ in range(60):
        changed_schema = json.loads(schema)
        container, key = chance.choice(places(changed_schema))
        another = {"__id__": chance.choice(known), "__loader__": "ListNode"}
        container[key] = chance.choice([*JUNK, another, another])
        try:
            stored.loads(skops_file(json.dumps(changed_schema), others), kind="skops")
        except EXPECTED:
            refused += 1
    assert refused > 20
