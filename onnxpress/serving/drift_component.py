"""The drift component of a model repository: its folder, and how a server is told to feed it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from onnxpress import drift

SUFFIX = "-drift"
"""What the component's name has more than the model's."""
TRACES = "/tmp/onnxpress-drift"  # noqa: S108 - in the server's container, which has it for itself
"""How the names of the files begin that Triton writes and the component reads."""
PROFILE = "drift_profile.json"
SAFE_FROM = "25.04"
"""The first release of Triton whose traces do not end the server: before, it unlocked a mutex that
it had freed (https://github.com/triton-inference-server/server/pull/8144)."""
SOURCES = Path(drift.__file__).parent
TRAVELLING = ("counting", "traces", "window")
"""Modules that the component imports."""


def component_files(name: str, profile: bytes, every: int) -> dict[str, bytes]:
    """Return the files of the component by path, such as ``iris-drift/1/model.py`` for iris."""
    folder = f"{name}{SUFFIX}"
    files = {
        f"{folder}/config.pbtxt": _config(name, every).encode(),
        f"{folder}/1/model.py": (SOURCES / "exporter.py").read_bytes(),
        f"{folder}/1/{PROFILE}": profile,
    }
    for package in ("onnxpress", "onnxpress/drift"):
        files[f"{folder}/1/{package}/__init__.py"] = b""
    for module in TRAVELLING:
        file = f"{module}.py"
        files[f"{folder}/1/onnxpress/drift/{file}"] = (SOURCES / file).read_bytes()
    return files


def trace_options(every: int, traces: str = TRACES) -> list[str]:
    """Return the options that have Triton write one request in ``every``, a file each."""
    return [
        f"--trace-config=triton,file={traces}",
        "--trace-config=triton,log-frequency=1",
        f"--trace-config=rate={every}",
        "--trace-config=level=TENSORS",
    ]


def trace_parameters(every: int, traces: str = TRACES) -> str:
    """Return the part of a model's configuration that says the same."""
    return (
        f'parameters {{ key: "every" value {{ string_value: "{every}" }} }}\n'
        f'parameters {{ key: "traces" value {{ string_value: {json.dumps(traces)} }} }}\n'
    )


def moved(config: str, traces: str) -> tuple[str, int]:
    """Return a component's configuration with other files, and how many requests make one of them.

    Raises:
        ValueError: it is not such a configuration.
    """
    every = re.search(r'key: "every" value \{ string_value: "([0-9]+)" \}', config)
    if every is None or config.count(f'"{TRACES}"') != 1:
        raise ValueError("it does not name its trace files")
    return config.replace(f'"{TRACES}"', json.dumps(traces)), int(every[1])


def _config(name: str, every: int) -> str:
    """Return the configuration: a request, which need never come, asks how many rows there are."""
    return "\n".join(
        [
            f'name: "{name}{SUFFIX}"',
            'backend: "python"',
            "max_batch_size: 0",
            'input { name: "any" data_type: TYPE_BOOL dims: [ 1 ] }',
            'output { name: "rows" data_type: TYPE_INT64 dims: [ 1 ] }',
            "instance_group [ { kind: KIND_CPU count: 1 } ]",
            f'parameters {{ key: "model" value {{ string_value: "{name}" }} }}',
            trace_parameters(every),
        ]
    )
