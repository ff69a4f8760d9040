"""How far rows have drifted from a profile: an index and a verdict per feature and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.drift.counting import (
    LENGTH,
    NUMBER,
    TEXT,
    Counts,
    bins_of,
    chance,
    counted,
    level_of,
    psi,
)
from onnxpress.drift.profiling import Profile
from onnxpress.drift.window import UNUSED, predicted_column
from onnxpress.tables.rows import Feeds

FORM = 1


class Verdict(StrEnum):
    """What an index means."""

    DRIFTED = "drifted"
    """Above the limit, and above what chance gives."""
    CHANCE = "too few rows"
    """Above the limit, but as many rows without drift can be that far apart."""
    STABLE = "stable"
    UNUSED = "unused"
    """The model does not use the column."""


@dataclass(frozen=True)
class Shift:
    """One feature or output: how its rows lie in the bins of the profile, and did."""

    name: str
    output: bool
    psi: float
    chance: float
    """What as many rows without drift stay below, up to the profile's level."""
    verdict: Verdict
    most: str
    """The bin whose share has changed most."""
    before: float
    """Its share in the profile."""
    now: float
    missing: float
    """Share of missing values now."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "verdict": str(self.verdict)}


def counts_of(profile: Profile, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> list[Counts]:
    """Count rows in the bins of each entry of ``profile``, features first: (bins,) each.

    ``outputs`` are what :func:`onnxpress.drift.profiling.predicted` returns. The counts of several
    pieces of a table can be added.
    """
    columns = [
        (entry, feeds[entry["input"]][:, entry["position"]]) for entry in profile["features"]
    ]
    results = [(entry, predicted_column(entry, outputs)) for entry in profile["predictions"]]
    return [counted(entry, values) for entry, values in [*columns, *results]]


def shifts(profile: Profile, counts: Sequence[Counts], limit: float | None = None) -> list[Shift]:
    """Return the shift of each entry of ``profile``, features first.

    ``counts`` are those of :func:`counts_of`; ``limit`` is the profile's unless given.
    """
    limit, level = profile["limit"] if limit is None else limit, level_of(profile)
    entries, features = [*profile["features"], *profile["predictions"]], len(profile["features"])
    return [
        _shift(entry, now, limit, level, output=at >= features)
        for at, (entry, now) in enumerate(zip(entries, counts, strict=True))
    ]


def _shift(entry: Profile, now: Counts, limit: float, level: float, *, output: bool) -> Shift:
    before = np.array(entry["counts"])
    index, luck = psi(before, now), chance(before, now, level)
    if entry["rule"] == UNUSED:
        index, verdict = 0.0, Verdict.UNUSED
    elif index <= limit:
        verdict = Verdict.STABLE
    else:
        verdict = Verdict.DRIFTED if index > luck else Verdict.CHANCE
    p, q = before / max(1, before.sum()), now / max(1, now.sum())
    most = int(np.argmax(np.abs(q - p)))
    share = (float(p[most]), float(q[most]), float(q[-1]))
    return Shift(entry["name"], output, index, luck, verdict, bin_name(entry, most), *share)


def bin_name(entry: Profile, at: int) -> str:
    """Return a bin in words: ``1.5 to 2``, ``Biscoe``, ``missing``."""
    if at == len(entry["counts"]) - 1:
        return "missing"
    if entry["kind"] == TEXT:
        if at == len(entry["groups"]):
            return "unseen"
        group = entry["groups"][at]
        return str(group[0]) if len(group) == 1 else f"{len(group)} other known texts"
    unit = " characters" if entry["kind"] == LENGTH else ""
    return f"{_cell_name([f'{cut:g}' for cut in entry['cuts']], at)}{unit}"


def _cell_name(cuts: list[str], at: int) -> str:
    if not cuts:
        return "any"
    if at == 0:
        return f"up to {cuts[0]}"
    return f"above {cuts[-1]}" if at == len(cuts) else f"{cuts[at - 1]} to {cuts[at]}"


def checked_profile(content: Any) -> Profile:
    """Return a profile that is what :func:`onnxpress.drift.profiling.drift_profile` makes.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(content, dict) or content.get("form") != FORM:
        came = content.get("form") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"expected a drift profile of form {FORM}, got {came!r}")
    try:
        entries = [*content["features"], *content["predictions"]]
        wrong = [entry["name"] for entry in entries if not _fits(entry)]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a drift profile ({error!r})") from error
    if wrong:
        raise ValueError(f"the bins of {wrong[0]!r} and their counts do not fit")
    return content


def _fits(entry: Profile) -> bool:
    kinds = (NUMBER, LENGTH, TEXT)
    return entry["kind"] in kinds and len(entry["counts"]) == bins_of(entry)
