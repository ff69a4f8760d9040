"""Given models get the columns, names, order and form that they were fitted on.

A wrong ONNX form is one line in train.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from onnxpress.conversion.converting import to_onnx, transformer_to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.predicting import predict_original
from onnxpress.given.onnx_parity import check_onnx_parity
from onnxpress.given.sandboxed import check_fits
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.names import input_name
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Column, Schema
from stages import prepare, train
from tests.conftest import default_params, write_params

ROWS = 300
PATH = Path("models/mine.joblib")
LETTERS, OR_MARK, LETTER_FIRST = r"[a-z]+", r"\w+|!", r"(?u)\b[a-z]\w+\b"


def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        rng.normal(size=(ROWS, 4)).astype(np.float32), columns=["a", "b (mm)", "c", "d"]
    )


def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    city = rng.choice(["x", "y", "z"], ROWS).astype(object)
    city[rng.random(ROWS) < 0.2] = None
    texts = [" ".join(rng.choice(["good", "Bad", "the", "über", "x1"], 6)) for _ in range(ROWS)]
    return numbers().assign(
        city=pd.Series(city, dtype=object),
        flag=rng.random(ROWS) < 0.5,
        review=pd.Series(texts, dtype=object),
    )


def target_of(table: pd.DataFrame) -> NDArray[np.int64]:
    first = table[["a", "c"]].sum(axis=1).to_numpy()
    extra = (table["city"] == "x").to_numpy() if "city" in table else 0
    return (first + extra > 0).astype(np.int64)


def schema_of(table: pd.DataFrame) -> Schema:
    kinds = {"city": "category", "review": "text"}
    columns = tuple(Column(name, kinds.get(name, "number"), missing=True) for name in table.columns)  # type: ignore[arg-type]
    return Schema("classification", "y", columns)


def feeds_of(table: pd.DataFrame) -> Feeds:
    schema = schema_of(table)
    if schema.all_numeric:
        return {"X": table.to_numpy(np.float32)}
    feeds: Feeds = {}
    for column in schema.columns:
        values = table[column.name]
        made = (
            values.to_numpy(np.float32)
            if column.kind == "number"
            else values.fillna("").to_numpy(object)
        )
        feeds[input_name(column.name)] = made.reshape(-1, 1)
    return feeds


def assert_answers(model: Any, table: pd.DataFrame, labels: Any, scores: Any) -> None:
    """In the stages and as ONNX, the original predicts the owner's ``labels`` and ``scores``."""
    schema, feeds = schema_of(table), feeds_of(table)
    rows = Rows(feeds, target_of(table))
    check_fits(model, rows, schema, PATH)
    check_onnx_parity(model, rows, schema, PATH)
    original = predict_original(model, feeds, schema)
    for opset in (12, 22):
        session = open_session(to_bytes(to_onnx(model, schema, opset)))
        shapes = {item.name: item.shape[1] for item in session.get_inputs()}
        assert shapes == {name: values.shape[1] for name, values in feeds.items()}
        for answer in (original, predict_onnx(session, feeds)):
            assert np.array_equal(answer.values, labels)
            assert answer.scores == pytest.approx(scores, rel=1e-5, abs=1e-5)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(7, random_state=0)


def scaled(columns: Any, rest: str = "drop") -> ColumnTransformer:
    return ColumnTransformer([("s", StandardScaler(), columns)], remainder=rest)


NUMERIC = {
    "by names": (make_pipeline(scaled(["c", "a"]), forest()), None),
    "names, passthrough": (make_pipeline(scaled(["c", "b (mm)"], "passthrough"), forest()), None),
    "another order": (forest(), ["d", "b (mm)", "a", "c"]),
    "a subset by name": (make_pipeline(StandardScaler(), LogisticRegression()), ["c", "a"]),
    "a subset behind names": (make_pipeline(scaled(["a"], "passthrough"), forest()), ["d", "a"]),
    "stacking": (
        StackingClassifier(
            [("l", make_pipeline(scaled(["c", "a"]), LogisticRegression())), ("f", forest())]
        ),
        None,
    ),
    "a search": (
        GridSearchCV(
            make_pipeline(scaled(["c"]), LogisticRegression()), {"logisticregression__C": [0.1, 1]}
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", NUMERIC)
def test_a_model_fitted_on_names_gets_them_from_a_table_of_numbers(name: str) -> None:
    model, columns = NUMERIC[name]
    table = numbers()
    own = table if columns is None else table[columns]
    model.fit(own, target_of(table))
    assert_answers(model, table, model.predict(own), model.predict_proba(own))


def test_a_model_fitted_on_a_matrix_gets_one_and_positions_keep_their_order() -> None:
    table = numbers()
    model = make_pipeline(scaled([3, 1, 0, 2]), forest()).fit(table.to_numpy(), target_of(table))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns where names come or go
        assert_answers(
            model, table, model.predict(table.to_numpy()), model.predict_proba(table.to_numpy())
        )


def filled() -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder())


def encoded() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("c", filled(), ["city"]),
            ("f", OneHotEncoder(drop="if_binary"), ["flag"]),
            ("t", TfidfVectorizer(), "review"),
            ("n", StandardScaler(), make_column_selector(dtype_include="floating")),
        ]
    )


MIXED: dict[str, tuple[Any, list[str] | None]] = {
    "all kinds": (make_pipeline(encoded(), LogisticRegression()), None),
    "another order": (
        make_pipeline(encoded(), LogisticRegression()),
        ["review", "d", "flag", "city", "a", "b (mm)", "c"],
    ),
    "numbers of a mixed table": (make_pipeline(StandardScaler(), LogisticRegression()), ["c", "a"]),
    "some columns": (
        make_pipeline(
            ColumnTransformer([("c", OneHotEncoder(), ["city"])], remainder="passthrough"), forest()
        ),
        ["city", "d", "a"],
    ),
    "two layers": (
        make_pipeline(
            ColumnTransformer(
                [("i", SimpleImputer(strategy="most_frequent"), ["city"])], remainder="passthrough"
            ),
            ColumnTransformer([("o", OrdinalEncoder(), [0])], remainder="passthrough"),
            forest(),
        ),
        ["a", "city", "d"],
    ),
    "data frames of pandas": (
        make_pipeline(
            ColumnTransformer(
                [
                    ("c", OneHotEncoder(sparse_output=False), ["city"]),
                    ("n", StandardScaler(), ["a"]),
                ]
            ),
            LogisticRegression(),
        ).set_output(transform="pandas"),
        None,
    ),
    "steps that pass on": (
        Pipeline(
            [
                ("first", "passthrough"),
                (
                    "c",
                    ColumnTransformer(
                        [
                            ("c", filled(), ["city"]),
                            ("n", Pipeline([("s", "passthrough")]), ["a", "c"]),
                        ]
                    ),
                ),
                ("none", None),
                ("l", LogisticRegression()),
            ]
        ),
        None,
    ),
    "a union": (
        make_pipeline(
            FeatureUnion(
                [
                    ("c", ColumnTransformer([("c", OneHotEncoder(), ["city"])])),
                    (
                        "n",
                        ColumnTransformer(
                            [
                                (
                                    "n",
                                    FeatureUnion([("s", StandardScaler()), ("p", "passthrough")]),
                                    ["c", "a"],
                                )
                            ]
                        ),
                    ),
                    ("d", "drop"),
                ],
                transformer_weights={"n": 0.5},
            ),
            LogisticRegression(),
        ),
        None,
    ),
    "bins": (
        make_pipeline(
            ColumnTransformer(
                [("b", KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["c", "a"])]
            ),
            LogisticRegression(),
        ),
        None,
    ),
    "calibrated": (
        CalibratedClassifierCV(
            make_pipeline(ColumnTransformer([("c", filled(), ["city"])]), LogisticRegression()),
            cv=2,
        ),
        None,
    ),
    "categories of trees, not in each": (
        make_pipeline(
            ColumnTransformer(
                [
                    ("o", OrdinalEncoder(encoded_missing_value=-1), ["city"]),
                    ("n", "passthrough", ["a", "b (mm)", "c"]),
                ]
            ),
            HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=3, categorical_features=[0]),
        ),
        None,
    ),
    "parts that choose": (
        VotingClassifier(
            [
                ("l", make_pipeline(scaled(["c", "a"]), LogisticRegression())),
                (
                    "f",
                    make_pipeline(ColumnTransformer([("c", OneHotEncoder(), ["city"])]), forest()),
                ),
            ],
            voting="soft",
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_model_fitted_on_a_mixed_frame_gets_its_own_columns(name: str) -> None:
    model, columns = MIXED[name]
    table = mixed()
    own = table.where(table.notna(), np.nan)[columns or list(table.columns)]
    own = own.astype(
        {key: kind for key, kind in table.dtypes.items() if key in own and kind.kind != "O"}
    )
    model.fit(own, target_of(table))
    assert_answers(model, table, model.predict(own), model.predict_proba(own))


@pytest.mark.parametrize("kind", [bool, float])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        SGDClassifier(),
        SVC(),
        LinearDiscriminantAnalysis(),
        KNeighborsClassifier(),
        forest(),
    ],
)
def test_labels_that_are_booleans_or_whole_floats_are_whole_numbers(model: Any, kind: type) -> None:
    table = numbers()
    matrix = table.to_numpy()
    model = clone(model).fit(matrix, target_of(table).astype(kind))
    scores = (
        model.predict_proba(matrix)
        if hasattr(model, "predict_proba")
        else model.decision_function(matrix)
    )
    assert_answers(
        model,
        table,
        model.predict(matrix).astype(int),
        np.column_stack([-scores, scores]) if scores.ndim == 1 else scores,
    )


def test_a_model_fitted_on_a_mixed_matrix_gets_one() -> None:
    table = mixed()[["city", "a", "c"]]
    matrix = table.to_numpy(object)
    columns = ColumnTransformer([("n", StandardScaler(), [2, 1]), ("c", OneHotEncoder(), [0])])
    model = make_pipeline(columns, LogisticRegression()).fit(matrix, target_of(table))
    assert_answers(model, table, model.predict(matrix), model.predict_proba(matrix))


@pytest.mark.parametrize(
    "first",
    [
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2))),
        make_pipeline(
            CountVectorizer(stop_words=["the"], ngram_range=(1, 3)),
            TfidfTransformer(sublinear_tf=True),
        ),
        make_pipeline(
            make_union(CountVectorizer(), TfidfVectorizer(token_pattern=LETTERS, binary=True))
        ),
    ],
    ids=["pairs", "stop words, logarithms", "union"],
)
def test_a_bare_pipeline_of_texts_gets_a_list_of_texts(first: Any) -> None:
    table = mixed()[["a", "review", "c"]]
    model = make_pipeline(*(step for _, step in first.steps), LogisticRegression())
    model.fit(list(table["review"]), target_of(table))
    assert_answers(
        model,
        table,
        model.predict(list(table["review"])),
        model.predict_proba(list(table["review"])),
    )


ODD_TEXTS = [
    "",
    " ",
    "the cat the dog",
    "Café ÜBER naïve Straße don't x1 I a 日本 e-mail 22 U.S. _a_b_ ١٢ ½",
    "the of the",
    "tab\tand\nline # ## ### a\u00a0b 😀 e\u0301",
    "cat the dog of cat dog 1 2 3",
]
ASCII_WORDS = r"(?u)\b[a-z]{2,}\b"
WORDS, ONE_LETTER, NO_SPACE, DASHED = r"(?u)\b\w{3,}\b", r"(?u)\b\w+\b", r"\S+", r"[a-zA-Z0-9'-]+"
EQUAL = [
    CountVectorizer(),
    CountVectorizer(lowercase=False, ngram_range=(1, 3)),
    CountVectorizer(stop_words=["the", "of"], ngram_range=(1, 2)),
    CountVectorizer(stop_words=["the", "of"], ngram_range=(2, 3), binary=True),
    CountVectorizer(token_pattern=NO_SPACE, ngram_range=(1, 2)),
    CountVectorizer(token_pattern=DASHED),
    CountVectorizer(vocabulary=["cat", "UP", "the dog", "a", "über"]),
    CountVectorizer(
        vocabulary=["cat dog", "dog", "cat the dog"], ngram_range=(1, 2), stop_words=["the"]
    ),
    CountVectorizer(token_pattern=ASCII_WORDS),
    TfidfVectorizer(sublinear_tf=True, norm="l1", token_pattern=ONE_LETTER),
    TfidfVectorizer(token_pattern=WORDS, smooth_idf=False, max_features=5, dtype=np.float64),
    TfidfVectorizer(binary=True, use_idf=False, norm=None, min_df=2, max_df=0.9),
    TfidfVectorizer(stop_words="english", ngram_range=(1, 2), sublinear_tf=True),
]


@pytest.mark.filterwarnings(
    "ignore:Upper case characters found in vocabulary"
)  # which is one of the cases
@pytest.mark.parametrize("vectorizer", EQUAL, ids=[str(number) for number in range(len(EQUAL))])
def test_a_vectorizer_gives_scikit_learns_weights_of_odd_texts_each_alone_too(
    vectorizer: Any,
) -> None:
    table = pd.DataFrame({"review": pd.Series(ODD_TEXTS * 3, dtype=object)})
    model = make_pipeline(ColumnTransformer([("t", vectorizer, "review")]), LogisticRegression())
    model.fit(table, np.arange(len(table)) % 2)
    expected = model[0].transform(table).toarray()
    schema = Schema("classification", "y", (Column("review", "text", missing=True),))
    for opset in (11, 13, 22):
        session = open_session(
            to_bytes(transformer_to_onnx(make_pipeline(model[0]), model, schema, opset))
        )
        texts = table.to_numpy(object)
        assert session.run(None, {"review": texts})[0] == pytest.approx(expected, abs=1e-6)
        alone = np.vstack(
            [session.run(None, {"review": texts[[row]]})[0] for row in range(len(ODD_TEXTS))]
        )
        assert alone == pytest.approx(expected[: len(ODD_TEXTS)], abs=1e-6)


def refused(model: Any, table: pd.DataFrame) -> str:
    schema, rows = schema_of(table), Rows(feeds_of(table), target_of(table))
    with pytest.raises(UserError) as error:
        check_fits(model, rows, schema, PATH)
        check_onnx_parity(model, rows, schema, PATH)
    line = str(error.value)
    assert "train.estimator" not in line  # no cure for a model that is given
    assert line.count("\n") == 0
    return line


@pytest.mark.parametrize(
    ("vectorizer", "expected"),
    [
        (TfidfVectorizer(analyzer="char"), r"TfidfVectorizer\(analyzer='char'\)"),
        (TfidfVectorizer(strip_accents="unicode"), r"strip_accents='unicode'"),
        (CountVectorizer(token_pattern=OR_MARK), "token_pattern="),
        (CountVectorizer(token_pattern=LETTER_FIRST, ngram_range=(1, 2)), "token_pattern="),
        (HashingVectorizer(n_features=64), "no converter for it"),
    ],
)
def test_what_a_tokenizer_cannot_do_is_refused_by_its_name(vectorizer: Any, expected: str) -> None:
    table = mixed()
    model = make_pipeline(
        ColumnTransformer([("words", vectorizer, "review")]), LogisticRegression()
    )
    line = refused(model.fit(table, target_of(table)), table)
    assert "its part 'words'" in line
    assert re.search(expected, line)


class Shifted(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Adds one; registered below with a converter that adds two."""

    def fit(self, x: Any, _y: Any = None) -> Shifted:
        self.n_features_in_ = np.shape(x)[1]
        return self

    def transform(self, x: Any) -> Any:
        return np.asarray(x) + 1


def test_a_step_that_converts_wrongly_is_named() -> None:
    from skl2onnx import update_registered_converter

    def shape(operator: Any) -> None:
        operator.outputs[0].type = type(operator.inputs[0].type)(operator.inputs[0].type.shape)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        two = scope.get_unique_variable_name("two")
        container.add_initializer(two, 1, [1], [2.0])
        container.add_node(
            "Add", [operator.inputs[0].full_name, two], operator.outputs[0].full_name, name="add"
        )

    update_registered_converter(Shifted, "TestShifted", shape, convert)
    table = numbers()
    model = make_pipeline(StandardScaler(), Shifted(), LogisticRegression()).fit(
        table.to_numpy(), target_of(table)
    )
    assert "its step 'shifted' (Shifted) gives different predictions as ONNX" in refused(
        model, table
    )


def test_numbers_missing_where_no_calibration_row_misses_them_are_asked() -> None:
    """float32 loses small columns in the squares of a large one, and finds other neighbours."""
    table = numbers()
    table["a"] = table["a"] * 1e5
    model = make_pipeline(
        ColumnTransformer([("n", make_pipeline(KNNImputer(), StandardScaler()), ["a", "c"])]),
        LogisticRegression(),
    )
    line = refused(model.fit(table, target_of(table)), table)
    assert "its part 'n' (KNNImputer, StandardScaler)) gives different predictions" in line
    assert "missing numbers, a column each" in line


def test_the_step_of_a_part_that_cannot_become_onnx_is_named() -> None:
    table = mixed()
    part = make_pipeline(SimpleImputer(), SplineTransformer(), StandardScaler())
    model = make_pipeline(ColumnTransformer([("n", part, ["a"])]), LogisticRegression()).fit(
        table, target_of(table)
    )
    assert "its part 'n' (SplineTransformer)" in refused(model, table)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a", "b (mm)", "c", "e"], "takes the column 'e', which the table does not have"),
        (None, "takes 3 features"),
    ],
)
def test_columns_that_the_table_does_not_have_are_named(
    columns: list[str] | None, expected: str
) -> None:
    table = numbers()
    own = table.to_numpy()[:, :3] if columns is None else table.set_axis(columns, axis=1)
    assert expected in refused(forest().fit(own, target_of(table)), table)


def test_a_model_that_is_not_fitted_is_said_so() -> None:
    assert "is not fitted" in refused(forest(), numbers())


def test_an_original_worse_than_a_constant_is_said_first(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = numbers()
    rare = (np.arange(ROWS) % 10 == 0).astype(int)
    table.assign(y=rare).to_csv("data/x.csv", index=False)
    Path("models").mkdir()
    joblib.dump(forest().fit(table, 1 - rare), "models/a.joblib")
    given = {"data__source": "data/x.csv", "data__target": "y", "data__calibration_size": 0.2}
    write_params(workspace, default_params(**given, train__model_path="models/a.joblib"))
    prepare.main()
    capsys.readouterr()
    train.main()
    first = capsys.readouterr().out.splitlines()[0]
    assert (
        "warning: the original is worse than a constant on the 48 calibration rows: accuracy 0."
        in first
    )
    assert "for 0 every time" in first


def test_an_old_pickle_is_one_line_even_if_it_names_what_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn 1.0 wrote ``sklearn.ensemble._gb_losses.BinomialDeviance`` into its boosters."""
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.0.2")
        model = forest()
        model.loss_ = Moved()
        for compress in (0, 3):
            joblib.dump(model, tmp_path / f"{compress}.joblib", compress=compress)
    for compress in (0, 3):
        with pytest.raises(
            UserError, match=r"written by scikit-learn 1\.0\.2, needs 1\.9.* fit and dump"
        ):
            load_original(tmp_path / f"{compress}.joblib")


class Moved:
    """A class that no module has any more, as far as the reader knows."""


def test_a_classifier_among_the_transformers_is_named_as_the_part_at_fault() -> None:
    table = numbers()
    three = np.digitize(table.iloc[:, 0], [-0.5, 0.5])
    model = make_pipeline(LinearDiscriminantAnalysis(n_components=2), LogisticRegression()).fit(
        table, three
    )
    assert "its step 'lineardiscriminantanalysis' (LinearDiscriminantAnalysis)" in refused(
        model, table
    )
