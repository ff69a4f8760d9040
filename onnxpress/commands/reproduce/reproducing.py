"""Run the deterministic part of the chain in two clones that share nothing, and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from onnxpress.commands.reproduce.clones import (
    CPU_BASELINE,
    LAST_DETERMINISTIC_STAGE,
    clone,
    head,
    run_chain,
)
from onnxpress.commands.reproduce.declarations import WATCH, undeclared
from onnxpress.commands.reproduce.verdicts import (
    Output,
    Verdict,
    compare,
    outputs_in_order,
    promised,
)
from onnxpress.errors import UserError
from onnxpress.pipeline.console import answering, say

SURROUNDINGS = {
    "a": {
        "PYTHONHASHSEED": "1",
        "TZ": "UTC",
        "LC_ALL": "C",
        "MALLOC_PERTURB_": "0",
        "LOKY_MAX_CPU_COUNT": "1",
        "OMP_NUM_THREADS": "1",
    },
    "deeper/with a space/b": {
        "PYTHONHASHSEED": "2",
        "TZ": "Asia/Seoul",
        "LC_ALL": "C.UTF-8",
        "MALLOC_PERTURB_": "165",
        "LOKY_MAX_CPU_COUNT": "2",
        "OMP_NUM_THREADS": "2",
    },
}


class NotReproducible(UserError):
    """An output differs between the clones, or from dvc.lock."""

    exit_code = 5


def main(
    *, cpu: str | None = None, until: str = LAST_DETERMINISTIC_STAGE, in_json: bool = False
) -> None:
    """Run HEAD in two clones and print a verdict per output.

    ``cpu="baseline"`` takes the kernels that every CPU has; ``until`` is the last stage to check.

    Raises:
        NotReproducible: an output is not as promised.
        UserError: the chain cannot be run in a clone.
    """
    with answering(in_json=in_json) as answer:
        commit = head()
        outputs, verdicts = examined(commit, CPU_BASELINE if cpu else {}, until)
        failure = complaint(verdicts)
        answer(
            {
                "commit": commit,
                "reproducible": not failure,
                "verdicts": [asdict(verdict) for verdict in verdicts],
            }
        )
        for verdict in verdicts:
            say(str(verdict))
        if failure:
            raise NotReproducible(failure)
        say(
            f"{outputs} of {outputs} outputs are reproducible, "
            "and dvc.yaml declares all that their stages read"
        )


def examined(commit: str, extra: Mapping[str, str], last_stage: str) -> tuple[int, list[Verdict]]:
    """Return how many outputs were compared, and all verdicts in the order of the chain."""
    with tempfile.TemporaryDirectory(prefix="reproduce-") as name:
        notes = Path(name) / "notes"
        notes.mkdir()
        watched = {"PYTHONPATH": str(WATCH), "REPRODUCE_NOTES": str(notes)}
        clones = [
            clone(Path(name) / place, {**values, **extra, **watched})
            for place, values in SURROUNDINGS.items()
        ]
        say(
            f"{commit[:12]}: two clones, each with its own cache, hash seed, time zone, locale, "
            "threads and memory pattern"
        )
        run_chain(clones, last_stage)
        one, other = (clone.folder for clone in clones)
        outputs, promise = outputs_in_order(one, last_stage), promised(one)
        compared = [compare(output, one, other, promise) for output in outputs]
        return len(outputs), in_order_of_stages(undeclared(one, notes) + compared, outputs)


def in_order_of_stages(verdicts: list[Verdict], outputs: list[Output]) -> list[Verdict]:
    """Sort the verdicts by stage, so that the first bad one is the cause of the others."""
    order = [output.stage for output in outputs]
    return sorted(verdicts, key=lambda verdict: order.index(verdict.stage))


def complaint(verdicts: list[Verdict]) -> str | None:
    """Return one line about the first stage that is not as promised, None if all are."""
    wrong = [verdict for verdict in verdicts if not verdict.good]
    if not wrong:
        return None
    counted = f"{len(wrong)} findings against reproducibility"
    return f"{counted}, first in stage {wrong[0].stage!r}: {wrong[0]}"
