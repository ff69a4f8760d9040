"""The folder that is handed to an operator."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_folder
from onnxpress.serving.kserve import Resources
from onnxpress.serving.packaging import Deployment, packaged
from onnxpress.serving.triton import Batching
from onnxpress.serving.triton_releases import ONNXRUNTIMES, releases_for, spans
from onnxpress.tables.schema import Column, Schema
from tests.support.served_graphs import FOREST, MIXED

NUMBERS = Schema("classification", "y", tuple(Column(f"c|{n}", "number", False) for n in range(4)))
COLUMNS = Schema(
    "classification",
    "y",
    (Column("length", "number", True), Column('the "isle"\n', "category", False)),
)
HERE = Deployment("iris", Batching(), Resources(), None)
THERE = replace(HERE, storage_uri="s3://bucket/models", canary_percent=10)
MODEL = FOREST.SerializeToString()
PROFILE = {"form": 1, "features": [{"name": "제주"}], "predictions": []}


def test_the_repository_has_the_model_byte_for_byte_under_its_name() -> None:
    files = packaged(MODEL, NUMBERS, PROFILE, HERE, "1.3", [])
    assert files["repository/iris/1/model.onnx"] == MODEL
    assert sorted(files) == [
        "README.md",
        "digest.json",
        "drift_profile.json",
        "monitoring/dashboard.json",
        "monitoring/prometheus.yml",
        "monitoring/rules.yml",
        "repository/iris/1/model.onnx",
        "repository/iris/config.pbtxt",
    ]


def test_the_same_model_gives_the_same_bytes() -> None:
    assert packaged(MODEL, NUMBERS, PROFILE, THERE, "1.3", []) == packaged(
        MODEL, NUMBERS, PROFILE, THERE, "1.3", []
    )


def test_the_digest_is_what_standard_tools_compute(tmp_path: Path) -> None:
    files = packaged(MODEL, NUMBERS, PROFILE, HERE, "1.3", [])
    write_folder(tmp_path / "serving", files)
    digest = json.loads(files["digest.json"])["content_digest"]
    page = files["README.md"].decode()
    (command,) = [line for line in page.splitlines() if "sha256sum" in line]
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path / "serving/repository",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[0] == digest
    assert digest in page


@pytest.mark.parametrize(
    "other",
    [replace(HERE, name="wine"), replace(HERE, batching=Batching(max_batch_size=32))],
)
def test_another_configuration_has_another_digest(other: Deployment) -> None:
    ours, theirs = (packaged(MODEL, NUMBERS, PROFILE, each, "1.3", []) for each in (HERE, other))
    assert ours["digest.json"] != theirs["digest.json"]


def test_what_is_outside_of_the_repository_does_not_change_its_digest() -> None:
    ours, theirs = (packaged(MODEL, NUMBERS, PROFILE, each, "1.3", []) for each in (HERE, THERE))
    assert ours["digest.json"] == theirs["digest.json"]


def test_the_profile_has_a_line_per_entry() -> None:
    data = packaged(MODEL, NUMBERS, PROFILE, HERE, "1.3", [])["drift_profile.json"]
    assert json.loads(data) == PROFILE
    assert '{"name": "제주"}' in data.decode().splitlines()


def test_the_manifest_names_the_digest_and_a_release_that_runs_the_model() -> None:
    files = packaged(MODEL, NUMBERS, PROFILE, THERE, "1.21", ["1.27.0"])
    digest = json.loads(files["digest.json"])["content_digest"]
    assert yaml.safe_load(files["kserve.yaml"]) == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {
            "predictor": {
                "canaryTrafficPercent": 10,
                "model": {
                    "args": ["--metrics-config=summary_latencies=true"],
                    "modelFormat": {"name": "onnx", "version": "1"},
                    "protocolVersion": "v2",
                    "resources": {
                        "limits": {"cpu": "1", "memory": "512Mi"},
                        "requests": {"cpu": "1", "memory": "512Mi"},
                    },
                    "runtime": "kserve-tritonserver",
                    "runtimeVersion": "26.06-py3",
                    "storageUri": f"s3://bucket/models/{digest}",
                },
            }
        },
    }


def test_a_manifest_without_a_release_that_runs_the_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"no release of Triton up to .* has onnxruntime 1\.99"):
        packaged(MODEL, NUMBERS, PROFILE, THERE, "1.99", [])
    page = packaged(MODEL, NUMBERS, PROFILE, HERE, "1.99", [])["README.md"].decode()
    assert "No release that is listed below runs this model." in page


def test_the_page_has_a_request_that_a_shell_passes_on_as_it_is() -> None:
    page = packaged(MIXED.SerializeToString(), COLUMNS, PROFILE, HERE, "1.3", [])[
        "README.md"
    ].decode()
    command = page[page.index("curl ") : page.rindex("```", 0, page.index("## Is it"))]
    done = subprocess.run(
        ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}; {command}"],
        capture_output=True,
        text=True,
        check=True,
    )
    *_, body = done.stdout.rstrip("\0").split("\0")
    assert [tensor["name"] for tensor in json.loads(body)["inputs"]] == ["length", 'the "isle"\n']


def test_the_page_lists_columns_in_the_order_of_the_matrix() -> None:
    page = packaged(MODEL, NUMBERS, PROFILE, HERE, "1.3", [])["README.md"].decode()
    assert "in this order: `c\\|0`, `c\\|1`, `c\\|2`, `c\\|3`." in page


def test_releases_of_triton_are_those_whose_onnxruntime_is_new_enough_and_right() -> None:
    assert releases_for("1.21", [])[0] == "25.03"
    assert releases_for("1.21", ["1.21.0", "1.22.0"])[0] == "25.08"
    assert releases_for("1.9", []) == list(ONNXRUNTIMES)
    assert releases_for("unknown", ["1.27.0"]) == ["26.06"]
    assert releases_for("1.99", []) == []


def test_releases_are_told_in_spans() -> None:
    assert spans(["23.05", "23.06", "23.07", "24.12", "26.06", "26.07"]) == (
        "23.05 to 23.07, 24.12, 26.06 to 26.07"
    )
