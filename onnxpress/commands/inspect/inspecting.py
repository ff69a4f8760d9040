"""Print what a model file holds, without running anything of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.pipeline.console import answering, say
from onnxpress.reading import read_bytes

KINDS = (".onnx", ".joblib", ".pkl", ".skops")


def main(file: Path, *, trust: Sequence[str] = (), in_json: bool = False) -> None:
    """Print what ``file`` holds, a line per fact; ``trust`` are classes that it may hold.

    Raises:
        UserError: the file is not a model, or cannot be read.
    """
    with answering(in_json=in_json) as answer:
        found = described(file, trust)
        answer({"file": str(file), **found})
        for name, text in [] if in_json else lines(found):
            say(f"{name:14} {text}")


def described(file: Path, trust: Sequence[str] = ()) -> dict[str, Any]:
    """Return the facts about a model file by name.

    Raises:
        UserError: the file is not a model, or cannot be read.
    """
    if file.suffix not in KINDS:
        expected = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise UserError(f"FILE should be a {expected} file, got {str(file)!r}")
    data = read_bytes(file)
    if file.suffix == ".onnx":
        from onnxpress.commands.inspect.onnx_file import describe_onnx
        from onnxpress.given.exports.weights import with_weights

        return describe_onnx(with_weights(data, file), str(file))
    from onnxpress.commands.inspect.stored_file import describe_stored

    return describe_stored(data, file, trust)


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts as a person reads them, what is empty or unknown left out."""
    known = {name: value for name, value in found.items() if value not in (None, [], {}, "")}
    return [(name.replace("_", " "), SHOWN.get(name, str)(known[name])) for name in known]


def _bytes(count: int) -> str:
    return f"{count:,} ({count / 1024:,.1f} KB)"


def _values(values: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for value in values:
        shape = ", ".join("any" if size is None else str(size) for size in value["shape"])
        parts.append(f"{value['name']}: {value['type']} [{shape}]")
    return "; ".join(parts)


def _parts(sizes: Mapping[str, int]) -> str:
    return "; ".join(f"{name}: {size:,}" for name, size in sizes.items() if size)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _list(values: Sequence[Any]) -> str:
    more = f" and {len(values) - LONGEST_LIST} more" if len(values) > LONGEST_LIST else ""
    return ", ".join(map(str, values[:LONGEST_LIST])) + more


LONGEST_LIST = 20
SHOWN: dict[str, Callable[[Any], str]] = {
    "bytes": _bytes,
    "bytes_by_part": _parts,
    "classes": _list,
    "columns": _list,
    "inputs": _values,
    "loads": _yes,
    "operators": _counts,
    "opsets": _versions,
    "outputs": _values,
    "steps": _list,
    "trees": _counts,
    "wrong_in": _list,
}
"""How a fact is shown; what is not here is shown as it is."""
