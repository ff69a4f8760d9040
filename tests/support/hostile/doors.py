"""Other doors: each rule that takes arguments or state is given what no estimator holds.

Most do not run anything by themselves: they make an object that reads or writes outside of its
memory, calls what the file chose when it is asked for a prediction, opens files, or takes all
memory.
"""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import sklearn

from bench.fuzz.assembler import Assembler
from bench.fuzz.writing import write
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set, Tuple
from tests.support.hostile.classic import dumped, fitted_pipeline
from tests.support.hostile.payload import Call, Payload, touch

SAME = Random(0)  # noqa: S311 # which of the opcodes that mean the same is no secret
ADDRESS = struct.pack("<Q", 0x4141414141414141)
"""Eight bytes that would be a pointer."""


def doors(marks: Path) -> Iterator[Payload]:
    """All of them."""
    described = {
        **_constructors(marks),
        **_dtypes(),
        **_arrays(),
        **_random_states(),
        **_sparse(),
        **_c_types(),
    }
    described |= {
        **_shadows(marks),
        **_values(marks),
        **_containers(marks),
        **_classes(),
        **_stops(),
    }
    for name, (node, *culprits) in described.items():
        # A line names the culprit where it has a name; otherwise it says which data do not fit.
        named = tuple(
            culprit for culprit in culprits if "." in culprit or name.startswith("shadow")
        )
        yield Payload(f"door_{name}", write(nodes(node), SAME, 4), named)
    yield from _joblib_wrappers(marks)
    yield from _streams()
    yield from _estimators(marks)


# A short form of descriptions


def nodes(value: Any) -> Any:
    """A description of plain Python values with nodes among them."""
    if isinstance(value, tuple):
        return Tuple([nodes(item) for item in value])
    if isinstance(value, list):
        return List([nodes(item) for item in value])
    if isinstance(value, dict):
        return Mapping([(nodes(key), nodes(item)) for key, item in value.items()])
    if isinstance(value, Set):
        return Set([nodes(item) for item in value.items], value.frozen)
    if isinstance(value, Made):
        value.arguments = [nodes(item) for item in value.arguments]
        value.keywords = [(key, nodes(item)) for key, item in value.keywords]
        value.states = [nodes(item) for item in value.states]
        value.items = [nodes(item) for item in value.items]
        value.pairs = [(nodes(key), nodes(item)) for key, item in value.pairs]
    return value


def name(path: str) -> Global:
    """A global by ``module:name``."""
    return Global(*path.split(":"))


def call(path: str, *arguments: Any, state: Any = None, **keywords: Any) -> Made:
    """A call, with state afterwards."""
    return Made(
        name(path),
        "call",
        list(arguments),
        list(keywords.items()),
        [] if state is None else [state],
    )


def new(path: str, *arguments: Any, state: Any = None, **keywords: Any) -> Made:
    """An object without its ``__init__``, with state afterwards."""
    return Made(
        name(path), "new", list(arguments), list(keywords.items()), [] if state is None else [state]
    )


def dtype(letter: str, state: tuple[Any, ...] | None = None) -> Made:
    """A dtype as numpy pickles it."""
    plain = (3, "<", None, None, None, -1, -1, 0)
    objects = (3, "|", None, None, None, -1, -1, 63)
    return call(
        "numpy:dtype",
        letter,
        False,
        True,
        state=state or (objects if letter.startswith("O") else plain),
    )


def array(shape: tuple[int, ...], kind: Made, data: Any, **other: Any) -> Made:
    """An array as numpy pickles it."""
    made = other.get("made", "numpy:ndarray")
    start = call("numpy._core.multiarray:_reconstruct", name(made), (0,), b"b")
    start.states = [other.get("state", (1, shape, kind, False, data))]
    return start


def doubles(values: Any) -> Made:
    """An array of float64."""
    plain = np.asarray(values, np.float64)
    return array(plain.shape, dtype("f8"), plain.tobytes())


def whole(values: Any) -> Made:
    """An array of int64."""
    plain = np.asarray(values, np.int64)
    return array(plain.shape, dtype("i8"), plain.tobytes())


Doors = dict[str, tuple[Any, ...]]
KERNEL = "sklearn.gaussian_process.kernels:ConstantKernel"
LOGISTIC = "sklearn.linear_model._logistic:LogisticRegression"


# The doors


def _constructors(marks: Path) -> Doors:
    """Constructors with arguments that no pickler of theirs writes."""
    forged = array((1,), dtype("i8"), ADDRESS)
    command = touch(marks, "door_constructor")
    paths = {
        "ndarray_call": "numpy:ndarray",
        "recarray": "numpy:recarray",
        "memmap": "numpy:memmap",
        "chararray": "numpy:char.chararray",
        "matrix": "numpy:matrix",
        "masked": "numpy.ma.core:MaskedArray",
        "asarray": "numpy:asarray",
        "fromfile": "numpy:fromfile",
        "as_strided": "numpy.lib.stride_tricks:as_strided",
        "as_array": "numpy.ctypeslib:as_array",
        "from_dlpack": "numpy:from_dlpack",
        "nditer": "numpy:nditer",
        "vectorize": "numpy:vectorize",
        "frombuffer": "numpy:frombuffer",
        "partial": "functools:partial",
        "attrgetter": "operator:attrgetter",
        "itemgetter": "operator:itemgetter",
        "map": "builtins:map",
        "type": "builtins:type",
        "super": "builtins:super",
        "property": "builtins:property",
        "memoryview": "builtins:memoryview",
        "code": "types:CodeType",
        "function": "types:FunctionType",
        "method": "types:MethodType",
        "cdll": "ctypes:CDLL",
        "low_level_callable": "scipy:LowLevelCallable",
        "memory": "joblib.memory:Memory",
        "parallel": "joblib.parallel:Parallel",
        "path": "pathlib:PosixPath",
        "session": "onnxruntime.capi.onnxruntime_inference_collection:InferenceSession",
        "booster": "xgboost.core:Booster",
        "unpickler": "pickle:Unpickler",
        "index": "pandas.core.indexes.base:_new_Index",
        "pandas_unpickle": "pandas._libs.internals:_unpickle_block",
        "pandas_eval": "pandas:eval",
        "mocking": "sklearn.utils._mocking:CheckingClassifier",
        "rebuild": "sklearn.utils._testing:set_random_state",
    }
    found: Doors = {
        key: (call(path, (1,), forged, command), path.replace(":", "."))
        for key, path in paths.items()
    }
    found["ndarray_new"] = (new("numpy:ndarray", (4,), dtype("O"), forged), "numpy.ndarray")
    found["ndarray_keywords"] = (
        new("numpy:ndarray", (4,), buffer=forged, strides=(1 << 40,)),
        "numpy.ndarray",
    )
    made = new(KERNEL, state={"__new__": name("os:system")})
    found["newobj_of_made"] = (
        Made(name("copyreg:__newobj__"), "call", [made, command]),
        "os.system",
        "ConstantKernel",
    )
    found["newobj_ex_of_made"] = (
        Made(name("copyreg:__newobj_ex__"), "call", [made, (command,), {}]),
        "os.system",
    )
    found["reconstructor_with_base"] = (
        Made(name("copyreg:_reconstructor"), "call", [name(KERNEL), name("builtins:list"), [1]]),
        "ConstantKernel",
        "list",
    )
    found["call_of_made"] = (Made(new(KERNEL), "call", [command]), "ConstantKernel", "made")
    found["call_of_value"] = (
        call("sklearn.feature_selection._univariate_selection:f_classif", [[1.0]], [1]),
        "f_classif",
    )
    found["call_of_ufunc"] = (call("numpy:exp", 1.0), "numpy.exp", "numpy")
    found["estimator_called"] = (call("sklearn.pipeline:Pipeline", [("a", None)]), "Pipeline")
    found["estimator_new_with_arguments"] = (
        new("sklearn.pipeline:Pipeline", [("a", None)]),
        "Pipeline",
    )
    found["loader_of_skops"] = (call("skops.io:load", "models/other.skops"), "skops.io.load")
    return found


def _dtypes() -> Doors:
    """dtypes with fields, objects, lengths and flags that lie over other memory."""
    fields = {"a": (dtype("O"), 0), "b": (dtype("i8"), 0)}
    laid_over = dtype("V8", (3, "|", None, ("a", "b"), fields, 8, 1, 0))
    outside = dtype("V8", (3, "|", None, ("a",), {"a": (dtype("i8"), 1 << 40)}, 8, 1, 0))
    before = dtype("V8", (3, "|", None, ("a",), {"a": (dtype("i8"), -64)}, 8, 1, 0))
    return {
        "dtype_object_over_number": (array((1,), laid_over, ADDRESS), "dtype"),
        "dtype_field_outside": (array((1,), outside, b"\0" * 8), "dtype"),
        "dtype_field_before": (array((1,), before, b"\0" * 8), "dtype"),
        "dtype_subarray": (
            array(
                (1,),
                dtype("V8", (3, "|", (dtype("i8"), (1 << 40,)), None, None, 8, 1, 0)),
                b"\0" * 8,
            ),
            "dtype",
        ),
        "dtype_size_zero": (
            array((9,), dtype("U0", (3, "<", None, None, None, 0, 4, 8)), b""),
            "dtype",
        ),
        "dtype_size_negative": (
            array((9,), dtype("U4", (3, "<", None, None, None, -16, 4, 8)), b"\0" * 64),
            "dtype",
        ),
        "dtype_size_of_other": (
            array((9,), dtype("f8", (3, "<", None, None, None, 1 << 30, 1 << 30, 0)), b""),
            "dtype",
        ),
        "dtype_objects_unflagged": (
            array((1,), dtype("O8", (3, "|", None, None, None, -1, -1, 0)), ADDRESS),
            "dtype",
            "object",
        ),
        "dtype_of_text": (array((1,), call("numpy:dtype", "O,i8"), b"\0" * 16), "dtype"),
        "dtype_of_dict": (
            call("numpy:dtype", {"names": ["a"], "formats": ["O"], "offsets": [4]}),
            "dtype",
        ),
        "dtype_of_list": (call("numpy:dtype", [("a", "O"), ("b", "i8")]), "dtype"),
        "dtype_of_class": (call("numpy:dtype", name(KERNEL)), "dtype"),
        "dtype_metadata": (
            dtype("M8", (4, "<", None, None, None, -1, -1, 0, ({}, (b"ns", 1, 1, 0, "x")))),
            "dtype",
        ),
        "dtype_long": (call("numpy:dtype", "U" + "9" * 12), "dtype"),
    }


def _arrays() -> Doors:
    """Array states whose shape, data and dtype do not agree."""
    real = dtype("f8")
    many = 1 << 62
    return {
        "array_too_short": (array((1000,), real, b"\0" * 8), "bytes", "array"),
        "array_too_long": (array((1,), real, b"\0" * 800), "bytes", "array"),
        "array_negative": (array((-1,), real, b"\0" * 8), "shape", "array"),
        "array_overflow": (array((many, 8), real, b""), "shape", "array"),
        "array_overflow_to_zero": (array((1 << 33, 1 << 31), real, b""), "shape", "array"),
        "array_of_many_dimensions": (array((1,) * 200, real, b"\0" * 8), "shape", "array"),
        "array_shape_of_reals": (array((1.5,), real, b"\0" * 8), "shape", "array"),  # type: ignore[arg-type]
        "array_objects_of_bytes": (array((1,), dtype("O"), ADDRESS), "object", "array", "list"),
        "array_objects_too_few": (array((1000,), dtype("O"), [None]), "array", "object"),
        "array_objects_of_functions": (array((1,), dtype("O"), [name("os:system")]), "os.system"),
        "array_objects_of_objects": (
            array((1,), dtype("O"), [new(KERNEL)]),
            "ConstantKernel",
            "object",
        ),
        "array_list_for_numbers": (array((1,), real, ["x"]), "array", "bytes"),
        "array_text_for_numbers": (array((1,), real, "\0" * 8), "array", "bytes"),
        "array_of_matrix": (array((1,), real, b"\0" * 8, made="numpy:matrix"), "numpy.matrix"),
        "array_of_memmap": (array((1,), real, b"\0" * 8, made="numpy:memmap"), "numpy.memmap"),
        "array_of_estimator": (array((1,), real, b"\0" * 8, made=KERNEL), "ConstantKernel"),
        "array_state_short": (array((), real, b"", state=((1,), real)), "array", "state"),
        "array_state_twice": (_twice(array((4,), real, b"\0" * 32)), "array", "state"),
        "array_items": (_with_items(array((1,), dtype("O"), [None])), "array"),
        "scalar_of_pointer": (
            call("numpy._core.multiarray:scalar", dtype("O"), ADDRESS),
            "scalar",
            "dtype",
        ),
        "scalar_of_object": (
            call("numpy._core.multiarray:scalar", dtype("O"), new(KERNEL)),
            "scalar",
            "dtype",
        ),
        "scalar_too_short": (call("numpy._core.multiarray:scalar", real, b"\0"), "scalar", "bytes"),
        "scalar_of_text": (
            call("numpy._core.multiarray:scalar", dtype("U4"), b"\xff" * 16),
            "scalar",
            "text",
            "letter",
        ),
        "array_of_bad_text": (
            array((1,), dtype("U1", (3, "<", None, None, None, 4, 4, 8)), b"\xff\xff\xff\xff"),
            "text",
            "array",
            "letter",
            "dtype",
        ),
        "frombuffer_objects": (
            call("numpy._core.numeric:_frombuffer", ADDRESS, dtype("O"), (1,), "C"),
            "frombuffer",
            "dtype",
            "object",
        ),
        "frombuffer_too_short": (
            call("numpy._core.numeric:_frombuffer", b"\0" * 8, real, (1 << 20,), "C"),
            "frombuffer",
            "bytes",
            "array",
        ),
        "masked_state": (
            call(
                "numpy.ma.core:_mareconstruct",
                name("numpy.ma.core:MaskedArray"),
                name("numpy:ndarray"),
                (0,),
                b"b",
                state=(1, (9,), real, False, b"\0" * 8, b"\0", None),
            ),
            "asked",
        ),
        "masked_of_memmap": (
            call(
                "numpy.ma.core:_mareconstruct",
                name("numpy.ma.core:MaskedArray"),
                name("numpy:memmap"),
                (0,),
                b"b",
            ),
            "memmap",
        ),
        "masked_of_objects": (
            call(
                "numpy.ma.core:_mareconstruct",
                name("numpy.ma.core:MaskedArray"),
                name("numpy:ndarray"),
                (0,),
                b"b",
                state=(1, (1,), dtype("O"), False, ADDRESS, b"\0", None),
            ),
            "asked",
            "object",
        ),
    }


def _twice(made: Made) -> Made:
    made.states.append(made.states[0])
    return made


def _with_items(made: Made) -> Made:
    made.pairs.append((0, name("os:system")))
    return made


def _random_states() -> Doors:
    """Generators of random numbers with other makers and with positions outside of their state."""
    ctor, generator = (
        "numpy.random._pickle:__bit_generator_ctor",
        "numpy.random._pickle:__generator_ctor",
    )
    randomstate = "numpy.random._pickle:__randomstate_ctor"
    key = array((624,), dtype("u4"), b"\1" * 2496)
    short = array((2,), dtype("u4"), b"\1" * 8)

    def twister(numbers: Any, position: Any, gauss: Any = 0) -> Made:
        state = {
            "bit_generator": "MT19937",
            "state": {"key": numbers, "pos": position},
            "has_gauss": gauss,
            "gauss": 0.0,
        }
        return call(randomstate, call(ctor, "MT19937"), state=state)

    return {
        "generator_of_system": (call(generator, "true", name("os:system")), "os.system"),
        "generator_of_class": (
            call(generator, "MT19937", name(KERNEL)),
            "ConstantKernel",
            "generator",
        ),
        "generator_of_value": (call(generator, [1], name("numpy:exp")), "generator"),
        "generator_of_array": (call(generator, doubles([1.0])), "generator"),
        "bit_generator_by_name": (call(ctor, "os.system"), "bit_generator", "generator"),
        "bit_generator_of_class": (call(ctor, name("subprocess:Popen")), "subprocess.Popen"),
        "randomstate_of_function": (call(randomstate, "true", name("os:popen")), "os.popen"),
        "twister_position": (twister(key, 1 << 20), "MT19937", "random", "position", "pos"),
        "twister_position_negative": (twister(key, -5), "MT19937", "random", "position", "pos"),
        "twister_position_real": (twister(key, 0.5), "MT19937", "random", "position", "pos"),
        "twister_short": (twister(short, 0), "MT19937", "random", "key"),
        "twister_of_objects": (
            twister(array((624,), dtype("O"), [None] * 624), 0),
            "MT19937",
            "random",
            "key",
        ),
        "seed_sequence": (
            call(
                "numpy.random.bit_generator:__pyx_unpickle_SeedSequence", name("os:system"), 0, None
            ),
            "os.system",
        ),
        "seed_sequence_state": (
            call(
                "numpy.random.bit_generator:__pyx_unpickle_SeedSequence",
                name("numpy.random.bit_generator:SeedSequence"),
                1 << 40,
                (1, 2, 3),
            ),
            "SeedSequence",
        ),
    }


def _sparse() -> Doors:
    """Sparse matrices whose indices lie outside: scipy's kernels do not look."""

    def matrix(data: Any, indices: Any, indptr: Any, shape: Any, **more: Any) -> Made:
        state = {
            "_shape": shape,
            "maxprint": 50,
            "indices": indices,
            "indptr": indptr,
            "data": data,
            **more,
        }
        return new("scipy.sparse._csr:csr_matrix", state=state)

    good = (doubles([1.0]), whole([0]), whole([0, 1]), (1, 1))
    data, indices, indptr, shape = good
    return {
        "sparse_index_outside": (
            matrix(data, whole([1 << 40]), indptr, shape),
            "csr_matrix",
            "sparse",
            "indices",
        ),
        "sparse_index_negative": (
            matrix(data, whole([-9]), indptr, shape),
            "csr_matrix",
            "sparse",
            "indices",
        ),
        "sparse_indptr_outside": (
            matrix(data, indices, whole([0, 1 << 40]), shape),
            "csr_matrix",
            "sparse",
            "indptr",
        ),
        "sparse_indptr_falls": (
            matrix(data, indices, whole([5, -5, 1]), (2, 1)),
            "csr_matrix",
            "sparse",
            "indptr",
        ),
        "sparse_indptr_short": (
            matrix(data, indices, indptr, (1 << 30, 1)),
            "csr_matrix",
            "sparse",
            "indptr",
        ),
        "sparse_shape_negative": (
            matrix(data, indices, indptr, (-1, 1)),
            "csr_matrix",
            "sparse",
            "shape",
        ),
        "sparse_of_objects": (
            matrix(array((1,), dtype("O"), [None]), indices, indptr, shape),
            "csr_matrix",
            "sparse",
        ),
        "sparse_of_lists": (matrix([1.0], [0], [0, 1], shape), "csr_matrix", "sparse"),
        "sparse_extra": (
            matrix(*good, __array_interface__={"data": (1, False)}),
            "__array_interface__",
            "csr_matrix",
        ),
        "sparse_without_data": (
            new("scipy.sparse._csr:csr_matrix", state={"_shape": (1, 1)}),
            "csr_matrix",
            "sparse",
        ),
    }


def _c_types() -> Doors:
    """The types of scikit-learn in C: trees, predictors, distances, losses."""
    nodes_dtype = dtype(
        "V64",
        (
            3,
            "|",
            None,
            ("left_child", "right_child"),
            {"left_child": (dtype("i8"), 0), "right_child": (dtype("i8"), 8)},
            64,
            1,
            16,
        ),
    )
    tree = "sklearn.tree._tree:Tree"
    table = {
        "max_depth": 1,
        "node_count": 3,
        "nodes": array((3,), nodes_dtype, b"\x7f" * 192),
        "values": doubles([[[0.0]]] * 3),
    }
    return {
        "tree_of_garbage": (call(tree, 2, whole([2]), 1, state=table), "Tree", "tree", "nodes"),
        "tree_without_state": (call(tree, 2, whole([2]), 1), "Tree", "tree"),
        "tree_many_classes": (call(tree, 2, whole([1 << 40]), 1), "Tree", "tree"),
        "tree_many_outputs": (call(tree, 2, whole([2]), 1 << 40), "Tree", "tree"),
        "tree_negative": (call(tree, -2, whole([-2]), -1), "Tree", "tree"),
        "tree_of_objects": (call(tree, 2, array((1,), dtype("O"), [None]), 1), "Tree", "tree"),
        "tree_by_new": (new(tree, 2, whole([2]), 1), "Tree", "tree"),
        "predictor_of_garbage": (
            new(
                "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor",
                state={
                    "nodes": array((2,), nodes_dtype, b"\x7f" * 128),
                    "binned_left_cat_bitsets": 1,
                },
            ),
            "TreePredictor",
            "nodes",
            "predictor",
        ),
        "kd_tree_of_other": (
            call("sklearn.neighbors._kd_tree:newObj", name("os:system")),
            "os.system",
        ),
        "kd_tree_of_estimator": (
            call("sklearn.neighbors._kd_tree:newObj", name(KERNEL)),
            "KDTree",
            "newObj",
        ),
        "kd_tree_of_numbers": (
            call(
                "sklearn.neighbors._kd_tree:newObj",
                name("sklearn.neighbors._kd_tree:KDTree"),
                state=tuple(range(13)),
            ),
            "KDTree",
            "newObj",
            "tree",
        ),
        "kd_tree_without_state": (
            call("sklearn.neighbors._kd_tree:newObj", name("sklearn.neighbors._kd_tree:KDTree")),
            "KDTree",
            "newObj",
            "tree",
        ),
        "metric_of_other": (
            call("sklearn.metrics._dist_metrics:newObj", name("subprocess:Popen")),
            "subprocess.Popen",
        ),
        "metric_with_function": (
            call(
                "sklearn.metrics._dist_metrics:newObj",
                name("sklearn.metrics._dist_metrics:PyFuncDistance"),
                state=(2.0, doubles([]), doubles([]), name("os:system"), {}),
            ),
            "PyFuncDistance",
            "os.system",
        ),
        "loss_of_other": (
            call("sklearn._loss._loss:__pyx_unpickle_CyHuberLoss", name("os:system"), 0, None),
            "os.system",
            "sklearn._loss",
        ),
        "loss_of_text": (
            call(
                "sklearn._loss._loss:__pyx_unpickle_CyHuberLoss",
                name("sklearn._loss._loss:CyHuberLoss"),
                0,
                ("x", {"__class__": 1}),
            ),
            "Loss",
            "loss",
        ),
        "spline_of_objects": (
            new(
                "scipy.interpolate._bsplines:BSpline",
                state={"t": "x", "c": name("os:system"), "k": -1},
            ),
            "os.system",
            "BSpline",
        ),
    }


def _shadows(marks: Path) -> Doors:
    """Estimators with attributes that shadow methods, or that Python, numpy or copy look for."""
    command = touch(marks, "door_shadow")
    values = {
        "predict": name("os:system"),
        "predict_proba": name("builtins:print"),
        "get_params": 1,
        "set_params": new(KERNEL),
        "fit": 1,
        "__class__": name("numpy:matrix"),
        "__dict__": {"a": 1},
        "__reduce__": command,
        "__reduce_ex__": 1,
        "__getstate__": 1,
        "__setstate__": 1,
        "__sklearn_tags__": 1,
        "__sklearn_clone__": 1,
        "__sklearn_is_fitted__": 1,
        "__array__": 1,
        "__array_interface__": {"data": (4, False), "shape": (1,), "typestr": "|u1", "version": 3},
        "__array_struct__": 1,
        "__array_priority__": 1e9,
        "__array_ufunc__": None,
        "__array_function__": 1,
        "__cuda_array_interface__": 1,
        "__dlpack__": 1,
        "__len__": 1,
        "__call__": 1,
        "__del__": 1,
        "_repr_html_": 1,
        "predict\0": 1,
    }
    found: Doors = {}
    for key, value in values.items():
        state = {
            "_sklearn_version": sklearn.__version__,
            "C": 1.0,
            "classes_": whole([0, 1]),
            "coef_": doubles([[1.0]]),
            "intercept_": doubles([0.0]),
            key: value,
        }
        found[f"shadow_{key.strip('_').replace(chr(0), '0')}"] = (
            new(LOGISTIC, state=state),
            key.replace("\0", ""),
            "os.system",
            "builtins.print",
            "numpy.matrix",
        )
    found["slots_class"] = (
        new(LOGISTIC, state=(None, {"__class__": name("numpy:matrix")})),
        "numpy.matrix",
        "LogisticRegression",
    )
    found["slots_dict"] = (
        new(LOGISTIC, state=({"C": 1.0}, {"predict": 1})),
        "predict",
        "LogisticRegression",
        "slot",
    )
    found["state_list"] = (new(LOGISTIC, state=[("C", 1.0)]), "LogisticRegression", "state")
    found["state_numbers"] = (new(LOGISTIC, state={1: 2}), "LogisticRegression", "state", "key")
    found["state_tuple_key"] = (new(LOGISTIC, state={("a",): 2}), "LogisticRegression", "key")
    return found


def _values(marks: Path) -> Doors:
    """Functions and folders that estimators hold, to be called or opened later."""
    command = touch(marks, "door_value")
    transformer = "sklearn.preprocessing._function_transformer:FunctionTransformer"
    counts = "sklearn.feature_extraction.text:CountVectorizer"
    scorer = "sklearn.metrics._scorer:_Scorer"
    memory = new("joblib.memory:Memory", state={"store_backend": None, "location": str(marks)})
    steps = [("a", new(transformer, state={"func": None}))]
    return {
        "transformer_system": (new(transformer, state={"func": name("os:system")}), "os.system"),
        "transformer_inverse": (
            new(transformer, state={"func": None, "inverse_func": name("os:popen")}),
            "os.popen",
        ),
        "transformer_keywords": (
            new(
                transformer,
                state={"func": name("numpy:savetxt"), "kw_args": {"fname": str(marks / "saved")}},
            ),
            "numpy.savetxt",
        ),
        "transformer_load": (
            new(transformer, state={"func": name("numpy:load"), "kw_args": {"allow_pickle": True}}),
            "numpy.load",
        ),
        "transformer_class": (
            new(transformer, state={"func": name("subprocess:Popen")}),
            "subprocess.Popen",
        ),
        "transformer_method": (
            new(transformer, state={"func": call("builtins:getattr", name("os:environ"), "get")}),
            "builtins.getattr",
            "os.environ",
        ),
        "scorer_system": (
            new(scorer, state={"_score_func": name("os:system"), "_sign": 1, "_kwargs": {}}),
            "os.system",
        ),
        "selector_pattern": (
            new(
                "sklearn.compose._column_transformer:make_column_selector",
                state={
                    "pattern": "(a+)+$",
                    "dtype_include": name("os:system"),
                    "dtype_exclude": None,
                },
            ),
            "os.system",
        ),
        "counts_analyzer": (new(counts, state={"analyzer": name("os:system")}), "os.system"),
        "counts_tokenizer": (
            new(counts, state={"tokenizer": name("builtins:open")}),
            "builtins.open",
            "io.open",
        ),
        "counts_preprocessor": (
            new(counts, state={"preprocessor": call("operator:methodcaller", "x")}),
            "methodcaller",
        ),
        "pipeline_memory_object": (
            new("sklearn.pipeline:Pipeline", state={"steps": steps, "memory": memory}),
            "joblib.memory.Memory",
        ),
        "kernel_of_callable": (
            new("sklearn.svm._classes:SVC", state={"kernel": name("os:system")}),
            "os.system",
        ),
        "metric_of_callable": (
            new(
                "sklearn.neighbors._classification:KNeighborsClassifier",
                state={"metric": name("os:system")},
            ),
            "os.system",
        ),
        "weights_of_callable": (
            new(
                "sklearn.neighbors._classification:KNeighborsClassifier",
                state={"weights": name("posix:remove")},
            ),
            "posix.remove",
        ),
        "command": (
            new(transformer, state={"func": call("functools:partial", name("os:system"), command)}),
            "os.system",
            "functools.partial",
        ),
    }


def _containers(marks: Path) -> Doors:
    """Containers with factories, and values that take all memory or time."""
    bunch = "sklearn.utils._bunch:Bunch"
    huge = 10**12
    return {
        "defaultdict_of_system": (call("collections:defaultdict", name("os:system")), "os.system"),
        "defaultdict_of_estimator": (
            call("collections:defaultdict", name(KERNEL)),
            "ConstantKernel",
            "defaultdict",
        ),
        "bunch_setattr": (call(bunch, __setattr__=name("os:system")), "os.system", "Bunch"),
        "bytearray_huge": (call("builtins:bytearray", huge), "bytearray"),
        "bytes_huge": (call("builtins:bytes", huge), "bytes"),
        "range_listed": (call("builtins:list", call("builtins:range", huge)), "list", "range"),
        "range_in_set": (call("builtins:set", [call("builtins:range", huge)]), "set", "range"),
        "int_of_text": (call("builtins:int", "9" * 100_000), "int"),
        "int_of_array": (call("builtins:int", doubles(1.0)), "int"),
        "text_of_object": (call("builtins:str", new(KERNEL)), "str"),
        "object_with_arguments": (call("builtins:object", 1), "object"),
        "slice_of_objects": (
            call("builtins:slice", new(KERNEL), name("os:system"), 1),
            "os.system",
        ),
        "counter_of_marks": (call("collections:Counter", touch(marks, "counter")), "Counter"),
        "deque_huge": (call("collections:deque", [], -5), "deque"),
        "complex_of_text": (call("builtins:complex", "1e999"), "complex"),
        "set_of_lists": (Set([List([1])]), "set", "hash"),
        "set_of_arrays": (Set([array((1,), dtype("f8"), b"\0" * 8)]), "set", "hash"),
        "dict_of_arrays": (
            Mapping([(nodes(array((1,), dtype("f8"), b"\0" * 8)), 1)]),
            "key",
            "hash",
            "dict",
        ),
        "encode_function": (call("_codecs:encode", "x", "rot13"), "encode"),
        "decode_zip": (call("_codecs:decode", b"x", "zip"), "_codecs.decode"),
    }


def _classes() -> Doors:
    """Classes of good packages that are no fitted state."""
    paths = [
        "sklearn.utils._testing:TempMemmap",
        "sklearn.utils._mocking:NoSampleWeightWrapper",
        "sklearn.externals.array_api_compat.numpy:matrix",
        "sklearn.datasets._openml:OpenMLError",
        "sklearn.callback._base:Callback",
        "numpy.f2py.__main__:main",
        "numpy.testing._private.utils:IgnoreException",
        "numpy.lib._datasource:DataSource",
        "numpy.ctypeslib:ndpointer",
        "scipy.io._netcdf:netcdf_file",
        "scipy._lib._ccallback:LowLevelCallable",
        "joblib._store_backends:FileSystemStoreBackend",
        "joblib.numpy_pickle:NumpyUnpickler",
        "joblib.externals.loky.process_executor:ProcessPoolExecutor",
        "joblib.externals.cloudpickle.cloudpickle:_make_function",
        "onnxpress.tracking.store:Store",
        "onnxpress.pipeline.running:UserError",
        "bench.soak.chain:soak",
        "onnxpress.estimators.stored.nodes:Made",
        "this:s",
        "antigravity:webbrowser",
        "__main__:main",
        "tests.support.hostile.doors:doors",
    ]
    return {
        f"class_{path.replace(':', '.')}": (new(path, state={"a": 1}), path.replace(":", "."))
        for path in paths
    }


def _stops() -> Doors:
    """Deep and circular descriptions."""
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    circle = List()
    circle.items.append(circle)
    dictionary = Mapping()
    dictionary.pairs.append(("self", dictionary))
    own = new(LOGISTIC)
    own.states.append(Mapping([("C", own)]))
    return {
        "list_in_itself": (circle, "list", "itself", "estimator"),
        "dict_in_itself": (dictionary, "dict", "itself", "estimator"),
        "system_deep_inside": ([deep, name("os:system")], "os.system"),
        "estimator_in_itself": (Tuple([own, name("os:system")]), "os.system"),
    }


def _joblib_wrappers(marks: Path) -> Iterator[Payload]:
    """Give joblib's array wrappers foreign attributes, by call, by slots and in inner pickles."""
    inner = pickle.dumps(Call(__import__("os").system, touch(marks, "door_inner")), 4)
    kinds: dict[str, tuple[dict[str, Any], bytes]] = {
        "objects": ({"dtype": dtype("O")}, inner),
        "objects_in_shape": ({"dtype": dtype("O"), "shape": (1 << 40,)}, inner),
        "negative": ({"shape": (-1,)}, b"\0" * 8),
        "huge": ({"shape": (1 << 40,)}, b"\0" * 8),
        "overflow": ({"shape": (1 << 62, 4)}, b"\0" * 8),
        "no_tuple": ({"shape": 7}, b"\0" * 8),
        "order": ({"order": "X"}, b"\0" * 8),
        "subclass": ({"subclass": name("numpy:memmap")}, b"\0" * 8),
        "subclass_of_other": ({"subclass": name("os:system")}, b"\0" * 8),
        "alignment": ({"numpy_array_alignment_bytes": 1 << 40}, b"\0" * 8),
        "alignment_text": ({"numpy_array_alignment_bytes": "x"}, b"\0" * 8),
        "read_array": ({"read_array": name("os:system")}, b"\0" * 8),
        "no_dtype": ({"dtype": "f8"}, b"\0" * 8),
    }
    for label, (changes, data) in kinds.items():
        usual = {
            "subclass": name("numpy:ndarray"),
            "shape": (1,),
            "order": "C",
            "dtype": dtype("f8"),
            "allow_mmap": False,
        }
        culprits = (
            "joblib",
            "array",
            "dtype",
            "object",
            *(str(key) for key in changes),
            "memmap",
            "system",
        )
        made = new("joblib.numpy_pickle:NumpyArrayWrapper", state={**usual, **changes})
        yield Payload(f"wrapper_{label}", write(nodes(made), SAME, 4)[:-1] + data + b".", culprits)
        by_slots = new(
            "joblib.numpy_pickle:NumpyArrayWrapper", state=({**usual, **changes}, {"shape": (9,)})
        )
        yield Payload(
            f"wrapper_slots_{label}", write(nodes(by_slots), SAME, 4)[:-1] + data + b".", culprits
        )
    called = call(
        "joblib.numpy_pickle:NumpyArrayWrapper", name("numpy:ndarray"), 7, "C", dtype("f8")
    )
    yield Payload("wrapper_called", write(nodes(called), SAME, 4), ("joblib", "NumpyArrayWrapper"))
    swapped = new(
        KERNEL,
        state=({"shape": (1,)}, {"__class__": name("joblib.numpy_pickle:NumpyArrayWrapper")}),
    )
    yield Payload(
        "wrapper_by_class", write(nodes(swapped), SAME, 4), ("ConstantKernel", "NumpyArrayWrapper")
    )
    for old in ("NDArrayWrapper", "ZNDArrayWrapper"):
        file = new(
            f"joblib.numpy_pickle_compat:{old}",
            state={"filename": "/etc/passwd", "subclass": name("numpy:memmap")},
        )
        yield Payload(f"wrapper_{old}", write(nodes(file), SAME, 4), (old, "memmap"))


def _streams() -> Iterator[Payload]:
    """Opcodes that no pickler writes."""
    asm = Assembler
    long_text = b"\x8d" + struct.pack("<Q", 1 << 62) + b"a"
    streams: dict[str, tuple[bytes, tuple[str, ...]]] = {
        "empty": (b"", ()),
        "only_stop": (b".", ()),
        "no_stop": (b"\x80\x04N", ()),
        "protocol_9": (b"\x80\x09N.", ("protocol",)),
        "unknown_opcode": (b"\x80\x04\xff.", ()),
        "text_too_long": (b"\x80\x04" + long_text + b".", ()),
        "bytes_too_long": (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".", ()),
        "long_negative": (b"\x80\x02\x8b" + struct.pack("<i", -5) + b".", ()),
        "long_huge": (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\1.", ()),
        "frame_too_long": (b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.", ()),
        "unset_memo": (asm().get(7).stop(), ()),
        "memo_bomb": (
            asm().none().put(2**31 - 1).none().put(2**32 - 1).name("os", "system").stop(),
            ("os.system",),
        ),
        "pop_of_nothing": (asm().pop().pop().stop(), ()),
        "mark_as_value": (asm().mark().stop(), ()),
        "tuple_without_mark": (asm().none().tuple().stop(), ()),
        "set_item_of_nothing": (asm().set_item().stop(), ()),
        "append_to_number": (asm().number(1).number(2).append().stop(), ()),
        "build_on_class": (
            asm()
            .name("sklearn.linear_model._ridge", "Ridge")
            .none()
            .empty_dict()
            .text("predict")
            .number(1)
            .set_item()
            .tuple_of(2)
            .build()
            .stop(),
            ("Ridge", "class", "state"),
        ),
        "build_on_list": (asm().empty_list().empty_dict().build().stop(), ()),
        "build_on_module_function": (
            asm()
            .name("sklearn.feature_selection._univariate_selection", "chi2")
            .none()
            .empty_dict()
            .text("__defaults__")
            .number(1)
            .tuple_of(1)
            .set_item()
            .tuple_of(2)
            .build()
            .stop(),
            ("chi2", "state"),
        ),
        "reduce_of_number": (asm().number(1).tuple_of(0).reduce().stop(), ()),
        "reduce_of_text": (asm().text("os.system").text("true").tuple_of(1).reduce().stop(), ()),
        "name_of_numbers": (asm().number(1).number(2).raw(b"\x93").stop(), ()),
        "name_without_end": (b"\x80\x02cos\nsystem", ()),
        "name_of_other_letters": (b"\x80\x02c\xd0\xbes\nsystem\n.", ("system",)),
        "ten_thousand_marks": (b"\x80\x04" + b"(" * 10_000 + b".", ()),
        "hundred_thousand_tuples": (b"\x80\x04)" + b"\x85" * 100_000 + b".", ()),
        "hundred_thousand_lists": (b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".", ()),
        "doubling": (_doubling(), ()),
        "int_of_many_digits": (b"I" + b"9" * 100_000 + b"\n.", ()),
        "readonly_buffer": (b"\x80\x05\x97\x98.", ("outside the file",)),
        "gzip_bomb": (_gzip_bomb(), ()),
        "bytearray_huge": (b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b".", ()),
        "persistent_of_function": (
            asm().name("os", "system").raw(b"Q").stop(),
            ("os.system", "outside the file"),
        ),
        "global_with_newline": (asm().text("os\nsystem").text("x").raw(b"\x93").stop(), ("os",)),
        "global_with_escape": (
            asm().text("\x1b]0;owned\x07os").text("system").raw(b"\x93").stop(),
            ("system",),
        ),
        "global_of_10_000_letters": (
            asm().text("a" * 10_000).text("b").raw(b"\x93").stop(),
            ("aaaa",),
        ),
        "ten_thousand_names": (_many_names(), ("os.x",)),
    }
    for label, (data, culprits) in streams.items():
        yield Payload(f"stream_{label}", data, culprits)


def _doubling() -> bytes:
    """A tuple of two of a tuple of two of ….

    2**60 leaves in 300 bytes, for whoever walks it without remembering.
    """
    asm = Assembler().tuple_of(0)
    for number in range(60):
        asm.put(number).get(number).tuple_of(2)
    return asm.stop()


def _many_names() -> bytes:
    asm = Assembler().mark()
    for number in range(10_000):
        asm.name("os", f"x{number}")
    return asm.tuple().stop()


def _gzip_bomb() -> bytes:
    """A hundred megabytes in a hundred kilobytes, without an end.

    A block of zeros of deflate, again and again.
    """
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + block * 128


def _estimators(marks: Path) -> Iterator[Payload]:
    """Good estimators in which one thing is changed."""
    pipeline = fitted_pipeline()
    pipeline.memory = str(marks / "cache")
    yield Payload("estimator_memory", dumped(pipeline), ("memory",), ".joblib")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["a good film", "a bad film"] * 5
    for kind in ("filename", "file"):
        reads = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0] * 5)
        reads[0].input = kind
        yield Payload(f"estimator_input_{kind}", dumped(reads), ("input", kind), ".joblib")
