"""Signs that a file is not in canonical form, which two runs can hide from each other by chance.

They are looked for in the files, independently of the code that writes them: that code is being
checked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnxpress.commands.reproduce.differences import parts_of


def departure_from_canonical(path: Path) -> str:
    """Return what is not canonical in a file, or in a file of a folder, in words.

    Empty if nothing is, or if there are no rules for its format.
    """
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if departure := departure_from_canonical(file):
                return f"{file.name}: {departure}"
        return ""
    find = {".json": _json, ".onnx": _onnx, ".joblib": _joblib}.get(path.suffix)
    return find(path) if find else ""


def _json(path: Path) -> str:
    """Keys are in sorted order on every level."""
    unsorted: list[str] = []

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if keys != sorted(keys):
            unsorted.append(f"the keys {', '.join(keys[:5])} are not sorted")
        return dict(pairs)

    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=check)
    return unsorted[0] if unsorted else ""


def _onnx(path: Path) -> str:
    """Domains and metadata are sorted, each once; nothing says where or when the file was made."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    domains = [opset.domain for opset in model.opset_import]
    if domains != sorted(set(domains)):
        return f"field model.opset_import: the domains {domains} are not sorted, or not unique"
    keys = [entry.key for entry in model.metadata_props]
    if keys != sorted(set(keys)):
        return f"field model.metadata_props: the keys {keys} are not sorted, or not unique"
    for field in ("producer_name", "producer_version", "doc_string"):
        if value := getattr(model, field):
            return f"field model.{field}: {value!r}"
    return ""


def _joblib(path: Path) -> str:
    """No part of the estimator keeps a number of threads."""
    from onnxpress.estimators.loading import load_original
    from onnxpress.pipeline.params import load_params

    return _thread_count(load_original(path, load_params().train.trusted), "", set())


def _thread_count(value: Any, name: str, seen: set[int]) -> str:
    if id(value) in seen:
        return ""
    seen.add(id(value))
    parts = parts_of(value)
    if parts.get(".n_jobs") is not None:
        place = f"{name}.n_jobs".removeprefix(".")
        return f"attribute {place}: {parts['.n_jobs']!r}, a number of threads"
    for key, part in parts.items():
        if found := _thread_count(part, name + key, seen):
            return found
    return ""
