"""What a repository of the first edition holds."""

from __future__ import annotations

import re

from tests.conftest import ROOT

LATER = (
    "  text: []",
    "  group: null",
    "  split: null",
    "  missing_values: []",
    "  decimal: ",
    "  thousands: null",
    "  text: {max",
    "  model_path: null",
    "  max_rows: ",
    "  max_seconds: 600 ",
    "  max_memory_mb: ",
    "  trust: ",
    "  budget: ",
    "  score: null",
    "  also: []",
    "  positive: null",
    "  max_score_diff: ",
    "  min_onnx_speedup: ",
    "  runtimes: ",
    "  register: ",
    "  promote: ",
)
"""How the lines begin that params.yaml did not have at first."""

PIPELINE = """\
stages:
  prepare:
    cmd: python -m stages.prepare
    deps: [stages/prepare, stages/common, data, requirements.lock]
    params: [seed, data]
    outs: [outputs/train.parquet, outputs/calibration.parquet, outputs/test.parquet]
"""
"""A part of its dvc.yaml."""

LOCK = """\
schema: '2.0'
stages:
  prepare:
    cmd: python -m stages.prepare
    deps:
    - path: stages/common
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 1
      nfiles: 1
    outs:
    - path: outputs/train.parquet
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
      size: 1
"""
"""A part of its dvc.lock."""


def first_params() -> str:
    """params.yaml as the first edition had it."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"max_drop: {score: ([^,]*), [^}]*}", r"max_accuracy_drop: \1", text)
    text = re.sub(r"(?ms)^package:.*?\n\n", "", text)
    text = re.sub(r"(?ms)\n^engine:.*", "", text)
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(LATER))
