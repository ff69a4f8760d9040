"""A sample of the cases under valgrind's memcheck: ``python -m bench.fuzz.memcheck --cases 300``.

It looks for reads and writes outside of memory. Values that were never set are left out: numpy,
OpenBLAS and the interpreter are full of them. Python's own allocator is switched off, so that every
object is a block of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from random import Random

from bench.fuzz.cases import DOCUMENTED, STORED, predicted
from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.pipeline.console import say
from onnxpress.pipeline.running import run_stage

KINDS = ("numbers", "changed", "damaged", "skops", "made", "shuffled")
LOG = "valgrind.txt"
SHOWN_LINES = 100
SUPPRESSIONS = Path(__file__).with_name("valgrind.supp")


def main() -> None:
    """Cases in, exit code 2 if one of them reads or writes outside of its memory."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz.memcheck", description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--read",
        type=Path,
        help="a folder of cases: read them here and now, which valgrind watches",
    )
    asked = parser.parse_args()
    if asked.read:
        say(str(dict(read(asked.read))))
        return
    if shutil.which("valgrind") is None:
        raise UserError(
            "valgrind is not installed; install it with the package manager of your system"
        )
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), asked.cases, asked.seed)
        watch(Path(folder))


def make(folder: Path, cases: int, seed: int) -> None:
    """Write the cases as files."""
    for number in range(cases):
        kind = KINDS[number % len(KINDS)]
        case = STORED[kind][1](Random(f"{seed} {kind} {number}"))
        (folder / f"{number}.{case.kind}").write_bytes(case.data)


def read(folder: Path) -> Counter[str]:
    """Load, dump and load again, and predict."""
    ends: Counter[str] = Counter()
    for path in sorted(folder.glob("*.*")):
        if path.name == LOG:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loaded = stored.loads(
                    path.read_bytes(), kind="skops" if path.suffix == ".skops" else "pickle"
                )
            except tuple(DOCUMENTED) as error:
                ends[DOCUMENTED[type(error)]] += 1
                continue
            ends["loaded"] += 1
            stored.loads(stored.dump(loaded))
            predicted(loaded)
    return ends


def watch(folder: Path) -> None:
    """Run :func:`read` under valgrind.

    Raises:
        UserError: something read or wrote outside of its memory; valgrind's report is shown.
    """
    log = folder / LOG
    command = [
        "valgrind",
        "--undef-value-errors=no",
        "--leak-check=no",
        f"--log-file={log}",
        "--error-exitcode=9",
    ]
    command.append(f"--suppressions={SUPPRESSIONS}")
    command += [sys.executable, "-m", "bench.fuzz.memcheck", "--read", str(folder)]
    environment = {
        **os.environ,
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(command, env=environment, check=False)
    report = log.read_text(errors="replace")
    say(report[report.rfind("ERROR SUMMARY") :].strip())
    if done.returncode:
        for line in report.splitlines()[:SHOWN_LINES]:
            say(line)
        raise UserError(
            "memory was read or written where there is none: "
            f"exit code {done.returncode} under valgrind, see above"
        )


if __name__ == "__main__":
    run_stage("memcheck", main)
