"""`onnxpress score` as a user runs it, and killed at random points: what is there in the end."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnxpress.pipeline.files import TEMPORARY, write_bytes, write_json
from tests.conftest import ROOT
from tests.support import pages
from tests.support.drift_models import model
from tests.support.project import Project
from tests.support.servers import surroundings

KILLS = 20
FILES, ROWS = 12, 60_000
MADE = model("texts/RandomForestClassifier")


def store_rows(folder: Path) -> None:
    """CSV and Parquet files in two folders, each of its own number of rows."""
    generator = np.random.default_rng(0)
    for number in range(FILES):
        taken = generator.integers(len(MADE.frame), size=ROWS + number)
        frame = MADE.frame.drop(columns="target").iloc[taken].replace({"": None})
        path = folder / f"part={number % 2}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = frame.assign(key=np.arange(len(frame)) * FILES + number)
        if number % 3:
            frame.to_parquet(path.with_suffix(".parquet"), index=False)
        else:
            frame.to_csv(path.with_suffix(".csv"), index=False)


def start(output: str) -> subprocess.Popen[bytes]:
    words = ["score", "outputs/model_quantized.onnx", "rows", "--output", output, "--keep", "key"]
    return subprocess.Popen(
        [sys.executable, "-m", "onnxpress", *words], env=surroundings(PYTHONPATH=str(ROOT))
    )


def below(output: str) -> list[Path]:
    """All files and folders; those that vanish meanwhile are left out."""
    return [
        Path(folder, name) for folder, *names in os.walk(output) for name in itertools.chain(*names)
    ]


def finished(output: str) -> dict[str, bytes]:
    """The files of predictions that a reader of the folder sees."""
    found = [path for path in below(output) if path.suffix == ".parquet"]
    seen = [path for path in found if TEMPORARY not in str(path)]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in seen}


def is_at_work(process: int, files: int) -> bool:
    """Whether a process writes a file, after so many whole ones."""
    writing = any(path.name.startswith(f"{TEMPORARY}{process}-") for path in below("killed"))
    return writing and len(finished("killed")) >= files


def test_killed_runs_leave_the_bytes_of_one_run_and_each_row_once(workspace: Path) -> None:
    write_bytes(Path("outputs/model_quantized.onnx"), MADE.onnx)
    write_json(Path("outputs/schema.json"), MADE.schema.to_json())
    store_rows(workspace / "rows")
    assert start("whole").wait() == 0
    whole = finished("whole")
    assert len(whole) == FILES

    generator, hits = np.random.default_rng(0), 0
    for number in range(KILLS):
        wanted = len(finished("killed")) + number % 2  # half of them after another whole file
        running = start("killed")
        while running.poll() is None and not is_at_work(running.pid, wanted):
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.1))
        running.kill()
        hits += running.wait() != 0
        assert finished("killed").items() <= whole.items()
    assert hits > KILLS / 2
    assert len(finished("killed")) > 2
    assert start("killed").wait() == 0
    assert finished("killed") == whole
    assert not [*Path("killed").rglob(f"{TEMPORARY}*")]
    tables = [pd.read_parquet(path) for path in Path("killed").rglob("*.parquet")]
    keys = pd.concat(tables)["key"].astype(int)  # of CSV files, a kept column is text
    expected = [range(number, FILES * (ROWS + number), FILES) for number in range(FILES)]
    assert sorted(keys) == sorted(key for keys in expected for key in keys)


@pytest.mark.parametrize("block", pages.shell_blocks([ROOT / "docs" / "scoring.md"]))
def test_the_command_of_the_page_scores_every_row(block: str, workspace: Path) -> None:
    write_bytes(Path("outputs/model_quantized.onnx"), MADE.onnx)
    write_json(Path("outputs/schema.json"), MADE.schema.to_json())
    MADE.frame.to_parquet("outputs/test.parquet")
    command = 'onnxpress() { python -m onnxpress "$@"; }'
    done = Project(workspace).run("bash", "-euc", f"{command}\n{block}", PYTHONPATH=str(ROOT))
    assert f"{len(MADE.frame)} rows of 1 file in" in done.stdout
    assert len(pd.read_parquet("scored/test.parquet")) == len(MADE.frame)
