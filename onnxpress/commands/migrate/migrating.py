"""Bring a repository of the first edition up to date, and name what is left to the user.

A second run changes nothing. Every file is replaced whole.
"""

from __future__ import annotations

from collections.abc import Callable

from onnxpress.commands.migrate.found import Found
from onnxpress.commands.migrate.models import look_at_code, look_at_models
from onnxpress.commands.migrate.params_file import migrate_params
from onnxpress.commands.migrate.pipeline_files import migrate_pipeline
from onnxpress.commands.migrate.registry import look_at_champion
from onnxpress.pipeline.console import answering, say

STEPS: tuple[Callable[[], Found], ...] = (
    migrate_params,
    migrate_pipeline,
    look_at_models,
    look_at_code,
    look_at_champion,
)


def main(*, in_json: bool = False) -> None:
    """Run every step and print a line for each change, and for each thing that is left.

    Raises:
        UserError: there is no params.yaml here, or it cannot be read or written.
    """
    total = Found()
    with answering(in_json=in_json) as answer:
        for step in STEPS:
            found = step()
            for line in found.changed:
                say(f"changed: {line}")
            for line in found.left:
                say(f"left to you: {line}")
            total.changed += found.changed
            total.left += found.left
        answer({"changed": total.changed, "left": total.left})
        if not total.changed and not total.left:
            say("nothing to migrate")
