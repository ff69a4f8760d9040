"""The stage package: files in, one folder out, and nothing if a gate has failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.tables.parquet_file import parquet_bytes
from stages.package import main
from tests.conftest import default_params, write_params
from tests.support.drift_models import model

MODEL = model("texts/RandomForestClassifier")


@pytest.fixture
def made(workspace: Path) -> Path:
    """A workspace with what the stages before have written."""
    outputs = workspace / "outputs"

    write_bytes(outputs / "model_quantized.onnx", MODEL.onnx)
    write_json(outputs / "schema.json", MODEL.schema.to_json())
    write_bytes(outputs / "train.parquet", parquet_bytes(MODEL.frame))
    write_bytes(outputs / "calibration.parquet", parquet_bytes(MODEL.frame[:100]))
    write_json(
        outputs / "quantization.json", {"min_onnxruntime": "1.21", "bad_onnxruntime": ["1.27.0"]}
    )
    write_json(
        outputs / "gate.json", {"max_size_ratio": {"limit": 1, "passed": True, "value": 0.5}}
    )
    return workspace


def served(folder: Path) -> dict[str, bytes]:
    place = folder / "outputs/serving"
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def test_two_runs_write_the_same_bytes(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    first = served(made)
    main()
    assert served(made) == first
    assert first["repository/model/1/model.onnx"] == MODEL.onnx
    assert "25.03 to 26.06" in first["README.md"].decode()
    assert "no package.storage_uri, so no manifest for KServe" in capsys.readouterr().out


def test_the_profile_counts_training_rows_and_predictions_for_calibration_rows(made: Path) -> None:
    main()
    profile = json.loads(served(made)["drift_profile.json"])
    features = {entry["name"]: entry for entry in profile["features"]}
    assert list(features) == [column.name for column in MODEL.schema.columns]
    assert {sum(entry["counts"]) for entry in features.values()} == {len(MODEL.frame)}
    assert {sum(entry["counts"]) for entry in profile["predictions"]} == {100}
    island = features["island"]
    texts = MODEL.frame["island"].value_counts()
    assert island["groups"] == [["Biscoe"], ["Torgersen"], ["제주"]]
    assert island["counts"] == [*(texts[text] for [text] in island["groups"]), 0, texts[""]]


def test_a_place_in_params_gives_a_manifest_and_taking_it_out_removes_it(made: Path) -> None:
    write_params(made, default_params(package__storage_uri="s3://bucket/models"))
    main()
    files = served(made)
    digest = json.loads(files["digest.json"])["content_digest"]
    assert f"storageUri: s3://bucket/models/{digest}\n" in files["kserve.yaml"].decode()
    write_params(made, default_params())
    main()
    assert "kserve.yaml" not in served(made)


def test_a_broken_gate_packages_nothing(made: Path) -> None:
    write_json(
        made / "outputs/gate.json", {"max_size_ratio": {"limit": 1, "passed": False, "value": 2}}
    )
    with pytest.raises(GateFailed, match="max_size_ratio; nothing was packaged"):
        main()
    assert served(made) == {}


def test_a_file_of_an_earlier_edition_is_named(made: Path) -> None:
    write_json(made / "outputs/quantization.json", {"min_onnxruntime": "1.21"})
    with pytest.raises(UserError, match=r"quantization\.json lacks 'bad_onnxruntime'"):
        main()
