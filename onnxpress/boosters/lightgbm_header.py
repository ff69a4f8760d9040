"""The lines before the trees of a LightGBM text file."""

from __future__ import annotations

from dataclasses import dataclass

from onnxpress.boosters.model import Unreadable, Unsupported

VERSIONS = ("v3", "v4")

KEYS = frozenset(
    [
        "version",
        "num_class",
        "num_tree_per_iteration",
        "label_index",
        "max_feature_idx",
        "objective",
        "feature_names",
        "feature_infos",
        "tree_sizes",
        "monotone_constraints",
    ]
)


@dataclass(frozen=True)
class Header:
    """What holds for all trees."""

    names: tuple[str, ...]
    """Of the features."""
    infos: tuple[str, ...]
    """Of each feature: ``[least:most]`` of numbers, ``2:0:1`` of categories, ``none`` if unused."""
    objective: tuple[str, ...]
    """Words; none if the objective was the user's own."""
    classes: int
    per_iteration: int
    """Trees an iteration, one for each output."""
    averages: bool
    """A random forest."""
    sizes: tuple[int, ...] | None
    """Bytes of each tree, if the file has them."""


def read_header(text: str) -> Header:
    """Read the lines before the first tree.

    Raises:
        Unreadable: they are not LightGBM's.
        Unsupported: another version has written them.
    """
    first, _, rest = text.lstrip().partition("\n")
    if first.strip() != "tree":
        raise Unreadable("is no LightGBM file: it should begin with the line `tree`")
    lines, averages = {}, False
    for line in filter(None, rest.split("\n")):
        key, equals, value = line.partition("=")
        averages = averages or line == "average_output"
        if equals and key in KEYS and key not in lines:
            lines[key] = value
        elif line != "average_output":
            raise Unsupported(f"has the line `{line[:40]}`, which LightGBM 4 does not write")
    if (version := lines.get("version")) not in VERSIONS:
        raise Unsupported(f"is of LightGBM's format {version}; {' and '.join(VERSIONS)} are read")
    names, infos = (
        tuple(lines.get(key, "").split(" ")) for key in ("feature_names", "feature_infos")
    )
    features = _whole(lines, "max_feature_idx") + 1
    if not len(names) == len(infos) == features:
        raise Unreadable(f"is damaged: expected {features} names and infos of features")
    classes, per_iteration = _whole(lines, "num_class"), _whole(lines, "num_tree_per_iteration")
    if classes < 1 or per_iteration != classes:
        raise Unsupported(f"has {per_iteration} trees an iteration for {classes} outputs")
    objective = tuple(lines.get("objective", "").split())
    sizes = None
    if "tree_sizes" in lines:
        sizes = tuple(int(one) for one in lines["tree_sizes"].split())
    return Header(names, infos, objective, classes, per_iteration, averages, sizes)


def _whole(lines: dict[str, str], key: str) -> int:
    value = lines.get(key, "")
    if not (value.isdecimal() and len(value) < 10):
        raise Unreadable(f"is damaged: expected a number in `{key}`, got {value[:40]!r}")
    return int(value)
