"""Generated tables with a rare positive class: one function for each shape that fraud may have.

Every shape draws rows one by one from a fixed law, so that a table of any number of fresh rows of
the same law can be drawn to judge by. The classes overlap: at 3 % positives a random forest of 100
trees finds about half of them. ``positive`` marks the rows of the rare class, and a shape returns
the features (rows, columns) that they have.

``python -m bench.budgets.fraud data/fraud.parquet`` writes one such table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage

Features = NDArray[np.float64]
Positive = NDArray[np.bool_]

COLUMNS = 12
LAW = 15
"""Seed of what belongs to the law of a shape, such as the centres of its clusters."""


def shifted(positive: Positive, random: np.random.Generator) -> Features:
    """Normal columns, half of which have another mean and spread where the row is positive."""
    law = np.random.default_rng(LAW)
    moved = law.normal(0, 1.4, COLUMNS) * (np.arange(COLUMNS) < COLUMNS // 2)
    spread = np.where(np.arange(COLUMNS) < COLUMNS // 4, 1.6, 1.0)
    x = random.normal(size=(len(positive), COLUMNS))
    return np.where(positive[:, None], x * spread + moved, x)


def clusters(positive: Positive, random: np.random.Generator) -> Features:
    """Sixteen kinds of customer; fraud is a denser spot in six of them, or like any other row."""
    law = np.random.default_rng(LAW + 1)
    centres = law.normal(0, 2.0, (16, COLUMNS))
    spots = centres[:6] + law.normal(0, 1.0, (6, COLUMNS))
    usual = centres[random.integers(0, 16, len(positive))]
    odd = spots[random.integers(0, 6, len(positive))]
    noise = random.normal(size=(len(positive), COLUMNS))
    hidden = random.random(len(positive)) < 0.25
    fraud = positive & ~hidden
    return np.where(fraud[:, None], odd + 0.45 * noise, usual + noise)


def rules(positive: Positive, random: np.random.Generator) -> Features:
    """Amounts with a long tail, hours and small counts; one of three rules of thumb holds often."""
    size = len(positive)
    amount = random.lognormal(3.0, 1.2, size)
    hour = np.floor(random.beta(3, 2, size) * 24)
    age = np.floor(random.exponential(400, size))
    count = random.poisson(2.0, size)
    others = random.normal(size=(size, COLUMNS - 5))
    distance = random.exponential(10, size)
    rule = np.where(positive, random.integers(0, 4, size), 3)  # rule 3 is none: not to be seen
    amount = np.where(rule == 0, amount * random.lognormal(2.8, 0.6, size), amount)
    hour = np.where((rule <= 1) & (random.random(size) < 0.8), random.integers(0, 5, size), hour)
    count = np.where(rule == 1, count + 6 + random.poisson(2.0, size), count)
    age = np.where(rule == 2, np.floor(age * 0.02), age)
    distance = np.where(rule == 2, distance + random.exponential(120, size), distance)
    return np.column_stack([amount, hour, age, count, distance, others])


def ring(positive: Positive, random: np.random.Generator) -> Features:
    """Fraud lies on a thin shell of four columns, inside which the usual rows are."""
    x = random.normal(size=(len(positive), COLUMNS))
    direction = x[:, :4] / np.linalg.norm(x[:, :4], axis=1, keepdims=True)
    radius = random.normal(4.2, 0.3, (len(positive), 1))
    x[:, :4] = np.where(positive[:, None], direction * radius, x[:, :4])
    return x


def hypercube(positive: Positive, random: np.random.Generator) -> Features:
    """Two clusters a class on corners of a cube, as scikit-learn's make_classification has them."""
    law = np.random.default_rng(LAW + 5)
    corners = law.permutation(32)[:4]
    centres = 1.3 * (((corners[:, None] >> np.arange(5)) & 1) * 2.0 - 1.0)
    shapes = law.uniform(-1, 1, (4, 5, 5))
    cluster = 2 * positive + random.integers(0, 2, len(positive))
    normal = random.normal(size=(len(positive), 5))
    informative = np.einsum("ri,rij->rj", normal, shapes[cluster]) + centres[cluster]
    redundant = informative @ law.uniform(-1, 1, (5, 3))
    others = random.normal(size=(len(positive), COLUMNS - 8))
    return np.hstack([informative, redundant, others])


def heavy(positive: Positive, random: np.random.Generator) -> Features:
    """Columns of Student's t with three degrees of freedom, correlated; fraud has another sign."""
    law = np.random.default_rng(LAW + 4)
    mixing = law.normal(size=(COLUMNS, COLUMNS)) / np.sqrt(COLUMNS)
    other = mixing * np.where(np.arange(COLUMNS) < 4, -1.0, 1.0)
    t = random.standard_t(3, (len(positive), COLUMNS))
    moved = law.normal(0, 1.0, COLUMNS)
    return np.asarray(np.where(positive[:, None], t @ other + moved, t @ mixing))


SHAPES: dict[str, Callable[[Positive, np.random.Generator], Features]] = {
    shape.__name__: shape for shape in (shifted, clusters, rules, ring, hypercube, heavy)
}


def table(
    shape: str, rows: int, share: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (rows, columns) and classes 0 and 1 (rows,); exactly ``share`` of the rows are 1."""
    random = np.random.default_rng(seed)
    positive = np.zeros(rows, np.bool_)
    positive[: round(rows * share)] = True
    random.shuffle(positive)
    return SHAPES[shape](positive, random).astype(np.float32), positive.astype(np.int64)


def main() -> None:
    """Write a table of 12,000 rows, 3.2 % of them fraud, to the Parquet file that is named.

    Raises:
        UserError: there is not one name.
    """
    if len(sys.argv) != 2:
        raise UserError("name the Parquet file to write, such as data/fraud.parquet")
    x, y = table("hypercube", 12_000, 0.032, seed=0)
    frame = pd.DataFrame(x, columns=[f"v{number}" for number in range(x.shape[1])])
    write_bytes(Path(sys.argv[1]), frame.assign(fraud=y).to_parquet())


if __name__ == "__main__":
    run_stage("bench.budgets.fraud", main)
