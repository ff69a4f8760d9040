"""What training gives back of what fewer bits lose: ``python -m bench.qat`` writes qat.md.

It runs where PyTorch is installed (.venv-torch). Nets of PyTorch are trained on half of the digits,
and quantised with and without training, with five seeds of the split and the weights. Of each net
there is a second form with the same answers, in which channels are of very different size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn

from onnxpress.given.torch_models import exported_net
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.qat import int4_qat, static_qat
from onnxpress.quantize.dense.static import static
from onnxpress.quantize.dense.stored import in_int4, products_of
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows

RESULTS = Path(__file__).parent / "results"
SEEDS = 5
LEARNED = 900
"""Digits that nets and candidates learn from; the other 897 test."""
EPOCHS, BATCH, RATE = 25, 50, 3e-3
UNEVEN = 5.0
"""Factors of uneven channels lie between this and one over it."""

FORMS: dict[str, Callable[[onnx.ModelProto, Rows], onnx.ModelProto]] = {
    "dense/int4_all": lambda model, _rows: in_int4(products_of(model)),
    "dense/int4_qat": lambda model, rows: int4_qat(model, rows, seed=0),
    "static": static,
    "static/qat": lambda model, rows: static_qat(model, rows, seed=0),
}


class Convolutions(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """Three convolutions of 8, 16 and 16 channels, and a dense layer."""

    def __init__(self) -> None:
        """Draw weights."""
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(*channels, 3, padding=1) for channels in ((1, 8), (8, 16), (16, 16))
        )
        self.last = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits (rows, 10) of images (rows, 1, 8, 8)."""
        for place, layer in enumerate(self.layers):
            image = torch.relu(layer(image))
            image = nn.functional.max_pool2d(image, 2) if place < 2 else image
        return self.last(image.flatten(1))

    def pairs(self) -> list[tuple[Any, Any]]:
        """Return layers, and what reads them."""
        return list(pairwise(self.layers))


class Residual(nn.Module):  # type: ignore[misc] # torch is not in this environment
    """Two pairs of dense layers, normalised, that add to what comes in."""

    def __init__(self) -> None:
        """Draw weights."""
        super().__init__()
        self.first, self.last = nn.Linear(64, 32), nn.Linear(32, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
            for _ in range(2)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits (rows, 10) of images (rows, 1, 8, 8)."""
        values = self.first(image.flatten(1) / 16)
        for block in self.blocks:
            values = values + block(values)
        return self.last(values)

    def pairs(self) -> list[tuple[Any, Any]]:
        """Return normalisations, and what reads them."""
        return [(block[0], block[1]) for block in self.blocks]


NETS = {"CNN": Convolutions, "MLP with residuals": Residual}


def make_uneven(pairs: Iterable[tuple[Any, Any]], largest: float) -> None:
    """Multiply channels by up to ``largest``, and divide the weights that read them.

    The answers stay, also where a Relu is between them, and blocks of 4 bits round them badly.
    """
    for layer, reader in pairs:
        factors = largest ** (2 * torch.rand(len(layer.weight)) - 1)
        with torch.no_grad():
            layer.weight *= factors.reshape(-1, *[1] * (layer.weight.ndim - 1))
            layer.bias *= factors
            reader.weight /= factors.reshape(-1, *[1] * (reader.weight.ndim - 2))


def trained(net: Any, images: Any, digits: Any) -> Any:
    """Train a net on the digits."""
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), digits[batch]).backward()
            optimiser.step()
    return net.eval()


def as_onnx(net: Any, images: Any) -> onnx.ModelProto:
    """Save a net with probabilities as a ``.pt2`` file, and convert that as the library does."""
    whole = nn.Sequential(net, nn.Softmax(-1))
    shapes = ({0: torch.export.Dim("rows")},)
    with tempfile.NamedTemporaryFile(suffix=".pt2") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(whole, (images[:2],), dynamic_shapes=shapes), file)
        file.flush()
        data = Path(file.name).read_bytes()
        return onnx.load_from_string(exported_net(data, "the net").exported)


def points_lost(model: onnx.ModelProto, learn: Rows, test: Rows) -> dict[str, float]:
    """Return the points of right answers on test rows that each form loses, and the plain's."""

    def right(made: onnx.ModelProto) -> float:
        found = open_session(made.SerializeToString()).run(None, test.feeds)[0]
        return 100 * float((found.argmax(axis=1) == test.target).mean())

    plain = right(model)
    found = {"plain": plain}
    for name, form in FORMS.items():
        try:
            found[name] = plain - right(form(model, learn))
        except NotApplicable as reason:
            say(f"{name}: {reason}")
    return found


def measured(make: Callable[[], Any], seed: int, *, is_uneven: bool) -> dict[str, float]:
    """Train, quantise and test one net."""
    torch.manual_seed(seed)
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    images, target = digits.images[order, None].astype(np.float32), digits.target[order]
    given = torch.from_numpy(images[:LEARNED])
    net = trained(make(), given, torch.from_numpy(target[:LEARNED]))
    if is_uneven:
        make_uneven(net.pairs(), UNEVEN)
    model = as_onnx(net, given)
    name = model.graph.input[0].name
    learn, test = (
        Rows({name: images[part]}, target[part]) for part in (slice(LEARNED), slice(LEARNED, None))
    )
    return points_lost(model, learn, test)


def shown(values: NDArray[np.float64]) -> str:
    """Show a mean with its 95 % interval by Student's t, or that there is none."""
    if not len(values):
        return "-"
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return f"{values.mean():+.2f} ± {half:.2f}"


def main() -> None:
    """Train, quantise, measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.qat", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of qat.md")
    asked = parser.parse_args()
    seeds = 2 if asked.quick else SEEDS
    torch.set_num_threads(1)
    lines = [
        "# Quantisation-aware training",
        "",
        f"Written by `python -m bench.qat`. Points lost on {1797 - LEARNED} test rows, the mean of",
        f"{seeds} seeds with its 95 % interval; the first column is the percentage of right",
        "answers before. `dense/int4_qat` and `static/qat` are what `dense/int4_all` and `static`",
        "become by training, of the same size. `-`: no layer is large enough for int8.",
        "",
        "| net | right before | " + " | ".join(FORMS) + " |",
        "|---|" + "---:|" * (1 + len(FORMS)),
    ]
    for name, make in NETS.items():
        for is_uneven in (False, True):
            found = [measured(make, seed, is_uneven=is_uneven) for seed in range(seeds)]
            columns = [
                shown(np.array([each[form] for each in found if form in each])) for form in FORMS
            ]
            before = np.mean([each["plain"] for each in found])
            title = f"{name}, uneven channels" if is_uneven else name
            lines.append(f"| {title} | {before:.1f} | {' | '.join(columns)} |")
            say(lines[-1])
    asked.output.mkdir(parents=True, exist_ok=True)
    write_bytes(asked.output / "qat.md", ("\n".join(lines) + "\n").encode())
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    run_stage("qat", main)
