"""What LightGBM's objectives make of the sum of the trees (``ConvertOutput`` of each)."""

from __future__ import annotations

from dataclasses import dataclass

from onnxpress.boosters.lightgbm_header import Header
from onnxpress.boosters.model import TWO, Link, Unreadable, Unsupported

LINKS: dict[str, Link] = {
    **dict.fromkeys(
        (
            *("regression", "regression_l1", "huber", "fair", "quantile", "mape"),
            *("lambdarank", "rank_xendcg", "custom", "none"),
        ),
        "identity",
    ),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exp"),
    **dict.fromkeys(("binary", "multiclassova", "cross_entropy"), "logistic"),
    "multiclass": "softmax",
    "cross_entropy_lambda": "softplus",
}
"""By the first word of the objective."""

OPTIONS = {"sigmoid", "num_class", "tweedie_variance_power", "alpha"}


@dataclass(frozen=True)
class Objective:
    """The link and the classes that an objective means."""

    name: str
    link: Link
    slope: float
    """The sum is multiplied by it."""
    classes: int


def read_objective(header: Header) -> Objective:
    """Read the words of the objective; none means that the sum itself is predicted.

    Raises:
        Unsupported: one of them is not known.
        Unreadable: they do not fit the number of outputs.
    """
    name, *words = header.objective or ("custom",)
    if name not in LINKS:
        raise Unsupported(f"has the objective {name!r}; known are {', '.join(sorted(LINKS))}")
    link, options = LINKS[name], {}
    for word in words:
        key, _, value = word.partition(":")
        if (name, word) == ("regression", "sqrt"):
            link = "signed_square"
        elif key in OPTIONS:
            options[key] = value
        else:
            raise Unsupported(f"has {word!r} in its objective {name!r}, which is not known")
    by_class = name in ("multiclass", "multiclassova")
    if by_class != (header.classes > 1) and name not in ("custom", "none"):
        raise Unreadable(f"is damaged: {header.classes} outputs for the objective {name!r}")
    if by_class and options.get("num_class") != str(header.classes):
        raise Unreadable(f"is damaged: `num_class` of the objective is not {header.classes}")
    classes = header.classes if by_class else TWO if name == "binary" else 0
    slope = float(options.get("sigmoid", 1)) if name in ("binary", "multiclassova") else 1.0
    return Objective(name, link, slope, classes)
