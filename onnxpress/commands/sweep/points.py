"""The sweep file: a grid or a list of values for keys of params.yaml, checked before any is run."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from onnxpress.commands.sweep.overrides import overrides, refuse_altered
from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import ENGINE, Params, parse_params
from onnxpress.pipeline.yaml_file import read_yaml
from onnxpress.text import shortened

FORM = (
    "`grid:` (keys of params.yaml, each with a list of values) "
    "or `list:` (points, each with keys and values)"
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Point:
    """One setting of params.yaml."""

    name: str
    """That of its experiment: equal names mean the same params, code and data."""

    values: Mapping[str, Any]
    """What the sweep file sets, by dotted key."""

    content: Mapping[str, Any]
    """The whole params file of this point."""

    def __str__(self) -> str:
        """The point as a user writes it."""
        return ", ".join(f"{key}={shown(value)}" for key, value in self.values.items())


@dataclass(frozen=True)
class Sweep:
    """Points that belong together, none of them twice."""

    name: str
    points: tuple[Point, ...]

    @property
    def keys(self) -> list[str]:
        """Every key that some point sets, in the order of the file."""
        return list(dict.fromkeys(key for point in self.points for key in point.values))


def read_sweep(path: Path, state: str) -> Sweep:
    """Read a sweep file and check each point as params.yaml is checked.

    Args:
        path: the file.
        state: what identifies the code and data that the points run on; part of their names.

    Raises:
        UserError: the file has another form, or a point is not valid; the first wrong key is named.
    """
    content = read_yaml(path, FORM)
    if len(content.keys() & {"grid", "list"}) != 1 or content.keys() - {"grid", "list", "name"}:
        came = shortened(", ".join(map(str, content)))
        raise UserError(f"{path} should hold {FORM}, and may hold `name:`; got {came}")
    name = content.get("name", path.stem)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        came = shortened(repr(name))
        raise UserError(f"{path}: name should be letters, digits, - and _, got {came}")
    points_of = _grid if "grid" in content else _list
    settings = list(points_of(path, content.get("grid", content.get("list"))))
    base = read_yaml(PARAMS, "the parameters")
    parse_params(base)
    points = [_point(path, f"{name}-", values, base, state) for values in settings]
    for point in points:
        refuse_altered(path, str(point), overrides(base, point.content), point.content)
    return Sweep(name, tuple({point.name: point for point in points}.values()))


def shown(value: Any) -> str:
    """Return a value as in YAML, in one line, cut where it is long."""
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _grid(path: Path, grid: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(grid, dict) or not grid:
        came = shortened(repr(grid))
        raise UserError(
            f"{path}: grid should be keys of params.yaml, each with a list of values, got {came}"
        )
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            example = f"{key}: [{shown(values)}]"
            raise UserError(
                f"{path}: {key} should have a list of the values to try, as in {example}"
            )
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _list(path: Path, points: Any) -> Iterator[dict[str, Any]]:
    is_list = isinstance(points, list) and points
    if not is_list or not all(isinstance(point, dict) and point for point in points):
        example, came = "`- {quantize.method: none}`", shortened(repr(points))
        raise UserError(f"{path}: list should hold points, as in {example}, got {came}")
    yield from points


def _point(
    path: Path, prefix: str, values: dict[str, Any], base: dict[str, Any], state: str
) -> Point:
    content = copy.deepcopy(base)
    for key, value in values.items():
        _set(path, content, str(key), value)
    parse_params(content, path)
    deciding = {name: section for name, section in content.items() if name != ENGINE}
    identity = json.dumps([state, deciding], sort_keys=True, default=str)
    digest = sha256(identity.encode()).hexdigest()
    return Point(f"{prefix}{digest[:8]}", values, content)


def _set(path: Path, content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; the check of params finds keys that are not in the schema."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        expected, came = "text, a number, true, false, null, or lists or keys of these", repr(value)
        raise UserError(f"{path}: {key} should be {expected}, got {shortened(came)}") from error
    if key in Params.model_fields and key != "seed":
        example = f"{key}.{next(iter(content[key]))}"
        raise UserError(f"{path}: {key} is a section; name its keys one by one, as in {example}")
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise UserError(f"{path}: unknown key {key!r}; {section} is not a section")
    content[last] = value
