"""Write small nets as PyTorch exports them, with PyTorch's own answers.

``python make.py`` writes the files beside it, in an environment with torch 2.13, onnx and
onnxscript. Nothing else needs them made anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

HERE = Path(__file__).parent
ROWS = 24


class Embedded(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """A net of whole numbers, each the number of a word."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(12, 4), nn.Linear(20, 3)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(words).flatten(1))


class TwoHeads(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """A net that gives its features beside the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.body(x)
        return features, self.out(features)


class Recurrent(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """A net of sequences, each of six steps of three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.out = nn.GRU(3, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.out(self.steps(sequence)[0][:, -1])


class Attention(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """A net of the numbers of words, and of a mask that says which of them count."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(12, 8), nn.Linear(8, 3)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        counts = mask.unsqueeze(-1).to(torch.float32)
        found = self.layer(self.words(words), src_key_padding_mask=mask == 0)
        return self.out((found * counts).sum(1) / counts.sum(1))


def mlp(outputs: int, *after: nn.Module, hidden: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, outputs), *after)


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16, 3)),
    )


def floats(*shape: int) -> torch.Tensor:
    return torch.round(16 * torch.randn(ROWS, *shape)) / 16  # short in JSON, and exact


def main() -> None:
    torch.manual_seed(0)
    any_rows: dict[str, Any] = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    legacy: dict[str, Any] = {"dynamo": False, "input_names": ["x"], "output_names": ["y"]}
    made: dict[str, tuple[nn.Module, torch.Tensor, int, dict[str, Any]]] = {
        "as_it_comes": (mlp(3, hidden=96), floats(4), 1, {}),
        "of_seven_rows": (mlp(3), floats(4), 7, legacy),
        "any_rows": (mlp(3), floats(4), 2, any_rows | {"external_data": False}),
        "log_softmax": (mlp(3, nn.LogSoftmax(1)), floats(4), 2, legacy),
        "sigmoid": (mlp(1, nn.Sigmoid()), floats(4), 1, legacy),
        "one_logit": (mlp(1), floats(4), 1, {}),
        "images": (cnn(), floats(1, 4, 4), 1, {}),
        "images_legacy": (cnn(), floats(1, 4, 4), 3, legacy),
        "words": (Embedded(), torch.randint(0, 12, (ROWS, 5)), 1, {}),
        "doubles": (mlp(3).double(), floats(4).double(), 1, legacy),
        "two_heads": (TwoHeads(), floats(4), 1, legacy | {"output_names": ["features", "y"]}),
        "number": (mlp(1), floats(4), 1, {}),
        "sequences": (Recurrent(), floats(6, 3), 2, any_rows | {"external_data": False}),
    }
    answers = {}
    for name, (model, rows, batch, settings) in made.items():
        model.eval()
        path = HERE / f"{name}.onnx"
        torch.onnx.export(model, (rows[:batch],), str(path), **settings)
        without_paths(path)
        with torch.no_grad():
            found = model(rows)
        logits = found[-1] if isinstance(found, tuple) else found
        answers[name] = {
            "rows": np.asarray(rows, np.float64).reshape(ROWS, -1).tolist(),
            "values": np.asarray(logits, np.float64).round(7).tolist(),
        }
    answers["attention"] = attention()
    program(mlp(3).eval(), floats(4), HERE / "program.pt2")
    (HERE / "answers.json").write_text(json.dumps(answers) + "\n")


def attention() -> dict[str, Any]:
    """Export a net of two inputs; return its rows and answers."""
    model, lengths = Attention().eval(), torch.arange(ROWS) % 5 + 1
    words = torch.randint(0, 12, (ROWS, 5))
    mask = (torch.arange(5) < lengths[:, None]).to(torch.int64)
    path, rows = HERE / "attention.onnx", torch.export.Dim("rows")
    torch.onnx.export(
        *(model, (words[:2], mask[:2]), str(path)),
        input_names=["words", "mask"],
        dynamic_shapes=({0: rows}, {0: rows}),
        external_data=False,
    )
    without_paths(path)
    with torch.no_grad():
        values = np.asarray(model(words, mask), np.float64).round(7)
    return {"words": words.tolist(), "mask": mask.tolist(), "values": values.tolist()}


def program(model: nn.Module, rows: torch.Tensor, path: Path) -> None:
    """Save an exported program, without places on the machine of the export."""
    exported = torch.export.export(
        model, (rows[:2],), dynamic_shapes=({0: torch.export.Dim("rows")},)
    )
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(exported, path)


def without_paths(path: Path) -> None:
    """Take out where each node came from: places on the machine of the export."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
