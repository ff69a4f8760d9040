"""The cluster of deploy/cluster.yaml: its form by the schemas, and its commands run over TLS."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from distributed import Client
from distributed.security import Security

from onnxpress.pipeline.files import write_bytes, write_json
from tests.conftest import ROOT
from tests.support.drift_models import model
from tests.support.servers import free_port, surroundings

ENVIRONMENT = ROOT / ".venv-kubeflow"
"""Of the operator's schema and Kubernetes' (``make .venv-kubeflow/installed``)."""
CRD = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds/daskcluster.yaml"
TYPED = """
import json, sys
from types import SimpleNamespace
from kubernetes import client
kind, text = sys.argv[1], sys.stdin.read()
api = client.ApiClient()
print(json.dumps(api.sanitize_for_serialization(api.deserialize(SimpleNamespace(data=text), kind))))
"""
CLUSTER, *POLICIES = yaml.safe_load_all((ROOT / "deploy" / "cluster.yaml").read_text())
SCHEDULER = CLUSTER["spec"]["scheduler"]["spec"]
WORKER = CLUSTER["spec"]["worker"]["spec"]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
MADE = model("texts/RandomForestClassifier")


def strict(schema: Any) -> Any:
    """A schema that refuses the fields that Kubernetes would drop in silence."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def operators_schema() -> Any:
    (path,) = ENVIRONMENT.glob(f"lib/python3*/site-packages/{CRD}")
    (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    root: dict[str, Any] = {name: {} for name in ("apiVersion", "kind", "metadata")}
    return strict({**schema, "properties": {**schema["properties"], **root}})


def test_the_operators_schema_takes_the_cluster_and_no_misspelt_field() -> None:
    schema = operators_schema()
    jsonschema.validate(CLUSTER, schema)
    misspelt = json.loads(json.dumps(CLUSTER).replace("readOnlyRootFilesystem", "readOnlyRoot"))
    with pytest.raises(jsonschema.ValidationError, match="readOnlyRoot"):
        jsonschema.validate(misspelt, schema)


@pytest.mark.parametrize(
    ("kind", "content"),
    [("V1NetworkPolicy", policy) for policy in POLICIES]
    + [("V1PodSpec", SCHEDULER), ("V1PodSpec", WORKER)]
    + [("V1ServiceSpec", CLUSTER["spec"]["scheduler"]["service"])],
)
def test_kubernetes_own_types_keep_every_field(kind: str, content: Any) -> None:
    python = ENVIRONMENT / "bin" / "python"
    done = subprocess.run(
        [python, "-c", TYPED, kind],
        input=json.dumps(content),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == content


@pytest.mark.parametrize("pod", [SCHEDULER, WORKER])
def test_pods_have_no_rights(pod: Any) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_the_policies_choose_every_pod_and_let_in_pods_of_the_namespace_alone() -> None:
    chosen = {
        policy["spec"]["podSelector"]["matchLabels"]["dask.org/component"] for policy in POLICIES
    }
    assert chosen == {"scheduler", "worker"}
    for policy in POLICIES:
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in policy["spec"]["ingress"]:
            assert all(set(peer) == {"podSelector"} for peer in rule["from"])
            assert rule["ports"]


def make_certificates(folder: Path) -> None:
    (block,) = re.findall(r"```sh\n(mkdir certificates.*?)```", PAGE, re.DOTALL)
    subprocess.run(["bash", "-euc", block], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's commands make."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    made = folder / "certificates"
    (made / "tls.crt").write_bytes((made / "cluster.crt").read_bytes())
    (made / "tls.key").write_bytes((made / "cluster.key").read_bytes())
    return made


@contextmanager
def running(pod: Any, certificates: Path, ports: dict[str, str], name: str) -> Iterator[None]:
    """Run the command of a pod on loopback, at other ports."""
    (container,) = pod["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]} | {
        "DASK_WORKER_NAME": name,
        "PYTHONPATH": str(ROOT),
    }
    filled = {key: replaced(value, ports, certificates) for key, value in variables.items()}
    words = [*container["command"][1:], *container["args"]]
    words = [
        replaced(word, ports, certificates).replace("$(DASK_WORKER_NAME)", name) for word in words
    ]
    command = [sys.executable, "-m", "dask", *words, "--host=127.0.0.1"]
    process = subprocess.Popen(command, env=surroundings(**filled), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def replaced(text: str, ports: dict[str, str], certificates: Path) -> str:
    """A text of the manifest as it is on this machine."""
    for port, free in ports.items():
        text = text.replace(port, free)
    return (
        text.replace("onnxpress-scheduler", "127.0.0.1")
        .replace("/certificates", str(certificates))
        .replace("=/tmp", f"={certificates}")
    )


@pytest.fixture(scope="module")
def address(certificates: Path) -> Iterator[str]:
    """A scheduler and a worker with the commands and the environment of the manifest."""
    ports = {port: str(free_port()) for port in ("8786", "8788", "8789")}
    with ExitStack() as stack:
        for pod, name in ((SCHEDULER, ""), (WORKER, "first")):
            stack.enter_context(running(pod, certificates, ports, name))
        yield f"tls://127.0.0.1:{ports['8786']}"


def score(address: str, **variables: str) -> subprocess.CompletedProcess[str]:
    write_bytes(Path("outputs/model_quantized.onnx"), MADE.onnx)
    write_json(Path("outputs/schema.json"), MADE.schema.to_json())
    MADE.frame.to_parquet("rows.parquet")
    words = ["score", "outputs/model_quantized.onnx", "rows.parquet", "--output", "scored"]
    return subprocess.run(
        [sys.executable, "-m", "onnxpress", *words, "--scheduler", address],
        env=surroundings(PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def settings(certificates: Path) -> dict[str, str]:
    """The variables of the page."""
    (block,) = re.findall(r"```text\n(DASK_DISTRIBUTED.*?)```", PAGE, re.DOTALL)
    lines = block.replace("/home/me/certificates", str(certificates)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_client_with_a_certificate_is_served(
    workspace: Path, address: str, certificates: Path
) -> None:
    done = score(address, **settings(certificates))
    assert done.returncode == 0, done.stderr
    assert f"{len(MADE.frame)} rows of 1 file" in done.stdout
    assert (workspace / "scored" / "rows.parquet").is_file()


def test_a_client_without_a_certificate_of_the_authority_is_refused_in_a_line(
    workspace: Path, address: str, certificates: Path
) -> None:
    others = certificates.parent / "others"
    others.mkdir()
    make_certificates(others)
    own = settings(certificates)
    authority = {name: value for name, value in own.items() if "CLIENT" not in name}
    stranger = settings(others / "certificates")
    trusting = stranger | {name: value for name, value in own.items() if "CA_FILE" in name}
    lost = {name: f"{value}.gone" if "KEY" in name else value for name, value in own.items()}
    here = [score(address, **each) for each in ({}, authority, lost)]
    there = [score(address, **each) for each in (stranger, trusting)]
    there.append(score(address.replace("tls", "tcp")))
    assert [done.returncode for done in here] == [2, 2, 2]
    assert [done.returncode for done in there] == [4, 4, 4]
    for done in (*here, *there):
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "engine.scheduler" in done.stderr
    assert not [*(workspace / "scored").rglob("*.parquet")]


def test_glibc_of_a_worker_keeps_freed_memory(address: str, certificates: Path) -> None:
    client: Any = Client  # these have no types
    security: Any = Security
    files = {"ca_file": "ca.crt", "client_cert": "client.crt", "client_key": "client.key"}
    paths = {f"tls_{key}": str(certificates / name) for key, name in files.items()}
    environment_of = Path("/proc/self/environ").read_bytes  # as it was when the process started
    with client(address, security=security(**paths), set_as_default=False) as connected:
        connected.wait_for_workers(1)
        (environment,) = connected.run(environment_of).values()
    variables = dict(each.split(b"=", 1) for each in environment.split(b"\0") if each)
    loader = next(Path("/").glob("lib*/ld-linux-*.so.*"))
    tunables = subprocess.check_output([loader, "--list-tunables"], env=variables, text=True)
    assert "glibc.malloc.trim_threshold: 0x80000000 " in tunables
