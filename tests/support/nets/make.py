"""Train a small convolutional net on the first 1,000 digits of scikit-learn, and export it.

``python make.py`` writes digits_cnn.onnx and PyTorch's logits for the other rows beside it, in an
environment with torch 2.13, onnx and scikit-learn. Nothing else needs them made anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
TRAINED = 1000


class Net(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """Three convolutions and a matrix product; rows are 64 numbers from 0 to 16."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(48 * 4, 10)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.reshape(-1, 1, 8, 8) / 16)


def main() -> None:
    """Train for 30 epochs; export by the legacy exporter, which needs no onnxscript."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = (torch.tensor(values) for values in load_digits(return_X_y=True))
    x = x.float()
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(30):
        for batch in torch.randperm(TRAINED).split(50):
            loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        np.save(HERE / "digits_cnn.npy", net(x[TRAINED:]).numpy())
    axes = {"x": {0: "n"}, "y": {0: "n"}}
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    path = str(HERE / "digits_cnn.onnx")
    torch.onnx.export(net, (x[:2],), path, dynamo=False, opset_version=17, **names)


if __name__ == "__main__":
    main()
