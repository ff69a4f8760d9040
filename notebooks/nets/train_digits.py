"""Train a small CNN on scikit-learn's digits, and export it as PyTorch does.

``python train_digits.py`` writes ``digits.onnx`` and ``digits.npz``, in an environment with torch,
onnx, onnxscript and scikit-learn. The net learns from half of the rows; the file of arrays has the
other half, so that scores and calibration are of rows that it has not seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = Path(__file__).parent
EPOCHS, BATCH = 40, 64


def net() -> nn.Module:
    """Return an untrained net for images (rows, 1, 8, 8) and ten classes."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return grey images, uint8 (rows, 1, 8, 8) from 0 to 16, and the digits that they show."""
    pixels, digits = load_digits(return_X_y=True)
    return pixels.reshape(-1, 1, 8, 8).astype(np.uint8), digits


def trained(rows: np.ndarray, digits: np.ndarray) -> nn.Module:
    """Return the net, trained on rows (rows, 1, 8, 8) as float32."""
    model = net()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss = nn.CrossEntropyLoss()
    x, y = torch.from_numpy(rows.astype(np.float32)), torch.from_numpy(digits)
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.eval()


def main() -> None:
    """Train, export, and write the rows that the net has not seen."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows, digits = images()
    learn, keep, of_learn, of_keep = train_test_split(
        rows, digits, test_size=0.5, random_state=0, stratify=digits
    )
    model = trained(learn, of_learn)
    path = HERE / "digits.onnx"
    one = torch.zeros(2, 1, 8, 8)
    rows_of_any_number = ({0: torch.export.Dim("rows")},)
    torch.onnx.export(
        *(model, (one,), str(path)),
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=rows_of_any_number,
        external_data=False,
    )
    without_paths(path)
    np.savez(HERE / "digits.npz", image=keep, digit=of_keep)
    with torch.no_grad():
        found = model(torch.from_numpy(keep.astype(np.float32))).argmax(1).numpy()
    print(f"{(found == of_keep).mean():.4f} of {len(keep)} other rows are right")


def without_paths(path: Path) -> None:
    """Take out where each node came from: places on the machine of the export."""
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
