"""Penguins, for models that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT, default_params, write_params

TEXTS = ["island", "sex"]


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Penguins' features as their own libraries take them."""
    features = frame.drop(columns="species")
    for name in features:
        if name in TEXTS:
            features[name] = features[name].astype("category")
        else:
            features[name] = features[name].astype(np.float32)
    return features


@pytest.fixture
def penguins(workspace: Path) -> pd.DataFrame:
    """The table, in the workspace; there is a folder for models."""
    source = ROOT / "data" / "penguins.csv"
    (workspace / "data").mkdir(exist_ok=True)
    (workspace / "data" / "penguins.csv").write_bytes(source.read_bytes())
    (workspace / "models").mkdir()
    return pd.read_csv(source)


def chain(*stages: Any, name: str, **changes: Any) -> None:
    """Run stages on penguins with the model at models/``name``."""
    keys: dict[str, Any] = {
        "data__source": "data/penguins.csv",
        "data__target": "species",
        "data__calibration_size": 0.2,
        "train__model_path": f"models/{name}",
    }
    write_params(Path(), default_params(**{**keys, **changes}))
    for stage in stages:
        stage.main()
