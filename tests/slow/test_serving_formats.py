"""What we package, read by Triton's own schema and the typed models of KServe's and Grafana's SDKs.

All are in ``.venv-serve``, because KServe's asks for an older pandas than the main environment.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from onnxpress import compress, convert
from onnxpress.serving.kserve import Resources, inference_service
from onnxpress.serving.monitoring.dashboard import dashboard
from onnxpress.serving.monitoring.watched import Timing, Watched
from onnxpress.serving.triton import Batching, model_config
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-serve" / "bin" / "python"
"""The Python of the environment with all schemas (``make .venv-serve/installed``)."""
TYPES = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.INT64: "TYPE_INT64",
    onnx.TensorProto.STRING: "TYPE_STRING",
}
READ_CONFIG = """
import sys
from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig
config = text_format.Parse(sys.stdin.read(), ModelConfig())
print(json_format.MessageToJson(config, preserving_proto_field_name=True))
"""
READ_MANIFEST = """
import json, sys
from types import SimpleNamespace
from kubernetes import client
from kserve import V1beta1InferenceService
given = SimpleNamespace(data=sys.stdin.read())
api = client.ApiClient()
import kserve
for name in dir(kserve):
    if name.startswith("V1"):
        setattr(client.models, name, getattr(kserve, name))
typed = api.deserialize(given, "V1beta1InferenceService")
print(json.dumps(api.sanitize_for_serialization(typed)))
"""
READ_DASHBOARD = """
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
register_default_plugins()
print(JSONEncoder().encode(Dashboard.from_json(json.load(sys.stdin))))
"""


def read_by(script: str, text: str) -> Any:
    """What a script in ``.venv-serve`` makes of a text; it fails if the schema does not fit."""
    assert PYTHON.exists(), "run `make proofs`, or `make .venv-serve/installed` before pytest"
    done = subprocess.run(
        [PYTHON, "-c", script], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)


def mixed_table() -> pd.DataFrame:
    """Numbers and categories, under names that a text format has to escape."""
    values, choose = rows(), np.random.default_rng(1).choice
    return pd.DataFrame(
        {
            "body mass": values[:, 0],
            'the "isle"\n섬\\': choose(["Dream", "Biscoe"], 80).astype(object),
            "label": values[:, 1],
        }
    )


def labels() -> Any:
    return (rows()[:, 0] > 0).astype(int)


def words() -> Any:
    return np.array(["no", "yes"])[labels()]


def forest_of_columns() -> onnx.ModelProto:
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ['the "isle"\n섬\\']), remainder="passthrough"
    )
    table = mixed_table()
    pipeline = make_pipeline(encoded, RandomForestClassifier(5, random_state=0))
    return convert(pipeline.fit(table, words()), table)


def texts() -> onnx.ModelProto:
    table = pd.DataFrame({"review": np.array(["bad night", "good day"])[labels()].astype(object)})
    encoded = make_column_transformer((TfidfVectorizer(), "review"))
    return convert(make_pipeline(encoded, LogisticRegression()).fit(table, words()), table)


def quantised() -> onnx.ModelProto:
    forest = RandomForestClassifier(20, random_state=0).fit(rows(), labels())
    made = compress(forest, rows(), labels(), calibration=(rows(), labels()))
    model: onnx.ModelProto = onnx.load_from_string(made.model.SerializeToString())
    return model


MODELS = {
    "two classes": lambda: convert(RandomForestClassifier(5).fit(rows(), labels()), rows()),
    "three classes": lambda: convert(
        RandomForestClassifier(5).fit(rows(), np.arange(80) % 3), rows()
    ),
    "labels of text": lambda: convert(RandomForestClassifier(5).fit(rows(), words()), rows()),
    "decision scores": lambda: convert(LinearSVC().fit(rows(), labels()), rows()),
    "regressor": lambda: convert(RandomForestRegressor(5).fit(rows(), rows()[:, 0]), rows()),
    "numbers and categories": forest_of_columns,
    "free text": texts,
    "quantised": quantised,
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_triton_reads_the_configuration_as_the_graph_has_it(kind: str) -> None:
    model = MODELS[kind]()
    config = read_by(READ_CONFIG, model_config(model, "m", Batching(2, 512, 150)))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for field, values in (("input", model.graph.input), ("output", model.graph.output)):
        assert [(each["name"], each["data_type"], full_shape(each)) for each in config[field]] == [
            (
                value.name,
                TYPES[value.type.tensor_type.elem_type],
                [size.dim_value or -1 for size in value.type.tensor_type.shape.dim],
            )
            for value in values
        ]
    assert (config["name"], config["backend"], config["max_batch_size"]) == (
        "m",
        "onnxruntime",
        512,
    )
    assert config["instance_group"] == [{"kind": "KIND_CPU", "count": 2}]
    assert config["dynamic_batching"] == {"max_queue_delay_microseconds": "150"}
    assert warmed_up(session, config) == [value.name for value in model.graph.output]


def full_shape(tensor: dict[str, Any]) -> list[int]:
    """The shape that the backend compares with the graph's: that of a reshape, if there is one."""
    shape = tensor["reshape"].get("shape", []) if "reshape" in tensor else tensor["dims"]
    return [-1, *map(int, shape)]


def warmed_up(session: Any, config: dict[str, Any]) -> list[str]:
    """The outputs of the model for the warm-up: zeros, and empty strings."""
    (sample,) = config["model_warmup"]
    feeds = {}
    for name, value in sample["inputs"].items():
        shape = [1, *map(int, value["dims"])]
        text = value["data_type"] == "TYPE_STRING"
        feeds[name] = np.full(shape, "", object) if text else np.zeros(shape, np.float32)
        assert value["zero_data"]
    assert all(len(values) == 1 for values in session.run(None, feeds))
    return [output.name for output in session.get_outputs()]


@pytest.mark.parametrize("canary", [None, 10])
def test_kserve_reads_the_manifest_and_leaves_nothing_out(canary: int | None) -> None:
    resources = Resources("500m", "1Gi")
    manifest = inference_service("iris", "s3://bucket/models/d1", "25.12", resources, canary)
    read = read_by(READ_MANIFEST, json.dumps(manifest))
    assert read["spec"]["predictor"]["model"].pop("name") == ""  # that of the container
    assert read == manifest


def test_kserve_would_leave_out_a_key_that_it_does_not_know() -> None:
    manifest = inference_service("iris", "s3://bucket/models/d1", "25.12", Resources())
    manifest["spec"]["predictor"]["model"]["storageURI"] = "s3://elsewhere"
    read = read_by(READ_MANIFEST, json.dumps(manifest))
    assert "storageURI" not in read["spec"]["predictor"]["model"]


def test_triton_refuses_a_key_that_it_does_not_know() -> None:
    with pytest.raises(AssertionError, match="no field named"):
        read_by(READ_CONFIG, 'name: "m" max_batchsize: 3')


def a_dashboard() -> dict[str, Any]:
    made: dict[str, Any] = dashboard(Watched("iris", 100, on_kserve=True, drift=True), Timing())
    return made


def test_grafana_reads_the_dashboard_and_leaves_nothing_out() -> None:
    assert read_by(READ_DASHBOARD, json.dumps(a_dashboard())) == a_dashboard()


def test_grafana_would_leave_out_a_key_that_it_does_not_know() -> None:
    made = a_dashboard()
    made["panels"][0]["options"]["legend"]["showLegends"] = False
    made["panels"][0]["targets"][0]["expression"] = "up"
    assert read_by(READ_DASHBOARD, json.dumps(made)) == a_dashboard()
