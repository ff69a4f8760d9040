"""CatBoost's ``.cbm`` files, with the categories that are kept before them."""

from __future__ import annotations

from onnxpress.boosters.catboost_categories import Category, split_categories
from onnxpress.boosters.catboost_file import MOST_FEATURES, read_file
from onnxpress.boosters.catboost_losses import BINARY, PROBABILITIES, labels_of, link_of, loss_of
from onnxpress.boosters.catboost_parts import CatBoostFile
from onnxpress.boosters.catboost_splits import splits_of
from onnxpress.boosters.catboost_trees import trees_of
from onnxpress.boosters.model import TWO, BoosterModel, Feature, Unreadable, Unsupported


def read_catboost(data: bytes) -> BoosterModel:
    """Read the bytes of a ``.cbm`` file; ``with_categories`` has put its categories before it.

    Raises:
        Unreadable: the bytes are no whole model.
        Unsupported: the model has a part without an exact form, or its categories are not known.
    """
    categories, rest = split_categories(data)
    file = read_file(rest)
    features = _features(file, categories)
    splits = splits_of(file, categories, len(features))
    loss = loss_of(file.info)
    classes = TWO if loss in BINARY else file.outputs if loss in PROBABILITIES else 0
    if loss in BINARY and file.outputs != 1:
        raise Unreadable(f"is damaged: {loss} with {file.outputs} outputs")
    return BoosterModel(
        library="catboost",
        features=features,
        trees=trees_of(file, splits),
        base=file.bias,
        objective=loss,
        link=link_of(loss),
        scale=file.scale,
        classes=classes,
        labels=labels_of(file.info, classes) if classes else None,
        memberships=splits.memberships,
        crossings=splits.crossings,
    )


def category_columns(data: bytes) -> tuple[int, ...]:
    """Return the columns of a ``.cbm`` file that hold categories."""
    return tuple(sorted(one.column for one in read_file(data).categories))


def unlisted_categories(data: bytes) -> dict[str, int]:
    """Count the categories that a model knows by their hashes only, by the names of columns.

    They are in its target statistics, or asked for by a split, and not in the lists before its
    bytes. Their rows get the prediction of a new category. Of several columns combinations are
    counted.
    """
    categories, rest = split_categories(data)
    file = read_file(rest)
    found = splits_of(file, categories, len(_features(file, categories))).unlisted
    names = {places: " x ".join(file.names[place] for place in places) for places in found}
    return {names[places]: found[places] for places in sorted(found)}


def _features(
    file: CatBoostFile, categories: dict[int, tuple[Category, ...]]
) -> tuple[Feature, ...]:
    """Return the features by column; one that the file leaves out is a number that is not used.

    Raises:
        Unreadable: two features are the same column.
        Unsupported: categories of a column are not known.
    """
    names = file.names
    count = len(file.floats) + len(file.categories)
    width = 1 + max(names, default=-1)
    if len(names) != count or min(names, default=0) < 0 or not 0 < width <= MOST_FEATURES:
        raise Unreadable("is damaged: features of no column, or two of one")
    unknown = [one.name for one in file.categories if one.column not in categories]
    if unknown:
        raise Unsupported(
            f"has categories in {unknown[0]!r}, and a .cbm file does not say which; "
            "they are taken from the table that it is given with"
        )
    if set(categories) - {one.column for one in file.categories}:
        raise Unreadable("is damaged: categories of a column that has none")
    return tuple(Feature(names.get(column, ""), categories.get(column)) for column in range(width))
