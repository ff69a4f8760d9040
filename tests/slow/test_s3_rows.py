"""Rows in S3: what DVC imports makes prepare stale when it changes, and a killed score goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml

from tests.conftest import ROOT, default_params, write_params
from tests.support import pages
from tests.support.scored import CLASSIFIER, contents, put, raw
from tests.support.servers import s3_server, surroundings

(IMPORT, UPDATE) = next(
    block.splitlines()
    for block in pages.other_blocks(pages.PAGES)
    if block.startswith("dvc import-url")
)


def test_an_update_brings_a_changed_object_and_makes_prepare_stale(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    stage = pipeline["stages"]["prepare"] | {"deps": ["data"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"prepare": stage}}))
    write_params(folder, default_params(data__source="data/rows", data__target="y"))
    frame = pd.DataFrame({"a": range(200), "y": ["u", "v"] * 100})
    with s3_server(tmp_path) as s3:
        client = s3.client()
        client.create_bucket(Bucket="bucket")
        body = frame.to_parquet()
        client.put_object(Bucket="bucket", Key="rows/a.parquet", Body=body)
        variables = {
            **os.environ,
            **s3.variables(),
            "PYTHONPATH": str(ROOT),
            "DVC_SITE_CACHE_DIR": str(tmp_path / "site-cache"),
        }

        def run(command: str) -> str:
            return subprocess.run(
                command.split(),
                cwd=folder,
                env=variables,
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        for command in ("git init -q", "dvc init -q", IMPORT, "dvc repro -q prepare"):
            run(command)
        run(UPDATE)
        assert json.loads(run("dvc status --json")) == {}
        before = (folder / "outputs/train.parquet").read_bytes()
        moved = frame.assign(a=frame["a"] + 1000)
        client.put_object(Bucket="bucket", Key="rows/a.parquet", Body=moved.to_parquet())
        run(UPDATE)
        assert "prepare" in json.loads(run("dvc status --json"))
        run("dvc repro -q prepare")
    assert (folder / "outputs/train.parquet").read_bytes() != before
    assert pd.read_parquet(folder / "outputs/train.parquet")["a"].min() >= 1000


def test_a_killed_score_fetches_what_is_left(workspace: Path) -> None:
    put(CLASSIFIER)
    with s3_server(workspace) as s3:
        client, frame = s3.client(), raw(times=100)
        for number in range(6):
            part = frame[number::6].to_parquet()
            client.put_object(Bucket=s3.bucket, Key=f"rows/{number}.parquet", Body=part)
        table, environment = f"s3://{s3.bucket}/rows", {**s3.variables(), "PYTHONPATH": str(ROOT)}

        def start(output: str) -> subprocess.Popen[str]:
            words = ["score", "outputs/model_quantized.onnx", table, "--output", output]
            return subprocess.Popen(
                [sys.executable, "-m", "onnxpress", *words, "--keep", "key"],
                env=surroundings(**environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        said = start("whole").communicate()[0]
        running = start("killed")
        while running.poll() is None and not [*Path("killed").glob("*.parquet")]:
            time.sleep(0.002)
        running.kill()
        said += running.communicate()[0]
        assert running.returncode
        before = [*Path("killed").glob("*.parquet")]
        again = start("killed").communicate()[0]
    assert 0 < len(before) < 6
    assert f"{len(before)} of 6 files were scored before" in again
    assert contents(Path("killed")) == contents(Path("whole"))
    assert len(contents(Path("whole"))) == 6
    assert not [*Path("outputs").glob(".unfinished*")]
    assert s3.secret_key not in said + again
