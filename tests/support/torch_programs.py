"""Save nets as PyTorch's users do, ask the library about them, and write both sides' answers.

``python -m tests.support.torch_programs FOLDER`` runs in .venv-torch. Each net is saved as
``NAME.pt2`` and, as the library converts it, ``NAME.onnx``; ``NAME.npz`` gets its rows, what torch
answers before it is saved, and what the library says that the original and its ONNX form answer.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from bench.qat import Residual, make_uneven
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators import stored
from onnxpress.estimators.predicting import predict_original
from onnxpress.given.sandbox import GivenFile, try_model
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.names import input_name
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema
from tests.conftest import numeric_schema
from tests.support.torch_exports.make import Attention, Recurrent, TwoHeads, floats, mlp

ROWS = 120
TRAINED = 900
"""The first digits, which the CNN has learned from."""


class Cnn(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """Convolutions, normalised, with a ReLU that writes into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
            *(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(inplace=True)),
        )
        self.classes = nn.Sequential(nn.Dropout(0.2), nn.Linear(32, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(image).mean(dim=(2, 3)))


def trained(model: nn.Module, images: torch.Tensor, digits: torch.Tensor) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        for batch in torch.randperm(TRAINED).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), digits[batch]).backward()
            optimiser.step()
    return model.eval()


def save(model: nn.Module, rows: tuple[torch.Tensor, ...], path: Path) -> NDArray[Any]:
    """Save a net as a program of any number of rows; return what it answers."""
    any_rows = tuple({0: torch.export.Dim("rows")} for _ in rows)
    few = tuple(each[:2] for each in rows)
    with torch.no_grad():
        found = model.eval()(*rows)
    torch.export.save(torch.export.export(model, few, dynamic_shapes=any_rows), path)
    return np.asarray(found[-1] if isinstance(found, tuple) else found)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None]
    cnn, residual = (
        trained(model, images, torch.tensor(digits.target)) for model in (Cnn(), Residual())
    )
    make_uneven([(cnn.features[1], cnn.features[4]), *residual.pairs()], 8.0)
    mask = (torch.arange(5) < torch.arange(ROWS)[:, None] % 5 + 1).to(torch.int64)
    four = torch.cat([floats(4) for _ in range(20)])
    steps = torch.cat([floats(6, 3) for _ in range(20)])
    nets: dict[str, tuple[nn.Module, tuple[torch.Tensor, ...], int]] = {
        "mlp": (mlp(3, hidden=32), (four,), 3),
        "one_logit": (mlp(1), (four,), 2),
        "sigmoid": (mlp(1, nn.Sigmoid()), (four,), 2),
        "doubles": (mlp(3).double(), (four.double(),), 3),
        "two_heads": (TwoHeads(), (four,), 3),
        "number": (mlp(1), (four,), 0),
        "numbers": (mlp(2), (four,), 0),
        "sequences": (Recurrent(), (steps,), 3),
        "attention": (Attention(), (torch.randint(0, 12, (ROWS, 5)), mask), 3),
        "digits": (cnn, (images[TRAINED:],), 10),
        "residual": (residual, (images[TRAINED:],), 10),
    }
    for name, (model, rows, classes) in nets.items():
        values = save(model, rows, folder / f"{name}.pt2")
        given = [np.asarray(each) for each in rows]
        answers = ask(folder / f"{name}.pt2", given, values, classes)
        np.savez(folder / f"{name}.npz", *given, values=values, **answers)
    np.savez(
        folder / "images.npz",
        image=digits.images[TRAINED:, None].astype(np.float32),
        digit=digits.target[TRAINED:],
    )


def ask(
    path: Path, given: list[NDArray[Any]], values: NDArray[Any], classes: int
) -> dict[str, Any]:
    """Return what the library says that the original and its ONNX form answer."""
    target = np.arange(len(values)) % classes if classes else values.astype(np.float64)
    feeds, schema = table(given, classes, values.shape[-1])
    rows = Rows(feeds, target if classes or values.shape[-1] > 1 else target[:, 0])
    tried = try_model(GivenFile(path), rows, rows, schema)
    model = stored.loads(tried.accepted())
    original = predict_original(model, feeds, schema)
    plain = to_bytes(to_onnx(model, schema, 12))
    path.with_suffix(".onnx").write_bytes(plain)
    converted = predict_onnx(open_session(plain), feeds)
    found = {"original": original.values, "converted": converted.values}
    if original.scores is not None and converted.scores is not None:
        found |= {"original_scores": original.scores, "converted_scores": converted.scores}
    return found | {"lines": np.array(tried.lines)}


def table(given: list[NDArray[Any]], classes: int, width: int) -> tuple[dict[str, Any], Schema]:
    """Return the rows by inputs, and their schema: a table of numbers, or tensors."""
    if len(given) == 1 and given[0].ndim == 2:
        schema = numeric_schema(given[0].shape[1])
        if not classes:
            targets = "target" if width == 1 else tuple(f"y{place}" for place in range(width))
            schema = replace(schema, task="regression", target=targets)
        return {"X": given[0].astype(np.float32)}, schema
    names = ("words", "mask") if len(given) == 2 else ("x",)
    columns = tuple(
        Column(name, "tensor", missing=False, shape=each.shape[1:], dtype=str(each.dtype))
        for name, each in zip(names, given, strict=True)
    )
    feeds = {input_name(name): each for name, each in zip(names, given, strict=True)}
    return feeds, Schema("classification", "y", columns)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
