"""Run the deterministic part of the chain in two clones that have nothing in common, and compare: ``make reproduce``."""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stages.common.console import say
from stages.common.errors import UserError, run_stage
from stages.reproduce.clones import CPU_BASELINE, Clone, clone, head
from stages.reproduce.verdicts import Verdict, compare, outputs_in_order, promised

SURROUNDINGS = {
    "a": {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "MALLOC_PERTURB_": "0", "LOKY_MAX_CPU_COUNT": "1"},
    "deeper/with a space/b": {
        "PYTHONHASHSEED": "2",
        "TZ": "Asia/Seoul",
        "LC_ALL": "C.UTF-8",
        "MALLOC_PERTURB_": "165",
        "LOKY_MAX_CPU_COUNT": "2",
    },
}


class NotReproducible(UserError):
    """An output differs between the clones, or from dvc.lock."""

    exit_code = 5


def main() -> None:
    """HEAD in, a verdict per output on the console, exit code 5 if one is not as promised."""
    extra = CPU_BASELINE if sys.argv[1:] == ["--cpu", "baseline"] else {}
    if sys.argv[1:] and not extra:
        raise UserError(f"expected no argument or `--cpu baseline`, got {' '.join(sys.argv[1:])!r}")
    commit = head()
    with tempfile.TemporaryDirectory(prefix="reproduce-") as name:
        clones = [clone(Path(name) / place, {**values, **extra}) for place, values in SURROUNDINGS.items()]
        say(f"{commit[:12]}: two clones, each with its own cache, hash seed, time zone, locale and memory pattern")
        with ThreadPoolExecutor() as pool:
            list(pool.map(Clone.run, clones))
        promise = promised(clones[0].folder)
        verdicts = [compare(out, clones[0].folder, clones[1].folder, promise) for out in outputs_in_order(clones[0].folder)]
    for verdict in verdicts:
        say(str(verdict))
    if failure := complaint(verdicts):
        raise NotReproducible(failure)
    say(f"{len(verdicts)} of {len(verdicts)} outputs are reproducible")


def complaint(verdicts: list[Verdict]) -> str | None:
    """One line about the first stage that is not as promised, None if all is well."""
    wrong = [verdict for verdict in verdicts if not verdict.good]
    if not wrong:
        return None
    return f"{len(wrong)} of {len(verdicts)} outputs are not reproducible, first in stage {wrong[0].stage!r}: {wrong[0]}"


if __name__ == "__main__":
    run_stage("reproduce", main)
