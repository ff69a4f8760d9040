"""The parts of CatBoost's ``.cbm`` files.

A file is ``CBM1``, the size of the core and the core, a FlatBuffer; behind it lie the tables of
target statistics, each a size and a FlatBuffer. The fields are numbered as in the schema that
CatBoost publishes: ``catboost/libs/model/flatbuffers/`` (model, features, ctr_data).

The file is read here, and not exported to JSON by the library, because the process that judges it
and the one that converts it must not run the library on bytes that nobody has checked, and because
these are the bytes that the library predicts with.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from onnxpress.boosters.catboost_parts import (
    CatBoostFile,
    CategoryFeature,
    FloatFeature,
    OneHot,
    Projection,
    Statistic,
    StatisticKey,
    StatisticTable,
)
from onnxpress.boosters.flat_buffer import Table
from onnxpress.boosters.model import Unreadable, Unsupported

MAGIC = b"CBM1"
FORMAT = "FlabuffersModel_v1"
"""CatBoost's own spelling."""
STATISTICS = "static_provider_v1"
SIZE = struct.Struct("<I")
STEP = np.dtype([("left", "<u2"), ("right", "<u2")])
FLOAT_SPLIT = np.dtype([("feature", "<i4"), ("border", "<f4")])
ONE_HOT_SPLIT = np.dtype([("feature", "<i4"), ("value", "<i4")])
COMBINED = (np.dtype("<i4"), FLOAT_SPLIT, ONE_HOT_SPLIT)
BUCKET = np.dtype([("hash", "<u8"), ("row", "<u4")])
STATISTIC_KINDS = (
    "Borders",
    "Buckets",
    "BinarizedTargetMeanValue",
    "FloatTargetMeanValue",
    "Counter",
    "FeatureFreq",
)
MISSING_KINDS = ("AsIs", "AsFalse", "AsTrue")
INFO = ("params", "loss_function", "class_params", "binclass_probability_threshold")
"""Keys of the texts that are read."""
LONG = 2**24
MOST_ENTRIES = 2**10
MOST_FEATURES = 2**16
MOST_STATISTICS = 2**17
MOST_COMBINED = 2**6
"""Categories and splits of one target statistic, each."""


def read_file(data: bytes) -> CatBoostFile:
    """Read the bytes of a ``.cbm`` file.

    Raises:
        Unreadable: they are not such a file, or cut.
        Unsupported: the model reads texts or embeddings.
    """
    view = memoryview(data)
    if data[: len(MAGIC)] != MAGIC:
        raise Unreadable("is no CatBoost model: it should begin with CBM1")
    core, rest = _sized(view[len(MAGIC) :])
    root = Table.root(core)
    if root.text(0) != FORMAT:
        raise Unsupported(f"is of CatBoost's format {root.text(0)[:40]!r}; {FORMAT} is read")
    trees = root.table(1)
    if trees is None:
        raise Unreadable("is damaged: a CatBoost model without trees")
    for field, what in ((12, "texts"), (18, "embeddings"), (13, "texts or embeddings")):
        if trees.tables(field, MOST_FEATURES):
            raise Unsupported(f"reads {what}, which have no exact form here")
    parts = root.texts(3, MOST_ENTRIES)
    if parts not in ([], [STATISTICS]):
        raise Unsupported(f"holds {parts[-1][:40]!r}; only categories and numbers are read")
    if len(rest) and not parts:
        raise Unreadable(f"is damaged: {len(rest)} bytes follow the model")
    return _file(trees, _info(root), _tables(rest) if parts else {})


def _info(root: Table) -> dict[str, str]:
    """Return what is read of the texts that a model carries along."""
    found = {}
    for entry in root.tables(2, MOST_ENTRIES):
        key = entry.text(0)
        if key in INFO:
            found[key] = entry.text(1, LONG)
    return found


def _sized(view: memoryview) -> tuple[memoryview, memoryview]:
    """Split what a size and as many bytes begin."""
    if len(view) < SIZE.size:
        raise Unreadable("is cut: expected a size")
    (size,) = SIZE.unpack_from(view)
    view = view[SIZE.size :]
    if size > len(view):
        raise Unreadable(f"is cut: expected {size} more bytes, got {len(view)}")
    return view[:size], view[size:]


def _file(trees: Table, info: dict[str, str], tables: dict[Any, Any]) -> CatBoostFile:
    outputs = trees.number(0, "int32", 0)
    bias = trees.array(16, "<f8")
    if len(bias) == 0:
        bias = np.full(max(outputs, 0), trees.number(15, "float64", 0.0))
    if outputs < 1 or len(bias) != outputs:
        raise Unreadable(f"is damaged: {outputs} outputs with {len(bias)} biases")
    return CatBoostFile(
        outputs=outputs,
        splits=trees.array(1, "<i4"),
        sizes=trees.array(2, "<i4"),
        starts=trees.array(3, "<i4"),
        floats=tuple(_float(entry) for entry in trees.tables(5, MOST_FEATURES)),
        categories=tuple(_category(entry) for entry in trees.tables(4, MOST_FEATURES)),
        one_hots=tuple(
            OneHot(entry.number(0, "int32", -1), entry.array(1, "<i4"))
            for entry in trees.tables(6, MOST_FEATURES)
        ),
        statistics=tuple(_statistic(entry) for entry in trees.tables(7, MOST_STATISTICS)),
        leaf_values=trees.array(8, "<f8"),
        weights=len(trees.array(9, "<f8")),
        steps=trees.array(10, STEP),
        leaf_of_node=trees.array(11, "<u4"),
        scale=trees.number(14, "float64", 1.0),
        bias=bias,
        info=info,
        tables=tables,
    )


def _float(entry: Table) -> FloatFeature:
    kind = entry.number(5, "int8", 0)
    if not 0 <= kind < len(MISSING_KINDS):
        raise Unsupported(f"treats missing values in a way numbered {kind}, which is not known")
    has_missing = entry.number(0, "bool", False)
    return FloatFeature(
        index=entry.number(1, "int32", -1),
        column=entry.number(2, "int32", -1),
        name=entry.text(4),
        borders=entry.array(3, "<f4"),
        missing_right=has_missing and MISSING_KINDS[kind] == "AsTrue",
    )


def _category(entry: Table) -> CategoryFeature:
    return CategoryFeature(
        index=entry.number(0, "int32", -1),
        column=entry.number(1, "int32", -1),
        name=entry.text(2),
        used=entry.number(3, "bool", True),
    )


def _statistic(entry: Table) -> Statistic:
    made = entry.table(0)
    if made is None:
        raise Unreadable("is damaged: borders without a target statistic")
    return Statistic(
        key=_key(made.table(0)),
        target_border=made.number(1, "int32", 0),
        prior=np.float32(made.number(2, "float32", 0.0)),
        prior_weight=np.float32(made.number(3, "float32", 1.0)),
        shift=np.float32(made.number(4, "float32", 0.0)),
        scale=np.float32(made.number(5, "float32", 1.0)),
        borders=entry.array(1, "<f4"),
    )


def _key(base: Table | None) -> StatisticKey:
    combination = None if base is None else base.table(0)
    if base is None or combination is None:
        raise Unreadable("is damaged: a target statistic of nothing")
    kind = base.number(1, "int8", 0)
    if not 0 <= kind < len(STATISTIC_KINDS):
        raise Unsupported(f"has target statistics of kind {kind}, which is not known")
    parts = [combination.array(at, dtype) for at, dtype in enumerate(COMBINED)]
    if max(map(len, parts)) > MOST_COMBINED:
        raise Unsupported(f"combines more than {MOST_COMBINED} categories or splits")
    projection = Projection(*(tuple(part.tolist()) for part in parts))
    return StatisticKey(projection, STATISTIC_KINDS[kind], base.number(2, "int32", 0))


def _tables(view: memoryview) -> dict[StatisticKey, StatisticTable]:
    """Read the number of tables, and the tables."""
    if len(view) < SIZE.size:
        raise Unreadable("is cut: expected target statistics behind the trees")
    (count,) = SIZE.unpack_from(view)
    view, tables = view[SIZE.size :], {}
    for _ in range(count):
        part, view = _sized(view)
        root = Table.root(part)
        raw = root.array(1, np.uint8)
        if len(raw) % BUCKET.itemsize:
            raise Unreadable("is damaged: half a bucket in a table of target statistics")
        table = StatisticTable(
            buckets=raw.view(BUCKET),
            blob=root.array(2, np.uint8),
            denominator=root.number(3, "int32", 0),
            classes=root.number(4, "int32", 0),
        )
        tables[_key(root.table(0))] = table
    if len(view):
        raise Unreadable(f"is damaged: {len(view)} bytes follow the target statistics")
    return tables
