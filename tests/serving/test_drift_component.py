"""The drift component among the packaged files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from onnxpress.drift.profiling import LIMIT
from onnxpress.serving.drift_component import TRACES, moved, trace_options
from onnxpress.serving.kserve import Resources
from onnxpress.serving.monitoring import drift
from onnxpress.serving.packaging import Deployment, packaged
from onnxpress.serving.triton import Batching
from onnxpress.serving.triton_releases import ONNXRUNTIMES, spans
from onnxpress.tables.schema import Column, Schema
from tests.support.served_graphs import FOREST

MODEL = FOREST.SerializeToString()
NUMBERS = Schema("classification", "y", tuple(Column(name, "number", False) for name in "abcd"))
PROFILE = {"form": 1, "features": [], "predictions": []}
HERE = Deployment("iris", Batching(), Resources(), None, drift_every=50)
THERE = replace(HERE, storage_uri="s3://bucket/models")
FILES = packaged(MODEL, NUMBERS, PROFILE, THERE, "1.3", [])
WITHOUT = packaged(MODEL, NUMBERS, PROFILE, replace(THERE, drift_every=None), "1.3", [])


def test_the_model_itself_is_served_as_without_the_component() -> None:
    same = [path for path in WITHOUT if path.startswith("repository/")]
    assert [FILES[path] for path in same] == [WITHOUT[path] for path in same]
    more = {path.split("/")[1] for path in set(FILES) - set(WITHOUT)}
    assert more == {"iris-drift"}


def test_the_component_has_the_profile_that_is_packaged() -> None:
    assert FILES["repository/iris-drift/1/drift_profile.json"] == FILES["drift_profile.json"]


def test_a_profile_that_changes_changes_the_digest() -> None:
    other = packaged(MODEL, NUMBERS, {**PROFILE, "limit": 0.3}, THERE, "1.3", [])
    assert other["digest.json"] != FILES["digest.json"]


def test_the_manifest_and_the_page_start_the_server_with_traces() -> None:
    args = yaml.safe_load(FILES["kserve.yaml"])["spec"]["predictor"]["model"]["args"]
    assert args[1:] == trace_options(50)
    page = FILES["README.md"].decode()
    assert all(f"  {option}" in page for option in args)
    assert "`repository/iris-drift/`" in page
    assert "trace" not in WITHOUT["README.md"].decode()


def test_no_release_is_named_that_dies_of_its_own_traces() -> None:
    newer = [each for each in ONNXRUNTIMES if each >= "25.04"]
    found = FILES["README.md"].decode(), WITHOUT["README.md"].decode()
    assert [f": {spans(newer)}\n" in page for page in found] == [True, False]


def test_the_alert_compares_with_the_limit_and_with_chance() -> None:
    _, group = yaml.safe_load(FILES["monitoring/rules.yml"])["groups"]
    (alert,) = group["rules"]
    labels = '{job="triton-iris",model="iris"}'
    assert alert["expr"] == (
        f"onnxpress_drift_psi{labels} > 0.2 and "
        f"onnxpress_drift_psi{labels} > onnxpress_drift_psi_chance{labels}"
    )
    assert drift.LIMIT == LIMIT
    assert len(yaml.safe_load(WITHOUT["monitoring/rules.yml"])["groups"]) == 1


def test_the_dashboard_has_two_panels_more() -> None:
    ours, theirs = (json.loads(each["monitoring/dashboard.json"]) for each in (FILES, WITHOUT))
    assert ours["panels"][:-2] == theirs["panels"]
    assert [panel["title"] for panel in ours["panels"][-2:]] == ["Drift", "Rows counted for drift"]


def test_a_copy_reads_other_files() -> None:
    config = FILES["repository/iris-drift/config.pbtxt"].decode()
    copy, every = moved(config, "/here/t")
    assert every == 50
    assert copy == config.replace(TRACES, "/here/t")
    with pytest.raises(ValueError, match="does not name its trace files"):
        moved(config.replace("every", "never"), "/here/t")
