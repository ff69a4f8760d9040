"""CatBoost's target statistics: what a category, or a combination, is worth as a number.

A statistic is looked up by the hash of what its projection sees: the numbers of categories, then
answers of splits. What is not in the table has the statistic of no rows at all. All arithmetic is
in float32, as CatBoost's ``TStaticCtrProvider`` and ``TModelCtr::Calc`` have it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.catboost_parts import Statistic, StatisticTable
from onnxpress.boosters.model import Unreadable

MULTIPLIER = np.uint64(0x4906BA494954CB65)
NONE = np.uint64(2**64 - 1)
MEANS = np.dtype([("sum", "<f4"), ("count", "<i4")])

Array = NDArray[Any]


def hash_with(hashes: Array, values: Array) -> Array:
    """Add values (rows,) int64, read as uint64, to hashes (rows,) uint64."""
    with np.errstate(over="ignore"):
        added: Array = MULTIPLIER * (hashes + MULTIPLIER * values.astype(np.int64).view(np.uint64))
    return added


def known_hashes(table: StatisticTable) -> Array:
    """Return the hashes in a table, ascending.

    Raises:
        Unreadable: a search by CatBoost would not find each of them, once.
    """
    return _known(table)[0]


def _known(table: StatisticTable) -> tuple[Array, Array]:
    """Return the hashes in a table, ascending, and their rows in its blob.

    CatBoost starts at the bucket ``hash % buckets`` and goes on, around the end, to the hash or to
    an empty bucket. So no bucket between may be empty:

        bucket   0   1   2   3     hash 6 starts at bucket 2 and is found in bucket 0
        hash     6   -   2   3
    """
    buckets = table.buckets
    size = len(buckets)
    if size == 0 or size & (size - 1):
        raise Unreadable("is damaged: a table of target statistics of an odd size")
    full = buckets["hash"] != NONE
    if full.all():
        raise Unreadable("is damaged: a table of target statistics without an empty bucket")
    at = np.flatnonzero(full)
    hashes, rows = buckets["hash"][at], buckets["row"][at]
    start = (hashes & np.uint64(size - 1)).astype(np.int64)
    filled = np.concatenate([[0], np.cumsum(np.concatenate([full, full]))])
    end = np.where(at < start, at + size, at)
    order = np.argsort(hashes, kind="stable")
    hashes, rows = hashes[order], rows[order]
    reached = filled[end] - filled[start] == end - start
    if not reached.all() or (hashes[1:] == hashes[:-1]).any():
        raise Unreadable("is damaged: target statistics that CatBoost would not find")
    return hashes, rows


def statistic_values(
    statistic: Statistic, table: StatisticTable, hashes: Array, valid: Array
) -> Array:
    """Return the statistic of each hash, (hashes,) float32.

    ``valid`` (hashes,): whether the hash may be looked up; what is not in the table has 0 counts.

    Raises:
        Unreadable: the table is not whole.
    """
    known, rows = _known(table)
    good, total = _counts(statistic, table)
    if len(rows) and int(rows.max()) >= len(good):
        raise Unreadable("is damaged: target statistics behind the end of their table")
    place = np.searchsorted(known, hashes)
    place[place == len(known)] = 0
    found = valid & (known[place] == hashes) if len(known) else np.zeros(len(hashes), bool)
    row = rows[place] if len(known) else np.zeros(len(hashes), np.int64)
    nothing = np.float32(table.denominator if _is_counter(statistic) else 0)
    if len(good) == 0:
        good, total = np.zeros(1, np.float32), np.zeros(1, np.float32)
    good = np.where(found, good[np.where(found, row, 0)], np.float32(0))
    total = np.where(found, total[np.where(found, row, 0)], nothing)
    with np.errstate(all="ignore"):
        share = (good + statistic.prior) / (total + statistic.prior_weight)
        values: Array = (share + statistic.shift) * statistic.scale
    return values


def _is_counter(statistic: Statistic) -> bool:
    return statistic.key.kind in ("Counter", "FeatureFreq")


def _counts(statistic: Statistic, table: StatisticTable) -> tuple[Array, Array]:
    """Return for each row of a table what counts for the statistic, and of how many, float32."""
    kind, border = statistic.key.kind, statistic.target_border
    if kind in ("BinarizedTargetMeanValue", "FloatTargetMeanValue"):
        means = _as(table, MEANS)
        return means["sum"].copy(), means["count"].astype(np.float32)
    counts = _as(table, np.dtype("<i4"))
    if _is_counter(statistic):
        whole = np.full(len(counts), table.denominator, np.float32)
        return counts.astype(np.float32), whole
    classes = table.classes
    if classes < 2 or len(counts) % classes or not 0 <= border < classes - (kind == "Borders"):
        raise Unreadable("is damaged: target statistics of other classes than the target's")
    counts = counts.reshape(-1, classes).astype(np.int64)
    good = counts[:, border] if kind == "Buckets" else counts[:, border + 1 :].sum(axis=1)
    if kind == "Borders" and classes == 2:
        good = counts[:, 1]
    return good.astype(np.float32), counts.sum(axis=1).astype(np.float32)


def _as(table: StatisticTable, dtype: np.dtype[Any]) -> Array:
    if len(table.blob) % dtype.itemsize:
        raise Unreadable("is damaged: half a count among target statistics")
    return np.frombuffer(table.blob.tobytes(), dtype)
