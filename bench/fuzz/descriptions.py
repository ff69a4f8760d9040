"""Descriptions made at random, and real ones with one thing changed.

That is a number, a shape, a name, a key, or a branch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

from bench.fuzz.estimators import fitted
from onnxpress.estimators.stored.nodes import Array, Global, List, Made, Mapping, Set, Tuple

INTEGERS = (
    *(0, 1, -1, 2, 3, 5, 7, 8, 16, 63, 64, 127, 128, 255, 256, 624, 1000, -2, -8, -2147483648),
    *(2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30),
)
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e300, 5e-324, math.inf, -math.inf, math.nan, 3.0e9)
TEXTS = (
    *(
        "",
        "a",
        "x" * 300,
        "O",
        "f8",
        "<i8",
        "|V8",
        "U4",
        "MT19937",
        "PCG64",
        "os.system",
        "__class__",
        "__dict__",
        "C",
        "F",
    ),
    *(
        "predict",
        "latin-1",
        "auto",
        "kd_tree",
        "rbf",
        "l2",
        "filename",
        "/etc/passwd",
        "\ud800",
        "a\nb",
        "\0",
        "é",
        "…",
    ),
)
HOSTILE = (
    *(
        "os:system",
        "posix:system",
        "builtins:eval",
        "builtins:exec",
        "builtins:getattr",
        "builtins:__import__",
    ),
    *(
        "subprocess:Popen",
        "functools:partial",
        "operator:attrgetter",
        "numpy:load",
        "numpy:fromfile",
        "numpy:memmap",
    ),
    *(
        "numpy:frombuffer",
        "numpy.lib._npyio_impl:os.system",
        "numpy.f2py.__main__:main",
        "types:FunctionType",
    ),
    *(
        "pickle:loads",
        "joblib:load",
        "shutil:rmtree",
        "antigravity:x",
        "sys:exit",
        "builtins:open",
        "importlib:import_module",
    ),
)
ADMITTED = (
    *(
        "builtins:list",
        "builtins:set",
        "builtins:dict",
        "builtins:object",
        "builtins:int",
        "builtins:bytearray",
        "builtins:slice",
    ),
    *(
        "builtins:range",
        "builtins:complex",
        "builtins:str",
        "collections:OrderedDict",
        "collections:defaultdict",
    ),
    *(
        "collections:deque",
        "collections:Counter",
        "copyreg:_reconstructor",
        "copyreg:__newobj__",
        "copyreg:__newobj_ex__",
    ),
    *(
        "_codecs:encode",
        "numpy:dtype",
        "numpy:ndarray",
        "numpy:matrix",
        "numpy:float64",
        "numpy:exp",
        "numpy:float32",
    ),
    *(
        "numpy._core.multiarray:_reconstruct",
        "numpy._core.multiarray:scalar",
        "numpy._core.numeric:_frombuffer",
    ),
    *(
        "numpy.core.multiarray:_reconstruct",
        "numpy.ma.core:MaskedArray",
        "numpy.ma.core:_mareconstruct",
    ),
    *("numpy.random._pickle:__generator_ctor", "numpy.random._pickle:__randomstate_ctor"),
    *(
        "numpy.random._pickle:__bit_generator_ctor",
        "numpy.random._mt19937:MT19937",
        "numpy.random._pcg64:PCG64",
    ),
    *(
        "numpy.random.bit_generator:__pyx_unpickle_SeedSequence",
        "numpy.random.bit_generator:SeedSequence",
    ),
    *(
        "scipy.sparse._csr:csr_matrix",
        "scipy.sparse._csc:csc_matrix",
        "scipy.sparse._coo:coo_matrix",
        "scipy.sparse._csr:csr_array",
    ),
    *(
        "scipy.interpolate._bsplines:BSpline",
        "sklearn.tree._tree:Tree",
        "sklearn.utils._bunch:Bunch",
    ),
    *(
        "sklearn._loss._loss:__pyx_unpickle_CyHuberLoss",
        "sklearn._loss._loss:CyHuberLoss",
        "sklearn._loss.loss:HuberLoss",
    ),
    *(
        "sklearn.neighbors._kd_tree:newObj",
        "sklearn.neighbors._kd_tree:KDTree",
        "sklearn.neighbors._ball_tree:newObj",
    ),
    *("sklearn.neighbors._ball_tree:BallTree", "sklearn.metrics._dist_metrics:newObj"),
    *(
        "sklearn.metrics._dist_metrics:EuclideanDistance",
        "sklearn.metrics._dist_metrics:MinkowskiDistance",
    ),
    *(
        "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor",
        "sklearn.linear_model._sgd_fast:Hinge",
    ),
    *("sklearn.gaussian_process.kernels:ConstantKernel", "sklearn.metrics._scorer:_Scorer"),
    *("sklearn.compose._column_transformer:make_column_selector", "sklearn.pipeline:Pipeline"),
    *(
        "sklearn.feature_selection._univariate_selection:f_classif",
        "joblib.numpy_pickle:NumpyArrayWrapper",
    ),
    *(
        "sklearn.preprocessing._function_transformer:FunctionTransformer",
        "sklearn.svm._classes:SVC",
    ),
    *(
        "onnxpress.estimators.onnx_estimator:OnnxClassifier",
        "onnxpress.estimators.onnx_estimator:OnnxRegressor",
    ),
)
"""Names as ``module:name``, of what real files hold; ``HOSTILE`` are some that none holds."""

KEYS = (
    *(
        "__class__",
        "__dict__",
        "__array_interface__",
        "predict",
        "get_params",
        "classes_",
        "n_features_in_",
        "estimators_",
    ),
    *(
        "coef_",
        "nodes",
        "values",
        "key",
        "pos",
        "indptr",
        "indices",
        "data",
        "_shape",
        "shape",
        "subclass",
        "order",
        "steps",
    ),
)
CONTAINERS = (List, Tuple, Mapping, Set, Made, Array)


@cache
def real() -> tuple[Any, ...]:
    """The descriptions of :mod:`bench.fuzz.estimators`, read from their pickles."""
    import pickle

    from onnxpress.estimators.stored.pickle_reader import read

    return tuple(read(pickle.dumps(estimator, 4)) for estimator in fitted().values())


def changed(random: Random) -> Any:
    """A real description with one to four things changed."""
    root = copy.deepcopy(random.choice(real()))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = list(_places(root))
        if places:
            random.choice(CHANGES)(random, random.choice(places), places)
    return root


def renumbered(random: Random) -> Any:
    """A real description with other numbers, shapes and array bytes: its form is good."""
    root = copy.deepcopy(random.choice(real()))
    places = [place for place in _places(root) if type(place[1]) in {int, float, bytes}]
    for place in random.sample(places, min(len(places), random.choice((1, 1, 2, 4)))):
        _replace(random, place, places)
    return root


def made(random: Random) -> Any:
    """A description of random parts, real branches among them."""
    return _value(random, random.randint(1, 5))


# --- random descriptions --------------------------------------------------------------------------


def name(random: Random) -> Global:
    """A name that the grammar knows, mostly."""
    path = random.choice(HOSTILE if random.random() < 0.05 else ADMITTED)
    return Global(*path.split(":"))


def _plain(random: Random) -> Any:
    kind = random.randrange(7)
    if kind == 0:
        return random.choice((None, True, False))
    if kind < 3:
        return random.choice(INTEGERS)
    if kind == 3:
        return random.choice(REALS)
    if kind == 4:
        return random.choice(TEXTS)
    return random.randbytes(random.choice((0, 1, 7, 8, 16, 64, 300)))


def _value(random: Random, depth: int) -> Any:
    if depth <= 0 or random.random() < 0.2:
        return name(random) if random.random() < 0.2 else _plain(random)
    return random.choice(_PARTS)(random, depth - 1)


def _several(random: Random, depth: int) -> list[Any]:
    return [_value(random, depth) for _ in range(random.choice((0, 1, 1, 2, 3, 4)))]


def _mapping(random: Random, depth: int) -> Mapping:
    keys = [
        random.choice(KEYS) if random.random() < 0.8 else _value(random, depth)
        for _ in range(random.randrange(5))
    ]
    return Mapping([(key, _value(random, depth)) for key in keys])


def _made(random: Random, depth: int) -> Made:
    maker = name(random) if random.random() < 0.97 else _value(random, depth)
    node = Made(maker, random.choice(("new", "call")), _several(random, depth))
    if random.random() < 0.05:
        node.keywords = [(random.choice(KEYS), _value(random, depth))]
    if random.random() < 0.5:
        node.states = [_mapping(random, depth) if random.random() < 0.6 else _value(random, depth)]
    if random.random() < 0.05:
        node.states.append(_value(random, depth))
    if random.random() < 0.1:
        node.items = _several(random, depth)
    if random.random() < 0.1:
        node.pairs = _mapping(random, depth).pairs
    return node


def _dtype(random: Random, depth: int = 0) -> Made:
    letter = random.choice(
        (
            "f8",
            "f4",
            "i8",
            "i4",
            "u1",
            "b1",
            "U3",
            "O8",
            "V8",
            "V64",
            "M8",
            "c16",
            "f2",
            "S4",
            "q",
            "?",
        )
    )
    fields: Any = None
    names: Any = None
    if random.random() < 0.2:
        parts = random.sample(("left_child", "right_child", "feature", "threshold", "value"), 2)
        names = Tuple(list(parts))
        inner = [
            _dtype(random, depth - 1)
            if depth > 0
            else Made(Global("numpy", "dtype"), "call", ["O8", False, True])
            for _ in parts
        ]
        fields = Mapping(
            [
                (part, Tuple([kind, random.choice(INTEGERS[:12])]))
                for part, kind in zip(parts, inner, strict=True)
            ]
        )
    size, align = random.choice((-1, -1, -1, 8, 0, 12, 2**40)), random.choice((-1, -1, 1, 4))
    state = [
        3,
        random.choice("<|>="),
        None,
        names,
        fields,
        size,
        align,
        random.choice((0, 0, 8, 16, 63)),
    ]
    return Made(
        Global("numpy", "dtype"), "call", [letter, False, True], states=[Tuple(list(state))]
    )


def _array(random: Random, depth: int) -> Any:
    shape = [
        random.choice((1, 2, 3, 8)) if random.random() < 0.8 else random.choice(INTEGERS)
        for _ in range(random.randrange(4))
    ]
    data: Any = random.randbytes(random.choice((0, 8, 24, 64, 512)))
    kind = _dtype(random, depth)
    if random.random() < 0.15:
        return Array(
            tuple(size for size in shape if abs(size) < 2**63),
            kind,
            "F" if random.random() < 0.5 else "C",
            memoryview(data),
        )
    if random.random() < 0.3:
        data = List(_several(random, depth))
    ctor = Global("numpy._core.multiarray", "_reconstruct")
    of = Global("numpy", "ndarray") if random.random() < 0.9 else name(random)
    state = Tuple([1, Tuple(list(shape)), kind, random.random() < 0.3, data])
    return Made(ctor, "call", [of, Tuple([0]), b"b"], states=[state])


def _scalar(random: Random, depth: int) -> Made:
    data = (
        _value(random, depth)
        if random.random() < 0.3
        else random.randbytes(random.choice((0, 1, 4, 8, 16)))
    )
    return Made(Global("numpy._core.multiarray", "scalar"), "call", [_dtype(random, depth), data])


def _branch(random: Random, _depth: int) -> Any:
    """Part of a real description, changed or not."""
    root = changed(random) if random.random() < 0.3 else copy.deepcopy(random.choice(real()))
    places = [value for _, value, _ in _places(root) if isinstance(value, CONTAINERS)]
    return random.choice(places) if places else root


_PARTS: tuple[Callable[[Random, int], Any], ...] = (
    *(_made, _made, _made, _array, _array, _dtype, _scalar, _branch, _mapping),
    lambda random, depth: List(_several(random, depth)),
    lambda random, depth: Tuple(_several(random, depth)),
    lambda random, depth: Set(_several(random, depth), random.random() < 0.5),
)


# --- changes --------------------------------------------------------------------------------------

Put = Callable[[Any], None]
Place = tuple[Put, Any, "list[Any] | None"]
"""A part of a description: how to replace it, what it is, and the list that holds it."""


def _places(root: Any) -> Iterator[Place]:
    """Every part of a description but the root, each container once."""
    seen, todo = {id(root)}, [root]
    while todo:
        node = todo.pop()
        for put, value, held in _children(node):
            yield put, value, held
            if isinstance(value, CONTAINERS) and id(value) not in seen:
                seen.add(id(value))
                todo.append(value)


def _children(node: Any) -> Iterator[Place]:
    for held in _lists(node):
        for index, value in enumerate(held):
            if isinstance(value, tuple):
                yield _put_key(held, index), value[0], held
                yield _put_value(held, index), value[1], held
            else:
                yield _put_item(held, index), value, held
    if isinstance(node, Made):
        yield _put_attribute(node, "maker"), node.maker, None
        yield _put_attribute(node, "how"), node.how, None
    if isinstance(node, Array):
        yield _put_attribute(node, "dtype"), node.dtype, None
        yield _put_attribute(node, "order"), node.order, None


def _lists(node: Any) -> list[list[Any]]:
    if isinstance(node, List | Tuple | Set):
        return [node.items]
    if isinstance(node, Mapping):
        return [node.pairs]
    if isinstance(node, Made):
        return [node.arguments, node.states, node.items, node.pairs]
    return []


def _put_item(held: list[Any], index: int) -> Put:
    def put(value: Any) -> None:
        if index < len(held):
            held[index] = value

    return put


def _put_key(held: list[Any], index: int) -> Put:
    return lambda value: (
        held.__setitem__(index, (value, held[index][1])) if index < len(held) else None
    )


def _put_value(held: list[Any], index: int) -> Put:
    return lambda value: (
        held.__setitem__(index, (held[index][0], value)) if index < len(held) else None
    )


def _put_attribute(node: Any, attribute: str) -> Put:
    def put(value: Any) -> None:
        if attribute == "how":
            node.how = "call" if node.how == "new" else "new"
        elif attribute != "order" or value in {"C", "F"}:
            setattr(node, attribute, value)

    return put


def _replace(random: Random, place: Place, places: list[Place]) -> None:
    """The like for the like: a number for a number, mostly."""
    put, value, _ = place
    if isinstance(value, bool):
        put(random.choice((not value, None, 2, 0.5)))
    elif isinstance(value, int):
        put(
            random.choice(
                (
                    value + 1,
                    value - 1,
                    -value,
                    value * 2,
                    value ^ (1 << random.randrange(16)),
                    *INTEGERS,
                )
            )
        )
    elif isinstance(value, float):
        put(random.choice((value * 2, -value, *REALS, random.choice(INTEGERS))))
    elif isinstance(value, str):
        put(random.choice((value + "_", value[:-1], random.choice(TEXTS), random.choice(KEYS))))
    elif isinstance(value, bytes):
        put(_other_bytes(random, value))
    elif isinstance(value, Global):
        put(random.choice((name(random), random.choice(_globals(places)))))
    else:
        put(_plain(random))


def _other_bytes(random: Random, value: bytes) -> bytes:
    if not value:
        return random.randbytes(8)
    kind = random.randrange(4)
    if kind == 0:
        return value[: random.randrange(len(value))]
    if kind == 1:
        return value + random.randbytes(8)
    data = bytearray(value)
    size = min(len(data), random.choice((1, 4, 8)))
    start = random.randrange(max(1, (len(data) - size + 1) // size)) * size if size else 0
    special = random.choice((0, 1, 2, 2**31 - 1, 2**40, -1, -2, 1000))
    data[start : start + size] = (
        (special & (256**size - 1)).to_bytes(size, "little")
        if kind == 2
        else random.randbytes(size)
    )
    return bytes(data)


def _globals(places: list[Place]) -> list[Any]:
    return [value for _, value, _ in places if isinstance(value, Global)] or [None]


def _swap(random: Random, place: Place, places: list[Place]) -> None:
    """Another part of the same description."""
    place[0](random.choice(places)[1])


def _graft(random: Random, place: Place, _: list[Place]) -> None:
    """A branch of another description."""
    place[0](_branch(random, 1) if random.random() < 0.6 else _value(random, 2))


def _drop(random: Random, place: Place, _: list[Place]) -> None:
    if held := place[2]:
        del held[random.randrange(len(held))]


def _double(random: Random, place: Place, _: list[Place]) -> None:
    if held := place[2]:
        held.insert(random.randrange(len(held)), random.choice(held))


def _shuffle(random: Random, place: Place, _: list[Place]) -> None:
    if held := place[2]:
        random.shuffle(held)


def _add_key(random: Random, _: Place, places: list[Place]) -> None:
    """A key more in some dict."""
    dicts = [value for _, value, _ in places if isinstance(value, Mapping)]
    if dicts:
        random.choice(dicts).pairs.append(
            (random.choice(KEYS), random.choice((_value(random, 1), random.choice(places)[1])))
        )


CHANGES: tuple[Callable[[Random, Place, list[Place]], None], ...] = (
    *(_replace,) * 8,
    *(_swap, _swap, _graft, _drop, _double, _shuffle, _add_key),
)
