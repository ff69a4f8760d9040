"""What becomes of four models in other runtimes: ``python -m bench.runtimes``.

The chain up to quantize for each of :data:`MODELS`, in a temporary folder; then model.onnx and
model_quantized.onnx in every usual runtime, on test rows and probe rows.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from onnxpress.certify.certifying import certify
from onnxpress.certify.table import markdown
from onnxpress.certify.usual import usual_runtimes
from onnxpress.commands.certify.replayed_rows import of_repository
from onnxpress.pipeline.console import progress
from onnxpress.pipeline.files import read_json, write_bytes, write_json
from onnxpress.pipeline.outputs import QUANTIZATION
from stages import convert, prepare, quantize, train

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
OUTCOMES = ("answers equally", "answers differently", "does not run", "not tried")
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "iris, random forest": {},
    "penguins, random forest": {"data": {"source": "data/penguins.csv", "target": "species"}},
    "wine, SVC": {"data": {"source": "wine"}, "train": {"estimator": "SVC", "scale": True}},
    "digits, MLP": {"data": {"source": "digits"}, "train": {"estimator": "MLPClassifier"}},
}
"""Changes of params.yaml, by name."""
PARAMS: dict[str, dict[str, Any]] = {
    "SVC": {"probability": True},
    "MLPClassifier": {"hidden_layer_sizes": [64], "max_iter": 100},
}


def main() -> None:
    """Write the findings of all models as JSON, and as tables in Markdown."""
    found = {name: certified(changes) for name, changes in MODELS.items()}
    write_json(RESULTS / "runtimes.json", found)
    write_bytes(RESULTS / "runtimes.md", page(found).encode())


def certified(changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the content of runtimes.json for the chain with these changes of params.yaml."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        params[section] |= values
    params["train"]["params"] = PARAMS.get(params["train"]["estimator"], params["train"]["params"])
    with TemporaryDirectory() as folder, chdir(folder):
        shutil.copytree(ROOT / "data", "data")
        Path("models").mkdir()
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        for stage in (prepare, train, convert, quantize):
            stage.main()
        it = of_repository()
        content = certify(it.models, it.feeds, it.rows, usual_runtimes(), progress).to_json()
        content["quantized"] = read_json(QUANTIZATION, "candidate")["candidate"]
    return content


def page(found: dict[str, dict[str, Any]]) -> str:
    """Return the tables, and before them one with a row per model."""
    lines = ["# Models in other runtimes", "", "Made by `python -m bench.runtimes`.", ""]
    lines += [f"| model | file | {' | '.join(OUTCOMES)} |", "|---" * (2 + len(OUTCOMES)) + "|"]
    for name, content in found.items():
        for file in content["models"]:
            counts = Counter(entry["models"][file]["outcome"] for entry in content["runtimes"])
            cells = [str(counts[outcome]) for outcome in OUTCOMES]
            form = f" ({content['quantized']})" if "quantized" in file else ""
            lines.append(f"| {name} | {file}{form} | {' | '.join(cells)} |")
    for name, content in found.items():
        rows = " and ".join(f"{count} {kind} rows" for kind, count in content["rows"].items())
        lines += ["", f"## {name}", "", f"{rows}, compared with {content['compared_with']}."]
        lines += ["", *markdown(content)]
        lines += ["", *(f"- {line}" for line in reasons(content))]
    return "\n".join([*lines, ""])


def reasons(content: dict[str, Any]) -> list[str]:
    """Return a line for each reason why a model did not run or was not tried."""
    return [
        f"{entry['runtime']}, {file}: {each['reason'].replace('<', '&lt;')}"
        for entry in content["runtimes"]
        for file, each in entry["models"].items()
        if "reason" in each
    ]


if __name__ == "__main__":
    main()
