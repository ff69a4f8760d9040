"""The bars that forest quantisation has to clear, and how high it got.

All values are ratios within one run, as medians over the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from bench.costs import BATCHES
from bench.data import BOOSTING, FORESTS
from bench.peers import PEERS
from bench.suite import MEASURED_SPLIT, Record
from bench.table import NAMES, Group, Row, scored, smaller
from onnxpress.tables.sources import BUNDLED

EQUAL_POINTS = 0.5
"""A peer within so many points of the refined score, or below, has to be beaten."""

LARGE_KB = 10 * 1024
"""Size of model.onnx from which a regression forest is large."""


@dataclass(frozen=True)
class Bar:
    """A limit and what was reached; ``value`` is None where the run holds nothing to judge by."""

    name: str
    value: float | None
    limit: float
    at_least: bool
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the value is on the right side of the limit."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def to_json(self) -> Row:
        """The bar with its verdict."""
        return asdict(self) | {"passed": self.passed}


def bars(found: list[Group]) -> list[Bar]:
    """Every bar, judged on the groups of records in ``found``."""
    forests = [group for group in found if group[0]["estimator"] in FORESTS]
    boosting = [group for group in found if group[0]["estimator"] in BOOSTING]
    digits = [group for group in forests if group[0]["data"] == "digits"]
    return [
        *_lossless(forests, boosting, found),
        *_refined(forests, digits, boosting),
        *_peers(found),
        *_everywhere(found),
    ]


def _lossless(forests: list[Group], boosting: list[Group], found: list[Group]) -> Iterator[Bar]:
    kinds: dict[str, tuple[float, Callable[[Record], bool]]] = {
        "multi-class": (9, lambda record: record["classes"] > 2),
        "binary": (6, lambda record: record["classes"] == 2),
        "regression": (6, lambda record: record["classes"] == 0),
    }
    for kind, (limit, belongs) in kinds.items():
        of_kind = [group for group in forests if belongs(group[0])]
        yield _median(
            f"lossless, forests, {kind}: x smaller",
            [smaller(group, "lossless") for group in of_kind],
            limit,
        )
    yield _median(
        "lossless, boosting: x smaller", [smaller(group, "lossless") for group in boosting], 4.5
    )
    sizes = {
        _name(group): min(record["kb"]["onnx"] / record["kb"]["lossless"] for record in group)
        for group in found
    }
    yield _worst("lossless, never larger: least x smaller", sizes, 1, at_least=True)
    probes = {_name(group): min(record["probe_agreement"] for record in group) for group in found}
    yield _worst("lossless, share of probe rows that agree", probes, 1, at_least=True)
    for size in BATCHES:  # the lower end of the speed-up is the upper end of the time
        time = {
            _name(group): 1 / latency(group, size)["lossless_speedup"][1]
            for group in found
            if measured(group)
        }
        yield _worst(
            f"lossless, batch {size}: time over the ONNX model's, upper end of its 95 % interval",
            time,
            1.05,
            at_least=False,
        )
    load = [measured(group)["load"] for group in found if measured(group)]
    yield _median(
        "lossless: load time over the ONNX model's", _load_ratios(load), 1 / 3, at_least=False
    )


def _load_ratios(load: list[Row]) -> list[float]:
    return [costs["lossless"]["load_ms"] / costs["onnx"]["load_ms"] for costs in load]


def _refined(forests: list[Group], digits: list[Group], boosting: list[Group]) -> Iterator[Bar]:
    yield from _refined_family("forests", forests, 200, 15)
    lost = {_name(group): _lost(group) for group in forests}
    yield _median("refined, forests: points lost", list(lost.values()), 0.0, at_least=False)
    yield _worst("refined, forests: most points lost", lost, 1.5, at_least=False)
    yield from _refined_family("forests on digits", digits, 35, 6)
    yield from _refined_family("boosting", boosting, 6, 1.5)
    lost = {_name(group): _lost(group) for group in boosting}
    yield _median("refined, boosting: points lost", list(lost.values()), 0.5, at_least=False)
    yield from _large_regression(forests)
    yield _share_within_budget(forests + boosting)


def _refined_family(family: str, found: list[Group], size: float, speed: float) -> Iterator[Bar]:
    yield _median(
        f"refined, {family}: x smaller", [smaller(group, "refined") for group in found], size
    )
    speeds = [
        float(np.median([record["refined_speedup_1024"] for record in group])) for group in found
    ]
    yield _median(f"refined, {family}: x faster at batch 1024", speeds, speed)


def _large_regression(forests: list[Group]) -> Iterator[Bar]:
    large = [
        group
        for group in forests
        if not group[0]["classes"]
        and np.median([record["kb"]["onnx"] for record in group]) >= LARGE_KB
    ]
    name = f"refined, regression forests of {LARGE_KB // 1024} MB and more"
    yield _median(f"{name}: x smaller", [smaller(group, "refined") for group in large], 1000)
    yield _worst(
        f"{name}: most points lost",
        {_name(group): _lost(group) for group in large},
        0.05,
        at_least=False,
    )


def _share_within_budget(found: list[Group]) -> Bar:
    records = [record for group in found for record in group]
    within = sum(record["candidate"] != "lossless" for record in records)
    name = f"share of models with a refined forest within the budget (of {len(records)})"
    return Bar(name, within / len(records) if records else None, 0.92, at_least=True)


def _peers(found: list[Group]) -> Iterator[Bar]:
    """At batch 1024, against each peer that scores no better than the refined model.

    A peer may be up to ``EQUAL_POINTS`` better and still count as equal.
    """
    for peer in ("joblib", *PEERS):
        speeds = {}
        for group in (group for group in found if measured(group)):
            against = latency(group, 1024)["refined_speedup"].get(peer)
            if against and _lost(group) - _peer_lost(group, peer) <= EQUAL_POINTS:
                speeds[_name(group)] = against[0]
        count = f"{len(speeds)} of {len(found)} models"
        name = f"refined, batch 1024, equal score: least x faster than {NAMES[peer]} ({count})"
        yield _worst(name, speeds, 1, at_least=True)


def _everywhere(found: list[Group]) -> Iterator[Bar]:
    small = [group for group in found if group[0]["data"] in BUNDLED and measured(group)]
    floors = {
        "refined": {
            _name(group): 1 / latency(group, 1)["refined_speedup"]["floor"][0] for group in small
        },
        "refined in one node": {
            _name(group): latency(group, 1)["one_node_over_floor"] for group in small
        },
    }
    for form, floor in floors.items():
        name = f"{form}, batch 1, small data sets: time over the Identity floor's"
        yield _median(name, list(floor.values()), 1.3, at_least=False)
        yield _worst("the same, the slowest model", floor, 1.3, at_least=False)
    changed = {
        _name(group): min(record["kb"]["onnx"] / record["kb"]["refined"] for record in group)
        for group in found
    }
    yield _worst("every model quantised: least x smaller", changed, 1 + 1e-9, at_least=True)


def _lost(group: Group) -> float:
    return float(scored([record["score"]["refined"] for record in group], group)["lost"])


def _peer_lost(group: Group, peer: str) -> float:
    if peer == "joblib":
        return 0.0
    present = [record for record in group if "score" in record["peers"].get(peer, {})]
    return float(scored([record["peers"][peer]["score"] for record in present], present)["lost"])


def measured(group: Group) -> Record:
    """The record with latency and load time; empty where it is missing."""
    return next((record for record in group if record["split"] == MEASURED_SPLIT), {})


def latency(group: Group, size: int) -> Row:
    """The latencies of a group at a batch size."""
    found: Row = measured(group)["latency"][str(size)]
    return found


def _name(group: Group) -> str:
    return f"{group[0]['data']} {group[0]['estimator']}"


def _median(name: str, values: list[float], limit: float, *, at_least: bool = True) -> Bar:
    return Bar(
        f"{name} (median of {len(values)})",
        float(np.median(values)) if values else None,
        limit,
        at_least,
    )


def _worst(name: str, values: dict[str, float], limit: float, *, at_least: bool) -> Bar:
    if not values:
        return Bar(name, None, limit, at_least)
    where = (min if at_least else max)(values, key=lambda group: values[group])
    missed = sum(value < limit if at_least else value > limit for value in values.values())
    return Bar(
        name,
        values[where],
        limit,
        at_least,
        f"{where}" + (f"; {missed} of {len(values)} miss it" if missed else ""),
    )


def markdown(judged: list[Bar]) -> str:
    """The bars as a Markdown table."""
    lines = ["| bar | asked | reached | | where |", "|---|---:|---:|---|---|"]
    words = {True: "passed", False: "**missed**", None: "not measured"}
    for bar in judged:
        reached = (
            ""
            if bar.value is None
            else f"{bar.value:.3g}"
            if bar.value < 1000
            else f"{bar.value:,.0f}"
        )
        limit = f"{'≥' if bar.at_least else '≤'} {bar.limit:.3g}"
        cells = bar.name, limit, reached, words[bar.passed], bar.note
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
