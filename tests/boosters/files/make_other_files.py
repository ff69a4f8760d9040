"""Make the files of old versions of LightGBM or CatBoost beside this script, and what they predict.

Run in an environment with one of them: ``python make_other_files.py``.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent


def main() -> None:
    """Fit and write all models of the library that is there."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(200, 3)).astype(np.float32).round(2)
    rows[:, 2] = random.integers(0, 6, 200)
    target = rows[:, 0] + rows[:, 1] * rows[:, 0] + (rows[:, 2] % 2)
    rows[:, :2][random.random((200, 2)) < 0.1] = np.nan
    odd = [[np.nan, np.nan, 1], [0, 0, 9], [0, 0, 2], [-0.0, 1e30, 0]]
    asked = np.vstack([rows[:12], np.array(odd)]).astype(np.float32)
    (catboost_files if find_spec("catboost") else lightgbm_files)(rows, target, asked)


def lightgbm_files(rows: NDArray[Any], target: NDArray[Any], asked: NDArray[Any]) -> None:
    """Write a model of categories, one of three classes with dart, linear leaves, a link."""
    import lightgbm

    folder = HERE / f"lightgbm-{lightgbm.__version__}"
    folder.mkdir(exist_ok=True)
    two, three = (target > 0.3).astype(int), np.digitize(target, [-0.3, 0.7])
    filled = np.nan_to_num(rows)
    sets = {"min_data_per_group": 1, "max_cat_to_onehot": 1, "cat_smooth": 1}
    cases: list[tuple[str, dict[str, Any], NDArray[Any], NDArray[Any], Any]] = [
        ("binary-categories", {"objective": "binary", **sets}, rows, two, [2]),
        (
            "multiclass-dart",
            {"objective": "multiclass", "num_class": 3, "boosting": "dart"},
            rows,
            three,
            "auto",
        ),
        ("linear", {"objective": "regression", "linear_tree": True}, filled, target, "auto"),
        ("poisson", {"objective": "poisson"}, rows, target - target.min(), "auto"),
    ]
    fixed = {"num_leaves": 6, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1, "seed": 1}
    for name, parameters, given, goal, categories in cases:
        data = lightgbm.Dataset(given, goal, categorical_feature=categories)
        fitted = lightgbm.train(fixed | parameters, data, 4)
        fitted.save_model(str(folder / f"{name}.txt"))
        write(folder, name, asked, np.asarray(fitted.predict(asked)))


def catboost_files(rows: NDArray[Any], target: NDArray[Any], asked: NDArray[Any]) -> None:
    """Write models of numbers, of two and three classes and of an exponential link."""
    import catboost

    folder = HERE / f"catboost-{catboost.__version__}"
    folder.mkdir(exist_ok=True)
    two, three = (target > 0.3).astype(int), np.digitize(target, [-0.3, 0.7])
    fixed = {"iterations": 4, "depth": 3, "thread_count": 1, "allow_writing_files": False}
    for name, loss, goal, kind in (
        ("logloss", "Logloss", two, "Probability"),
        ("multiclass", "MultiClass", three, "Probability"),
        ("poisson", "Poisson", target - target.min(), "Exponent"),
        ("lossguide", "RMSE", target, "RawFormulaVal"),
    ):
        policy = "Lossguide" if name == "lossguide" else "SymmetricTree"
        model = catboost.CatBoost(
            {**fixed, "loss_function": loss, "verbose": False, "grow_policy": policy}
        )
        model.fit(rows, goal)
        model.save_model(str(folder / f"{name}.cbm"))
        write(folder, name, asked, np.asarray(model.predict(asked, prediction_type=kind)))


def write(folder: Path, name: str, asked: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Write rows and predictions (rows, outputs), null for a missing number."""
    numbers = asked.astype(np.float64).tolist()
    known = [[None if np.isnan(one) else one for one in row] for row in numbers]
    values = np.asarray(predicted, np.float64).reshape(len(asked), -1).round(9).tolist()
    text = json.dumps({"rows": known, "predictions": values}, separators=(",", ":"))
    (folder / f"{name}.expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
