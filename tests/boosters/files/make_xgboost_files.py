"""Make the model files of old versions of XGBoost beside this script, and what they predict.

Run in an environment with that version and scikit-learn: ``python make_xgboost_files.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

HERE = Path(__file__).parent / f"xgboost-{xgboost.__version__}"
TYPES = ["q", "q", "c"]


def main() -> None:
    """Fit and write all models."""
    HERE.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    rows = random.normal(size=(200, 3)).astype(np.float32).round(2)
    rows[:, 2] = random.integers(0, 6, 200)
    target = rows[:, 0] + rows[:, 1] * rows[:, 0] + (rows[:, 2] % 2)
    rows[random.random(rows.shape) < 0.1] = np.nan
    odd = [[np.nan] * 3, [0, 0, 9], [0, 0, -1], [0, 0, 2.5], [-0.0, 1e30, 0]]
    asked = np.vstack([rows[:12], np.array(odd)]).astype(np.float32)
    two, three = (target > 0.3).astype(int), np.digitize(target, [-0.3, 0.7])

    def booster(name: str, params: dict[str, Any], goal: NDArray[Any], ending: str) -> None:
        types = TYPES if "max_cat_to_onehot" in params else None

        def matrix(values: NDArray[Any], *given: Any) -> xgboost.DMatrix:
            return xgboost.DMatrix(
                values, *given, feature_types=types, enable_categorical=types is not None
            )

        fixed = {"nthread": 1, "max_depth": 3, "seed": 1, "learning_rate": 0.5}
        fitted = xgboost.train(fixed | params, matrix(rows, goal), 4)
        fitted.save_model(HERE / f"{name}.{ending}")
        write(name, asked, fitted.predict(matrix(asked)))

    pruned = {"objective": "reg:gamma", "tree_method": "exact", "gamma": 0.1}
    booster("gamma-pruned", pruned, target - target.min() + 0.1, "json")
    categories = {"objective": "binary:logistic", "base_score": 0.2, "max_cat_to_onehot": 1}
    booster("binary-categories", categories | {"tree_method": "approx"}, two, "ubj")
    dart = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}
    booster("softprob-dart", {"objective": "multi:softprob", "num_class": 3} | dart, three, "json")
    booster("logitraw", {"objective": "binary:logitraw"}, two, "json")
    if xgboost.__version__ > "2":
        quantiles = {"objective": "reg:quantileerror", "quantile_alpha": 0.9}
        booster("quantile", quantiles, target, "json")
        vectors = {"multi_strategy": "multi_output_tree"}
        booster("vectors", vectors, np.stack([target, -target], 1), "json")
    early_stopped(rows, two, asked)


def early_stopped(rows: NDArray[Any], two: NDArray[Any], asked: NDArray[Any]) -> None:
    """Write a classifier that counts 11 of its 13 rounds."""
    classifier = xgboost.XGBClassifier(
        n_estimators=40, max_depth=3, learning_rate=1.0, early_stopping_rounds=2, n_jobs=1
    )
    classifier._estimator_type = "classifier"
    last = [(rows[150:], two[150:])]
    classifier.fit(rows[:150], two[:150], eval_set=last, verbose=False)
    classifier.save_model(HERE / "early-stopped.json")
    write("early-stopped", asked, classifier.predict_proba(asked)[:, 1])


def write(name: str, asked: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Write rows and predictions (rows, outputs), null for a missing number."""
    numbers = asked.astype(np.float64).tolist()
    known = [[None if np.isnan(one) else one for one in row] for row in numbers]
    values = np.asarray(predicted, np.float64).reshape(len(asked), -1).round(9).tolist()
    text = json.dumps({"rows": known, "predictions": values}, separators=(",", ":"))
    (HERE / f"{name}.expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
