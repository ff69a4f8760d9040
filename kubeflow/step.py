"""The process of a step: its arguments, its programs, its errors and exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from onnxpress.pipeline.external import with_own_programs
from onnxpress.pipeline.running import run_stage

KEPT = "run the step again"


def run_step(name: str, main: Callable[..., None], kept: str = KEPT) -> None:
    """Call ``main`` with the JSON object that is the first argument, and leave with its exit code.

    dvc and python are those of the chain's environment, whichever are first on the pod's PATH.
    ``kept`` says what an interrupt leaves.
    """
    os.environ.update(with_own_programs())
    arguments = json.loads(sys.argv[1])
    run_stage(name, lambda: main(**arguments), kept, enforce_end=False)
