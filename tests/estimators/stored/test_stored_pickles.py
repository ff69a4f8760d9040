"""The rules of reading, judging and building pickles and joblib files, one by one."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import lzma
import pickle
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_selection import chi2
from sklearn.gaussian_process.kernels import ConstantKernel
from sklearn.linear_model import LogisticRegression
from sklearn.tree._tree import NODE_DTYPE

from onnxpress.estimators import stored
from onnxpress.estimators.stored import Damaged, Refused, judge, loads
from onnxpress.estimators.stored.unpacking import unpacked
from tests.conftest import ROOT

# a pickle is written as what it consists of, in protocol 4

KERNEL = ("sklearn.gaussian_process.kernels", "ConstantKernel")


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def some_bytes(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def items(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def listed(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"l"


def mapping(**values: bytes) -> bytes:
    return b"(" + b"".join(text(key) + value for key, value in values.items()) + b"d"


def call(maker: bytes, *arguments: bytes) -> bytes:
    return maker + items(*arguments) + b"R"


def new(maker: bytes, *arguments: bytes) -> bytes:
    return maker + items(*arguments) + b"\x81"


def given(target: bytes, state: bytes) -> bytes:
    return target + state + b"b"


def file(content: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + content + b"."


NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
MADE = new(name(*KERNEL))


def dtype(kind: str, **state: bytes) -> bytes:
    """``numpy.dtype`` and a state whose parts are numpy's own but for those given."""
    parts = {
        "version": number(3),
        "order": text("<"),
        "subtype": NONE,
        "names": NONE,
        "fields": NONE,
    }
    parts |= {"size": number(-1), "alignment": number(-1), "flags": number(0), **state}
    return given(call(name("numpy", "dtype"), text(kind), FALSE, TRUE), items(*parts.values()))


def array(shape: bytes, kind: bytes, content: bytes, version: int = 1) -> bytes:
    empty = call(
        name("numpy._core.multiarray", "_reconstruct"),
        name("numpy", "ndarray"),
        items(number(0)),
        some_bytes(b"b"),
    )
    return given(empty, items(number(version), shape, kind, FALSE, content))


def refused(data: bytes, **options: Any) -> list[str]:
    with pytest.raises(Refused) as error:
        loads(data, **options)
    return error.value.names


def damaged(data: bytes, clause: str | None = None) -> None:
    with pytest.raises(Damaged, match=clause):
        loads(data)


def dumped(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(content, buffer, **options)
    return buffer.getvalue()


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, with their types: NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        return same and all(
            equal(a, b) for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
        )
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(
            equal(one[key], other[key]) for key in one
        )
    if isinstance(one, list | tuple | collections.deque):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) or repr(one) == repr(other)


# what estimators hold comes back

VALUES: list[Any] = [
    None,
    True,
    -1,
    1 << 70,
    -(1 << 70),
    0.1,
    float("nan"),
    float("inf"),
    "",
    "텍스트\n\\u00e9 'quoted'",
    b"",
    b"\x00\xff" * 200,
    bytearray(b"\x00\xff"),
    bytearray(),
    1 + 2j,
    [1, [2, (3,)]],
    (),
    {"a": {1: None, (1, "b"): 2, None: 3, 1.5: 4, b"c": 5}},
    {1, "a"},
    frozenset({2}),
    slice(1, None, 2),
    range(1, 7, 2),
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.defaultdict(list, {"a": [1]}),
    collections.defaultdict(None, {"a": [1]}),
    collections.Counter("abca"),
    collections.deque([1, 2], 5),
    np.float32(0.1),
    np.int64(-5),
    np.bool_(True),
    np.str_("é"),
    np.float64,
    np.dtype("<f4"),
    np.dtype("O"),
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    np.arange(5.0)[::-2],
    np.array(3.0),
    np.zeros((0, 3), np.uint8),
    np.array([True, False]),
    np.array(["a", "bcd", "한"]),
    np.array([b"a", b"bcd"]),
    np.array([1 + 2j]),
    np.array(["a", None, 3, np.nan, (1, 2)], object),
    np.array([[{"a": 1}, [2]]], object),
]


@pytest.mark.parametrize("protocol", range(6))
def test_what_estimators_hold_comes_back(protocol: int) -> None:
    for value in VALUES:
        assert equal(loads(pickle.dumps(value, protocol)), value)
    assert equal(loads(pickle.dumps(VALUES, protocol)), VALUES)
    assert equal(loads(dumped(VALUES, protocol=protocol)), VALUES)


@pytest.mark.parametrize("protocol", range(6))
def test_sparse_matrices_random_states_and_masked_arrays_come_back(protocol: int) -> None:
    for kind in ("csr", "csc", "coo"):
        for matrix in (
            sparse.random(5, 4, 0.4, kind, rng=0),
            sparse.random_array((5, 4), density=0.4, format=kind, rng=0),
        ):
            loaded = loads(dumped(matrix, protocol=protocol))
            assert type(loaded) is type(matrix)
            assert equal(loaded.toarray(), matrix.toarray())
    state = np.random.RandomState(3)
    state.standard_normal(3)
    assert loads(dumped(state, protocol=protocol)).standard_normal() == state.standard_normal()
    for bits in (
        np.random.PCG64(1),
        np.random.SFC64(1),
        np.random.Philox(1),
        np.random.PCG64DXSM(1),
    ):
        generator = np.random.Generator(bits)
        assert loads(dumped(generator, protocol=protocol)).random() == generator.random()
    masked = np.ma.MaskedArray([1.0, 2.0], [False, True], fill_value=5)
    loaded = loads(dumped(masked, protocol=protocol))
    assert (loaded.tolist(), loaded.fill_value) == ([1.0, None], 5)


def test_numbers_of_the_other_byte_order_become_native() -> None:
    loaded = loads(dumped([np.arange(3, dtype=">i4"), np.arange(3, dtype=">f8")]))
    assert [part.dtype.isnative for part in loaded] == [True, True]
    assert [part.tolist() for part in loaded] == [[0, 1, 2], [0.0, 1.0, 2.0]]


def test_what_is_mentioned_twice_is_one_object_and_may_contain_itself() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    mapped: dict[str, Any] = {"inner": inner, "again": inner}
    mapped["self"] = mapped
    loaded = loads(pickle.dumps(mapped))
    assert loaded["inner"] is loaded["again"]
    assert loaded["inner"][1] is loaded["inner"]
    assert loaded["self"] is loaded


def test_equal_texts_become_one_object() -> None:
    data = file(listed(text("weight of a thing"), text("weight of a thing")))
    loaded = loads(data)
    assert loaded[0] is loaded[1]


def test_arrays_are_their_own_and_can_be_written_to() -> None:
    loaded = loads(dumped([np.arange(3.0), np.arange(3.0)]))
    loaded[0][0] = 7
    assert loaded[1].tolist() == [0, 1, 2]


# compressed files

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_compressed_file_is_read_and_a_cut_one_is_damaged(kind: str) -> None:
    values = list(range(3000))
    packed = COMPRESS[kind](pickle.dumps(values))
    assert loads(packed) == values
    for size in (10, len(packed) // 2, len(packed) - 1):
        damaged(packed[:size])


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_is_damaged_before_it_is_unpacked(kind: str) -> None:
    packed = COMPRESS[kind](bytes(40 << 20))
    with pytest.raises(Damaged, match="more than 8 MB when unpacked"):
        unpacked(packed, 8 << 20)


def test_old_joblib_and_missing_lz4_are_named() -> None:
    damaged(b"ZF0x10" + zlib.compress(b"N."), "joblib 0.9 or older")
    damaged(b"\x04\x22\x4d\x18" + bytes(30), "lz4")


# reading: cut, changed, hand-made

SMALL = dumped(
    [np.arange(3.0), np.array(["a", None], object), {"a": LogisticRegression(), "b": 1 << 90}]
)


def test_a_file_cut_anywhere_is_damaged() -> None:
    for size in range(len(SMALL) - 1):
        damaged(SMALL[:size])


def test_any_changed_byte_is_read_or_damaged_or_refused() -> None:
    for at in range(len(SMALL)):
        for flip in (1, 0x20, 0x80):
            changed = SMALL[:at] + bytes([SMALL[at] ^ flip]) + SMALL[at + 1 :]
            with suppress(Damaged, Refused, stored.OtherVersion):
                loads(changed)


@pytest.mark.parametrize(
    ("content", "clause"),
    [
        (b"\xff", "not an opcode"),
        (b"a", "empty stack"),
        (b"(", "holds nothing"),
        (b"", "holds nothing"),
        (b"t", "a mark is missing"),
        (b"Na", "empty stack"),
        (b"NNa", "not a list"),
        (b"NNNs", "not a dict"),
        (b"}(NNNu", "not a dict"),
        (b"N(N\x90", "not a set"),
        (b"h\x05", "not there"),
        (b"g7\n", "not there"),
        (b"p-1\n", "number that is none"),
        (b"Psomething\n", "outside the file"),
        (b"NQ", "outside the file"),
        (b"\x82\x01", "outside the file"),
        (b"\x97", "outside the file"),
        (b"\x80\x09N", "protocol 9"),
        (b"X\xff\xff\xff\xff", "its end is missing"),
        (b"\x8e" + b"\xff" * 8, "its end is missing"),
        (b"\x96" + b"\x7f" * 8, "its end is missing"),
        (b"\x95" + b"\xff" * 8 + b"N", "its end is missing"),
        (b"X\x01\x00\x00\x00\xff", "not Unicode"),
        (b"V\\ud800\n", "not Unicode"),
        (b"S'a\n", "without quotes"),
        (b"S'\\x'\n", "wrong escape"),
        (b"T\xff\xff\xff\xff", "its end is missing"),
        (b"\x8b\xff\xff\xff\xff", "too long"),
        (b"\x8b\xe9\x03\x00\x00" + b"1" * 1001, "too long"),
        (b"I" + b"9" * 1001 + b"\n", "too long"),
        (b"Ix\n", "number that is none"),
        (b"Fx\n", "number that is none"),
        (b"cposix", "a line has no end"),
        (b"NN\x93", "not text"),
        (name(*KERNEL) + b"NR", "not a tuple"),
        (name(*KERNEL) + b")N\x92", "keyword arguments"),
    ],
)
def test_what_no_pickler_writes_is_damaged_in_a_clause(content: bytes, clause: str) -> None:
    damaged(b"\x80\x04" + content + b".", clause)


def test_bytes_after_the_end_are_not_read() -> None:
    assert loads(pickle.dumps([1]) + pickle.dumps([2])) == [1]


def test_depth_doubling_and_colliding_keys_take_no_time() -> None:
    began = time.process_time()
    damaged(b"]" * 200_000 + b"a" * 199_999 + b".", "nested deeper than")
    doubled = loads(
        file(b"]q\x00" + b"(h\x00h\x00lq\x00" * 250)
    )  # each list holds the one before it twice
    assert doubled[0] is doubled[1]
    nested = b"N" + b"\x85" * 250
    damaged(file(b"}" + nested + b"Ns"), "a key|keys")
    same_hash = b"".join(
        pickle.dumps(((1 << 61) - 1) * factor, 2)[2:-1] + b"N" for factor in range(1000, 21_000)
    )
    damaged(file(b"}(" + same_hash + b"u"), "a key")
    assert time.process_time() - began < 10


def often(shared: bytes, user: bytes, times: int = 20_000) -> bytes:
    """A file that holds ``shared`` as part 0 of its memo and ``user`` many times."""
    return file(shared + b"q\x00" + b"(" + user * times + b"l")


GIVEN_OFTEN = {
    "a list": often(b"(" + b"N" * 30_000 + b"l", name("builtins", "list") + b"h\x00\x85R"),
    "a list to a set": often(
        b"(" + b"N" * 30_000 + b"l", name("builtins", "frozenset") + b"h\x00\x85R"
    ),
    "bytes": often(some_bytes(bytes(1 << 16)), name("builtins", "bytearray") + b"h\x00\x85R"),
    "bytes of an array": often(
        some_bytes(bytes(1 << 16)), array(items(number(1 << 13)), dtype("f8"), b"h\x00"), 2000
    ),
    "a text": often(
        text("a" * (1 << 16)), name("builtins", "bytearray") + b"h\x00X\x07\x00\x00\x00latin-1\x86R"
    ),
    "a state": often(
        b"(" + b"".join(text(f"a{at}") + NONE for at in range(5000)) + b"d",
        new(name(*KERNEL)) + b"h\x00b",
        5000,
    ),
    "a list in a state": often(
        b"(" + b"N" * 30_000 + b"l", new(name(*KERNEL)) + b"}" + text("k1") + b"h\x00sb", 5000
    ),
    "a state that was empty at first": often(
        b"}q\x00("
        + text("k")
        + new(name(*KERNEL))
        + b"h\x00b"
        + b"".join(text(f"a{at}") + NONE for at in range(5000))
        + b"u",
        new(name(*KERNEL)) + b"h\x00b",
        5000,
    ),
    "arguments": often(b"(" + b"N" * 30_000 + b"t", name("builtins", "list") + b"h\x00R"),
}


@pytest.mark.parametrize("what", GIVEN_OFTEN)
def test_what_is_given_to_many_owners_is_damaged_before_it_is_copied_for_all(what: str) -> None:
    began = time.process_time()
    damaged(GIVEN_OFTEN[what], "more owners than they have content|a few")
    assert time.process_time() - began < 5


def test_a_text_that_is_encoded_often_is_encoded_once() -> None:
    encode = name("_codecs", "encode") + b"h\x00X\x06\x00\x00\x00latin1\x86R"
    loaded = loads(often(text("a" * (1 << 20)), encode, 1000))
    assert loaded[0] == b"a" * (1 << 20)
    assert loaded[0] is loaded[-1]


# judging: what a file may name

MAKERS = [
    "os.system",
    "builtins.eval",
    "numpy.ndarray",
    "numpy.matrix",
    "numpy.load",
    "functools.reduce",
    "joblib.load",
]


@pytest.mark.parametrize("path", MAKERS)
@pytest.mark.parametrize("how", [call, new])
def test_what_is_not_in_the_grammar_is_neither_called_nor_made(
    path: str, how: Callable[..., bytes]
) -> None:
    maker = name(*path.rsplit(".", 1))
    assert refused(file(how(maker, text("touch mark")))) == [path]


@pytest.mark.parametrize("protocol", range(6))
def test_all_calls_of_a_file_are_named(protocol: int) -> None:
    class Call:
        def __init__(self, function: Any) -> None:
            self.function = function

        def __reduce__(self) -> Any:
            return self.function, ("1",)

    for data in (
        pickle.dumps([Call(eval), {"a": Call(exec)}], protocol),
        dumped([Call(eval), Call(exec)], protocol=protocol),
    ):
        assert refused(data) == ["builtins.eval", "builtins.exec"]


def test_judging_imports_nothing_that_the_file_chooses() -> None:
    for module in (
        "numpy.f2py.__main__",
        "antigravity",
        "sklearn.datasets._twenty_newsgroups",
        "tests.support.nasty",
    ):
        sys.modules.pop(module, None)
        for content in (name(module, "x"), call(name(module, "x")), new(name(module, "X"))):
            assert refused(file(content)) == [
                f"{module}.{'X' if content.endswith(bytes([0x81])) else 'x'}"
            ]
        assert module not in sys.modules


def test_a_function_of_the_grammar_is_held_and_not_called() -> None:
    function = name("sklearn.feature_selection._univariate_selection", "chi2")
    assert loads(file(function)) is chi2
    assert refused(file(call(function, NONE, NONE))) == [
        "sklearn.feature_selection._univariate_selection.chi2"
    ]


def test_arguments_of_the_grammar_mean_nothing_elsewhere() -> None:
    for path in (
        "numpy.ndarray",
        "numpy.ma.MaskedArray",
        "numpy.random.bit_generator.SeedSequence",
        "sklearn.tree._tree.Tree",
    ):
        assert refused(file(name(*path.rsplit(".", 1)))) == [path]


@pytest.mark.parametrize(
    "content",
    [
        call(MADE, text("x")),
        call(name("copyreg", "__newobj__"), MADE, text("x")),
        call(name("copyreg", "__newobj_ex__"), MADE, items(), mapping()),
        call(name("copyreg", "_reconstructor"), MADE, name("builtins", "object"), NONE),
        new(MADE, text("x")),
        MADE + b")}\x92",
        b"(" + MADE + text("x") + b"o",
        call(call(name("builtins", "list")), text("x")),
        call(text("os.system"), text("x")),
    ],
    ids=[
        "REDUCE",
        "__newobj__",
        "__newobj_ex__",
        "_reconstructor",
        "NEWOBJ",
        "NEWOBJ_EX",
        "OBJ",
        "a list",
        "a text",
    ],
)
def test_what_a_file_has_made_is_never_called(content: bytes) -> None:
    damaged(file(content), "it calls what it has made itself")


@pytest.mark.parametrize(
    "target",
    [name(*KERNEL), name("sklearn.feature_selection._univariate_selection", "chi2"), b"]", b"N"],
)
def test_only_what_is_made_takes_state(target: bytes) -> None:
    damaged(file(given(target, mapping(patched=TRUE))), "state for something that is not an object")
    damaged(
        file(given(target, items(NONE, mapping(patched=TRUE)))),
        "state for something that is not an object",
    )
    assert not hasattr(ConstantKernel, "patched")
    assert not hasattr(chi2, "patched")


@pytest.mark.parametrize(
    "state",
    [
        items(NONE, mapping(__class__=name("sklearn.gaussian_process.kernels", "RBF"))),
        items(mapping(), mapping(__class__=name("sklearn.gaussian_process.kernels", "RBF"))),
        mapping(__class__=name("numpy", "float64")),
        mapping(
            __array_interface__=mapping(
                data=items(number(1), FALSE), shape=items(number(1)), typestr=text("|u1")
            )
        ),
        mapping(__setstate__=name("numpy", "exp")),
        mapping(__reduce__=name("numpy", "exp")),
        mapping(get_params=name("numpy", "exp")),
        listed(),
        number(1),
    ],
    ids=[
        "slots",
        "dict and slots",
        "__class__",
        "__array_interface__",
        "__setstate__",
        "__reduce__",
        "a method",
        "list",
        "int",
    ],
)
def test_an_object_takes_plain_attributes_only(state: bytes) -> None:
    with pytest.raises((Damaged, Refused)):
        loads(file(given(MADE, state)))


def test_a_class_is_not_given_arguments_nor_called() -> None:
    damaged(file(new(name(*KERNEL), number(1))), "with arguments")
    damaged(file(call(name(*KERNEL))), "calls the class")


def test_slots_that_swap_the_class_do_not_reach_an_inner_pickle() -> None:
    """State that made joblib read what follows by pickle's own unpickler."""
    swap = mapping(__class__=name("joblib.numpy_pickle", "NumpyArrayWrapper"))
    announced = mapping(
        subclass=name("numpy", "ndarray"), shape=items(number(1)), order=text("C"), dtype=dtype("O")
    )
    data = (
        b"\x80\x04"
        + given(MADE, items(announced, swap))
        + file(call(name("os", "system"), text("touch mark")))
        + b"."
    )
    with pytest.raises((Damaged, Refused)):
        loads(data)


# trusted classes


class Own:
    """A class of a user's."""

    seen: list[Any] = []  # noqa: RUF012 # what its methods were called with

    def __init__(self, value: Any = None) -> None:
        self.seen.append(value)
        self.value = value


class Stateful(Own):
    """One with its own way to take state."""

    def __setstate__(self, state: Any) -> None:
        self.value = state["value"] * 2


def helper(*arguments: Any) -> None:
    """A function of a user's."""
    Own.seen.append(arguments)


def test_a_trusted_class_is_made_without_a_call_and_takes_its_state() -> None:
    data = pickle.dumps([Own(1), Stateful(2)])
    paths = [f"{__name__}.Own", f"{__name__}.Stateful"]
    Own.seen.clear()
    assert refused(data) == paths
    assert refused(data, trusted=paths[:1]) == paths[1:]
    assert refused(data, trusted=[__name__, "tests"]) == paths
    own, stateful = loads(data, paths)
    assert (own.value, stateful.value, Own.seen) == (1, 4, [])


def test_a_trusted_name_is_not_called_with_arguments() -> None:
    path = f"{__name__}.Own"
    Own.seen.clear()
    damaged_or_refused = (Damaged, Refused)
    for content in (
        call(name(__name__, "Own"), number(1)),
        new(name(__name__, "Own"), number(1)),
        call(name(__name__, "Own")),
    ):
        with pytest.raises(damaged_or_refused):
            loads(file(content), [path])
    for content in (call(name(__name__, "helper"), number(1)), name(__name__, "helper")):
        assert refused(file(content), trusted=[f"{__name__}.helper"]) == [f"{__name__}.helper"]
    assert Own.seen == []


# numbers


@pytest.mark.parametrize(
    "kind",
    [
        dtype("u8", subtype=items(dtype("O8"), items(number(1)))),
        dtype("u8", names=items(text("a")), fields=mapping(a=items(dtype("O8"), number(0)))),
        dtype("u8", fields=mapping(a=items(dtype("O8"), number(0)))),
        dtype(
            "V8",
            names=items(text("a")),
            fields=mapping(a=items(dtype("O8"), number(0))),
            size=number(8),
        ),
        dtype("V8", size=number(8)),
        dtype("U4", size=number(4)),
        dtype("U0", size=number(0)),
        dtype("u8", order=text("x")),
        dtype("M8"),
        dtype("U999999999"),
        dtype("U99999999999999999999"),
        dtype("u8,O"),
        dtype("(2,)u8"),
        dtype("g"),
        given(dtype("u8"), items(number(3))),
        call(name("numpy", "dtype"), listed(items(text("a"), text("O")))),
        call(name("numpy", "dtype"), mapping(names=listed(), formats=listed())),
    ],
)
def test_no_type_of_numbers_is_laid_over_another(kind: bytes) -> None:
    damaged(file(kind))
    damaged(file(array(items(number(1)), kind, some_bytes(bytes(64)))))


@pytest.mark.parametrize(
    ("shape", "kind", "content"),
    [
        (items(number(-1)), dtype("f8"), some_bytes(bytes(8))),
        (items(number(3)), dtype("f8"), some_bytes(bytes(8))),
        (items(number(1)), dtype("f8"), some_bytes(bytes(16))),
        (
            items(number(1 << 30), number(1 << 30), number(1 << 30)),
            dtype("f8"),
            some_bytes(bytes(8)),
        ),
        (items(number(0), number(1 << 30), number(1 << 30)), dtype("f8"), some_bytes(b"")),
        (items(number(0), number(1 << 30)), text("U9999999"), some_bytes(b"")),
        (items(*[number(1)] * 40), dtype("f8"), some_bytes(bytes(8))),
        (items(text("1")), dtype("f8"), some_bytes(bytes(8))),
        (number(1), dtype("f8"), some_bytes(bytes(8))),
        (items(number(1)), dtype("O8"), some_bytes(bytes(8))),
        (items(number(2)), dtype("O8"), listed(NONE)),
        (items(number(1)), dtype("f8"), listed(NONE)),
        (items(number(1)), dtype("b1"), some_bytes(b"\x02")),
        (
            items(number(1)),
            dtype("U1", size=number(4), alignment=number(4), flags=number(8)),
            some_bytes(b"\xff" * 4),
        ),
        (
            items(number(1)),
            dtype("U1", size=number(4), alignment=number(4), flags=number(8)),
            some_bytes(b"\x00\xd8\x00\x00"),
        ),
        (items(number(1)), text("f8,O"), some_bytes(bytes(16))),
        (items(number(1)), NONE, some_bytes(bytes(8))),
    ],
)
def test_an_array_has_the_bytes_and_the_values_of_its_type(
    shape: bytes, kind: bytes, content: bytes
) -> None:
    damaged(file(array(shape, kind, content)))


def test_records_do_not_lie_in_records_without_end() -> None:
    fields = list(NODE_DTYPE.names)
    kind = dtype("i8")
    for _ in range(500):
        first = text("left_child") + items(kind, number(0))
        others = b"".join(
            text(field) + items(dtype("i8"), number(8 * at))
            for at, field in enumerate(fields[1:], 1)
        )
        kind = dtype(
            "V64",
            names=items(*map(text, fields)),
            fields=b"(" + first + others + b"d",
            size=number(64),
        )
    damaged(announced(dtype=kind))


def test_arrays_are_made_by_their_functions_as_numpy_writes_them_only() -> None:
    reconstruct = name("numpy._core.multiarray", "_reconstruct")
    ndarray, zero, letter = name("numpy", "ndarray"), items(number(0)), some_bytes(b"b")
    state = items(number(1), items(number(1)), dtype("f8"), FALSE, some_bytes(bytes(8)))
    for arguments in (
        (ndarray, items(number(9)), letter),
        (ndarray, zero, text("O")),
        (name("numpy", "dtype"), zero, letter),
    ):
        damaged(file(given(call(reconstruct, *arguments), state)))
    damaged(file(call(reconstruct, ndarray, zero, letter)), "without a state")
    damaged(
        file(given(given(call(reconstruct, ndarray, zero, letter), state), state)),
        "without a state",
    )
    scalar = name("numpy._core.multiarray", "scalar")
    damaged(file(call(scalar, dtype("O8"), some_bytes(bytes(8)))))
    damaged(file(call(scalar, dtype("f8"), some_bytes(bytes(4)))))
    buffer = name("numpy._core.numeric", "_frombuffer")
    damaged(file(call(buffer, some_bytes(bytes(8)), dtype("O8"), items(number(1)), text("C"))))
    damaged(
        file(
            call(
                buffer,
                some_bytes(bytes(8)),
                dtype("f8"),
                items(number(1)),
                text("K"),
                items(number(3)),
            )
        )
    )
    damaged(file(call(buffer, text("a file"), dtype("f8"), items(number(1)), text("C"))))


ANNOUNCED = {
    "subclass": name("numpy", "ndarray"),
    "shape": items(number(1)),
    "order": text("C"),
    "dtype": dtype("f8"),
    "allow_mmap": FALSE,
}
WRAPPER = name("joblib.numpy_pickle", "NumpyArrayWrapper")


def announced(follows: bytes = bytes(8), **changes: bytes) -> bytes:
    return file(given(new(WRAPPER), mapping(**{**ANNOUNCED, **changes})) + follows)


def test_an_array_of_joblib_is_read_as_joblib_reads_it() -> None:
    assert loads(announced()).tolist() == [0.0]
    padded = announced(b"\x03\xff\xff\xff" + bytes(8), numpy_array_alignment_bytes=number(16))
    assert loads(padded).tolist() == [0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"subclass": NONE},
        {"shape": number(7)},
        {"shape": items(number(-1))},
        {"shape": items(number(1 << 30), number(1 << 30))},
        {"order": text("X")},
        {"dtype": dtype("V8", size=number(8))},
        {"dtype": NONE},
        {"allow_mmap": number(2)},
        {"numpy_array_alignment_bytes": number(0)},
        {"read": name("numpy", "exp")},
    ],
)
def test_an_array_that_joblib_would_not_announce_is_damaged(changes: dict[str, bytes]) -> None:
    damaged(announced(**changes))


@pytest.mark.parametrize(("module", "kind"), [("numpy", "matrix"), ("os", "system")])
def test_an_array_of_another_class_is_refused_by_its_name(module: str, kind: str) -> None:
    assert refused(announced(subclass=name(module, kind))) == [f"{module}.{kind}"]


def test_an_array_is_announced_by_state_alone() -> None:
    state = mapping(**ANNOUNCED)
    damaged(file(given(call(WRAPPER, *ANNOUNCED.values()), mapping(dtype=dtype("u1"))) + bytes(8)))
    damaged(file(given(call(WRAPPER), state) + bytes(8)))
    damaged(file(given(new(WRAPPER, number(1)), state) + bytes(8)))
    assert refused(file(new(WRAPPER))) == ["joblib.numpy_pickle.NumpyArrayWrapper"]
    objects = announced(file(call(name("os", "system"), text("touch mark"))), dtype=dtype("O8"))
    damaged(objects, "an array of objects is something else")
    inner = announced(
        announced(), dtype=dtype("O8")
    )  # within an array of objects joblib reads no arrays of its own
    damaged(inner, "not an opcode")
    bad = array(
        items(number(1)), dtype("O8"), listed(call(name("os", "system"), text("touch mark")))
    )
    assert refused(announced(file(bad), dtype=dtype("O8"))) == ["os.system"]


# what compiled code reads without looking


def changed_state(matrix: Any, **changes: Any) -> bytes:
    vars(matrix).update(changes)
    return pickle.dumps(matrix)


@pytest.mark.parametrize(
    "changes",
    [
        {"indices": np.array([0, 9], np.int32)},
        {"indices": np.array([0, -1], np.int32)},
        {"indices": np.array([0], np.int32)},
        {"indices": np.array([0.0, 1.0])},
        {"indptr": np.array([0, 9, 2], np.int32)},
        {"indptr": np.array([0, 2, 0], np.int32)},
        {"indptr": np.array([0, 2], np.int32)},
        {"indptr": np.array([1, 1, 2], np.int32)},
        {"indptr": np.array([0, 1, 2], np.int64)},
        {"data": np.array([1, 2], object)},
        {"data": np.ones((2, 1))},
        {"_shape": (2, -2)},
        {"_shape": (2.0, 2)},
        {"_shape": [2, 2]},
        {"maxprint": "x"},
        {"toarray": None},
        {
            "indices": np.array([1, 0], np.int32),
            "indptr": np.array([0, 2, 2], np.int32),
            "_has_sorted_indices": True,
        },
        {
            "indices": np.array([1, 1], np.int32),
            "indptr": np.array([0, 2, 2], np.int32),
            "_has_canonical_format": True,
        },
    ],
)
def test_a_sparse_matrix_has_no_index_beyond_its_parts(changes: dict[str, Any]) -> None:
    fresh = sparse.csr_matrix(
        (np.ones(2), np.array([0, 1], np.int32), np.array([0, 1, 2], np.int32)), (2, 2)
    )
    assert loads(changed_state(fresh)).toarray().tolist() == [[1, 0], [0, 1]]
    damaged(changed_state(fresh, **changes))


def test_coordinates_lie_within_the_shape() -> None:
    for coords in (([0, 5], [0, 1]), ([0, -1], [0, 1]), ([0, 1], [0])):
        matrix = sparse.coo_matrix(np.eye(2))
        damaged(changed_state(matrix, coords=tuple(np.array(axis, np.int32) for axis in coords)))


@pytest.mark.parametrize("position", [-1, 625, 10**6, 1 << 40, 1.0, None])
def test_a_random_state_reads_within_its_key(position: Any) -> None:
    class Forged:
        def __reduce__(self) -> Any:
            maker, arguments, state = np.random.RandomState(0).__reduce__()
            state["state"]["pos"] = position
            return maker, arguments, state

    class ForgedBits:
        def __reduce__(self) -> Any:
            maker, arguments, (state, seeds) = np.random.MT19937(0).__reduce__()
            state["state"]["pos"] = position
            return maker, arguments, (state, seeds)

    damaged(pickle.dumps(Forged()), "random state")
    damaged(pickle.dumps(ForgedBits()), "random state")


def test_a_generator_is_not_made_by_a_function_of_the_file() -> None:
    maker = name("numpy.random._pickle", "__generator_ctor")
    damaged(file(call(maker, text("MT19937"), name("numpy", "exp"))))
    damaged(file(call(maker, call(name("numpy", "dtype"), text("f8")))))
    assert refused(file(call(maker, text("id"), name("os", "system")))) == ["os.system"]


@pytest.mark.parametrize(
    "content",
    [
        call(name("collections", "defaultdict"), name("numpy", "exp")),
        call(name("builtins", "list"), text("abc")),
        call(name("builtins", "bytearray"), number(1 << 30)),
        call(name("builtins", "range"), text("a"), number(1), number(1)),
        call(name("builtins", "slice"), MADE, NONE, NONE),
        call(name("collections", "deque"), listed(), number(-1)),
        call(name("collections", "Counter"), mapping(a=text("b"))),
        call(name("builtins", "set"), listed(listed())),
        b"}" + MADE + b"Ns",
        b"}]Ns",
        b"}" + call(name("builtins", "complex"), b"G" + bytes(8), b"G" + bytes(8)) + b"Ns",
    ],
)
def test_containers_hold_what_the_originals_write(content: bytes) -> None:
    damaged(file(content))


def test_a_tuple_that_contains_itself_is_damaged() -> None:
    inner: list[Any] = []
    outer = (inner,)
    inner.append(outer)
    loaded = loads(pickle.dumps(inner))
    assert loaded[0][0] is loaded
    damaged(pickle.dumps(outer), "contains itself")


def test_judging_makes_nothing() -> None:
    judge(SMALL)
    judge(file(array(items(number(-1)), dtype("f8"), some_bytes(b""))))  # which cannot be made
    with pytest.raises(Refused):
        judge(file(name("os", "system")))


FLIPS = """
import random, sys
from pathlib import Path
import numpy as np
from onnxpress.estimators.stored import Damaged, OtherVersion, Refused, loads
data, rng, tally = Path(sys.argv[1]).read_bytes(), random.Random(11), {}
rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
for _ in range(int(sys.argv[2])):
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    try:
        loads(bytes(changed)).predict(rows)
        kind = "answers"
    except (Damaged, OtherVersion, Refused) as error:
        kind = type(error).__name__
    tally[kind] = tally.get(kind, 0) + 1
print(tally)
"""


def test_two_hundred_flips_of_a_forest_end_in_an_answer_or_a_clause(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_iris(return_X_y=True)
    joblib.dump(RandomForestClassifier(10, random_state=0).fit(x, y), tmp_path / "a.joblib")
    command = [sys.executable, "-c", FLIPS, str(tmp_path / "a.joblib"), "200"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Damaged" in ran.stdout
