"""params.yaml of a run: the repository's own with the changes that the pipeline was given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.sweep.points import read_sweep
from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.yaml_file import read_yaml

SETTINGS = Path("settings.yaml")
"""Only there while its content is checked; messages call it so."""
FORM = "keys of params.yaml with their values, as in {train.estimator: SVC, quantize.level: auto}"


def write_settings(settings: str, given: Mapping[str, Any]) -> None:
    """Change params.yaml by the YAML text ``settings``, and by the values ``given``.

    Both have the form of a point of a sweep, dotted keys with their values, and are checked like
    one.

    Raises:
        UserError: a key is not one of params.yaml, a value does not fit it, or ``settings`` sets a
            key that is given.
    """
    try:
        wanted = _read(settings) if settings.strip() else {}
        if twice := sorted(wanted.keys() & given.keys()):
            raise UserError(
                f"{SETTINGS}: {twice[0]} comes from the step's other arguments; leave it out"
            )
        point = {**wanted, **given}
        SETTINGS.write_text(yaml.safe_dump({"list": [point]}), encoding="utf-8")
        content = read_sweep(SETTINGS, state="").points[0].content
    finally:
        SETTINGS.unlink(missing_ok=True)
    write_bytes(PARAMS, yaml.safe_dump(dict(content), sort_keys=False).encode())


def _read(settings: str) -> dict[str, Any]:
    SETTINGS.write_text(settings, encoding="utf-8")
    return read_yaml(SETTINGS, FORM)
