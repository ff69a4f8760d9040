"""Rows that DVC imports from S3, as docs/large_data.md says: a change makes prepare stale."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import yaml

from tests.conftest import ROOT, default_params, write_params
from tests.support import pages
from tests.support.servers import s3_server

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
