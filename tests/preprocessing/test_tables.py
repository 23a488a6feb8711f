import datetime
import decimal

import helpers
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import evaluation
from keras_fm.exporting import saved_model
from keras_fm.layers import ImputeMissing, tabular_blocks
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec, attach_spec
from keras_fm.preprocessing import table_inputs, tables
from keras_fm.preprocessing.column_names import sanitized_names
from keras_fm.registry.entry import Input, Target
from keras_fm.tasks.base import task_of
from keras_fm.training import training

COLUMNS = [
    Input(name="size", dtype="float32", shape=[], description="", missing_value=0.0),
    Input(name="kind", dtype="string", shape=[], description="", categories=["a", "ä", "c d"]),
    Input(name="age", dtype="float32", shape=[], description=""),
]
NAN = float("nan")


@pytest.fixture(scope="module")
def sample():
    return datasets.sample("diamonds")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three epochs of linear_regression on the bundled sample."""
    path = tmp_path_factory.mktemp("tables") / "run"
    return training.train(
        "linear_regression", data="sample", run_dir=path, validation_examples=56, epochs=3
    )


def test_the_sample_has_columns_of_numbers_and_strings(sample):
    assert len(sample) == 256
    kinds = {name: column.dtype.kind for name, column in sample.inputs.items()}
    assert {name for name, kind in kinds.items() if kind == "U"} == {"cut", "color", "clarity"}
    assert {name for name, kind in kinds.items() if kind == "f"} == {
        "carat", "depth", "table", "x", "y", "z",
    }  # fmt: skip
    assert sample.targets.min() > 300


def test_categories_become_indices_and_missing_values_nan():
    encoded = tables.encode(
        COLUMNS,
        {
            "size": np.array([0.0, 2.0, NAN], "float32"),
            "kind": np.array(["c d", "unknown", "ä"]),
            "age": np.array([0.0, NAN, 1.0], "float32"),
            "other": np.array([1, 2, 3]),
        },
    )
    assert list(encoded) == ["size", "kind", "age"]
    np.testing.assert_array_equal(encoded["size"], [NAN, 2, NAN])
    np.testing.assert_array_equal(encoded["age"], [0, NAN, 1])
    assert encoded["kind"].tolist() == [3, 0, 2]
    assert encoded["kind"].dtype == np.int32


@pytest.mark.parametrize("kind", ["rows", "columns", "csv", "csv path", "frame"])
def test_tables_of_any_type_are_read(kind, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("kind,size,note,age\nä,1.5,x,\n,2,y,7\n", "utf-8")
    inputs = {
        "rows": [{"kind": "ä", "size": 1.5, "age": None}, {"kind": None, "size": "2", "age": 7}],
        "columns": {"kind": ["ä", ""], "size": np.array([1.5, 2]), "age": [NAN, 7]},
        "csv": [str(file)],
        "csv path": file,
        "frame": pd.DataFrame({"age": [None, 7], "size": [1.5, 2], "kind": ["ä", None]}).astype(
            {"age": "Int64", "kind": "string"}
        ),
    }[kind]
    raw = table_inputs.read_rows(inputs, COLUMNS)
    np.testing.assert_array_equal(raw["size"], np.array([1.5, 2], "float32"))
    np.testing.assert_array_equal(raw["age"], np.array([NAN, 7], "float32"))
    assert raw["kind"].tolist() == ["ä", ""]


def test_a_row_can_lack_cells():
    rows = [{"kind": "a", "size": 1}, {"age": 2, "size": 3}]
    for inputs in (rows, rows[::-1]):
        raw = table_inputs.read_rows(inputs, COLUMNS)
        assert sorted(raw["kind"]) == ["", "a"]
        np.testing.assert_array_equal(np.sort(raw["age"]), np.array([2, NAN], "float32"))


@pytest.mark.parametrize("word", ["?", " ? ", "-", "N/A", "Unknown", "", " ", "nan", "NULL"])
def test_a_word_can_stand_for_a_missing_number(word, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(f"kind,size,age\na,1.5,{word}\nä,2,7\n", "utf-8")
    for inputs in (file, {"kind": ["a", "ä"], "size": [1.5, 2], "age": [word, "7"]}):
        age = table_inputs.read_rows(inputs, COLUMNS)["age"]
        np.testing.assert_array_equal(age, np.array([NAN, 7], "float32"))


CODES = Input(
    name="code", dtype="string", shape=[], description="", categories=["01", "02", "1", "A"]
)
BOOLEANS = Input(
    name="boolean", dtype="string", shape=[], description="", categories=["False", "True"]
)
FLAG = Input(name="flag", dtype="float32", shape=[], description="")


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        (CODES, ["01", "02"], ["01", "02"]),
        (CODES, ["1", ""], ["1", ""]),
        (CODES, [1.0, NAN], ["1", ""]),
        (CODES, [7.0, 1.5], ["7.0", "1.5"]),
        (BOOLEANS, ["true", ""], ["True", ""]),
        (BOOLEANS, [True, "FALSE"], ["True", "False"]),
        (FLAG, ["True", "false"], [1, 0]),
        (FLAG, [True, 0], [1, 0]),
    ],
)
def test_cells_are_read_by_the_columns_of_the_model(column, cells, expected, tmp_path):
    frame = pd.DataFrame({column.name: cells, "note": "x"})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for inputs in (tmp_path / "rows.csv", frame, frame.to_dict("records")):
        cells = table_inputs.read_rows(inputs, [column])[column.name]
        assert cells.tolist() == expected


def test_an_infinite_number_is_named_by_its_row():
    frame = pd.DataFrame({"kind": "a", "size": 1.0, "age": [1.0, np.inf]}, index=[70, 71])
    with pytest.raises(InvalidInputError, match=r"'age', row 71: .*received inf"):
        table_inputs.read_rows(frame, COLUMNS)
    with pytest.raises(InvalidInputError, match=r"'age', row 1: .*received inf"):
        table_inputs.read_rows(frame.to_dict("records"), COLUMNS)


def test_another_separator_is_named(tmp_path):
    (tmp_path / "rows.csv").write_text("kind;size;age\na;1;2\n")
    with pytest.raises(InvalidInputError, match=r"'size'; received kind;size;age.*';'.* commas"):
        table_inputs.read_rows(tmp_path / "rows.csv", COLUMNS)


def test_a_single_row_is_a_table():
    raw = table_inputs.read_rows({"kind": "a", "size": 1, "age": 2}, COLUMNS)
    assert [column.shape for column in raw.values()] == [(1,)] * 3


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "received an empty list"),
        (3, "received int"),
        ([1, 2], "received list"),
        ((), "received an empty list"),
        (np.ones(3), "received ndarray"),
        ([{"kind": "a"}], "no column 'size'; received kind"),
        ({"kind": ["a"], "size": ["big"], "age": [1]}, "'size', row 0: expected a number.*'big'"),
        (
            {"kind": ["a"], "size": [[1, 2]], "age": [1]},
            r"'size': .*an array of the shape \[1, 2\]",
        ),
        ({"kind": ["a"], "size": [1, 2], "age": [1]}, "'size': 2.*rows"),
        ({"kind": [], "size": [], "age": []}, "one row or more"),
    ],
)
def test_invalid_tables_are_named(inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        table_inputs.read_rows(inputs, COLUMNS)


def test_an_invalid_cell_is_named_by_its_row(tmp_path):
    frame = pd.DataFrame({"kind": "a", "size": 1.0, "age": ["1", "?", "old"]}, index=[7, 8, 9])
    with pytest.raises(InvalidInputError, match=r"'age', row 9: expected a number, .* 'old'"):
        table_inputs.read_rows(frame, COLUMNS)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for inputs in (tmp_path / "rows.csv", frame.to_dict("records"), frame.to_dict("list")):
        with pytest.raises(InvalidInputError, match=r"'age', row 2: expected a number, .* 'old'"):
            table_inputs.read_rows(inputs, COLUMNS)
    with pytest.raises(InvalidInputError, match=r"'age', row 0: .* received datetime\.date"):
        table_inputs.read_rows({"kind": "a", "size": 1, "age": datetime.date(2026, 1, 2)}, COLUMNS)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", " 2 ", "1e3", "1_000"], [1.5, 2, 1000, 1000]),
        ([1, 2.5, True, None], [1, 2.5, 1, NAN]),
        ([np.float64(0.1), np.int8(3), decimal.Decimal("1.5")], [np.float32(0.1), 3, 1.5]),
        (["1.5", None, "?", 2, pd.NA], [1.5, NAN, NAN, 2, NAN]),
        (np.array([2**53 + 1, 3]), [2**53, 3]),
        (pd.Series([1, None, 3], dtype="Int64"), [1, NAN, 3]),
        (pd.Series([True, None], dtype="boolean"), [1, NAN]),
        (pd.Series(["1", "2", "1"], dtype="category"), [1, 2, 1]),
    ],
    ids=["strings", "objects", "scalars", "mixed", "integers", "nullable", "boolean", "category"],
)
def test_numbers_of_any_type_are_read(cells, expected):
    inputs = [{"age": cells}, pd.DataFrame({"age": cells}), [{"age": cell} for cell in cells]]
    for table in inputs:
        numbers = table_inputs.read_rows(table, [COLUMNS[2]])["age"]
        assert numbers.dtype == np.float32
        np.testing.assert_array_equal(numbers, np.array(expected, "float32"))


@pytest.mark.parametrize(
    "cells",
    [[1, 0, 1], np.array([1, 0, 1], "float32"), [True, False, True], pd.Series([1, None, 1])],
    ids=["int", "float32", "bool", "missing"],
)
def test_categories_are_the_numbers_of_a_column(cells):
    column = Input(
        name="k", dtype="string", shape=[], description="", categories=["0", "1", "True"]
    )
    strings = table_inputs.read_rows(pd.DataFrame({"k": cells}), [column])["k"].tolist()
    assert strings[0] == strings[2] == ("True" if cells[0] is True else "1")
    assert strings[1] == ("" if isinstance(cells, pd.Series) else str(cells[1]).removesuffix(".0"))


def test_several_files_are_one_table(tmp_path):
    (tmp_path / "a.csv").write_text("kind,size,age\na,1,2\n")
    (tmp_path / "b.csv").write_text("age,size,note,kind\n3,,x,ä\n", "utf-8")
    raw = table_inputs.read_rows([tmp_path / "a.csv", str(tmp_path / "b.csv")], COLUMNS)
    assert raw["kind"].tolist() == ["a", "ä"]
    np.testing.assert_array_equal(raw["size"], np.array([1, NAN], "float32"))
    np.testing.assert_array_equal(raw["age"], np.array([2, 3], "float32"))


def test_a_file_without_rows_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("kind,size,age\n")
    with pytest.raises(InvalidInputError, match="one row or more"):
        table_inputs.read_rows(tmp_path / "a.csv", COLUMNS)


def test_no_import_of_tensorflow_or_pandas():
    code = "import sys, keras_fm.preprocessing.table_inputs; print('|', *sys.modules)"
    modules = helpers.python(code).stdout.rpartition("|")[2].split()
    assert "keras_fm.preprocessing.table_inputs" in modules
    assert not {"tensorflow", "keras", "pandas"} & {*modules}


def test_a_missing_file_is_named():
    with pytest.raises(
        DataError, match=r"nowhere\.csv can't be read as a CSV file: .*No such file"
    ):
        table_inputs.read_rows("nowhere.csv", COLUMNS)


def test_missing_numbers_become_the_mean_and_are_flagged():
    filled = np.asarray(ImputeMissing()(np.array([[1.0, NAN], [NAN, 2.0]], "float32")))
    np.testing.assert_array_equal(filled, [[1, 0, 0, 1], [0, 2, 1, 0]])


def test_missing_numbers_do_not_count_in_the_statistics():
    model = loading.get("linear_regression", weights=None)
    columns = {
        tensor.name: np.zeros(4, tensor.dtype) if tensor.dtype == "int32" else np.ones(4, "float32")
        for tensor in model.inputs
    }
    columns["carat"] = np.array([1, 3, NAN, NAN], "float32")
    prices = np.exp([1.0, 2.0, 3.0, 4.0])
    tabular_blocks.adapt_features(model, columns, prices)
    assert np.asarray(model.get_layer("normalization").mean)[0, 0] == pytest.approx(2)
    assert np.asarray(model.get_layer("scale").mean).item() == pytest.approx(2.5)
    # With weights of zero a linear model predicts the mean.
    assert np.asarray(model(columns)) == pytest.approx(np.exp(2.5), rel=1e-5)


def test_a_regression_is_evaluated_on_the_log(run, sample):
    scores = evaluation.evaluate(run.model, split="sample")
    task = task_of(run.model)
    predictions = np.asarray(run.model(task.data.encode(sample).inputs), "float64")
    log_error = np.log(predictions) - np.log(sample.targets.astype("float64"))
    assert scores["rmse_log"] == pytest.approx(np.sqrt((log_error**2).mean()), rel=1e-6)
    error = predictions - sample.targets
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert scores["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    explained = 1 - (error**2).mean() / sample.targets.astype("float64").var()
    assert scores["r2"] == pytest.approx(explained, rel=1e-6)
    assert scores["num_examples"] == 256


def test_the_history_has_the_same_metric(run):
    assert run.history["val_rmse_log"][-1] == pytest.approx(run.metrics["rmse_log"], rel=1e-4)


def test_a_regression_can_be_evaluated_by_the_slices_of_a_column(run, sample):
    slices = evaluation.evaluate(run.model, split="sample", slice_by="cut")["slices"]
    assert set(slices) == set(sample.inputs["cut"])
    ideal = sample.subset(sample.inputs["cut"] == "Ideal", "ideal ones")
    alone = evaluation.evaluate(run.model, data=ideal)
    assert slices["Ideal"] == pytest.approx(alone["rmse_log"], rel=1e-5)


def test_predictions_are_numbers(run, sample):
    predict = pipelines.pipeline(run.model)
    rows = [{name: column[i].item() for name, column in sample.inputs.items()} for i in range(5)]
    expected = np.asarray(run.model(task_of(run.model).data.encode(sample).inputs))[:5]
    values = [prediction["value"] for prediction in predict(rows)]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert predict(rows[0]) == predict(rows[:1])
    unusual = predict({**rows[0], "cut": "Superb", "x": None})
    assert np.isfinite(unusual[0]["value"])


def test_the_export_takes_raw_columns(run, sample, tmp_path):
    version = saved_model.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    tensor_specs = served.structured_input_signature[1]
    assert {
        name: (spec.dtype.name, spec.shape.as_list()) for name, spec in tensor_specs.items()
    } == {
        name: ("string" if column.dtype.kind == "U" else "float32", [None])
        for name, column in sample.inputs.items()
    }
    outputs = served(**{name: tf.constant(column) for name, column in sample.inputs.items()})
    assert {name: (t.dtype.name, t.shape.rank) for name, t in outputs.items()} == {
        "value": ("float32", 1)
    }
    expected = [row["value"] for row in pipelines.pipeline(run.model)(sample.inputs)]
    np.testing.assert_allclose(outputs["value"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.array(["a"] * 256)}, "finite numbers"),
        ({"targets": np.full(256, NAN)}, "finite numbers"),
        ({"targets": np.arange(256.0)}, "logarithm, and 1 targets"),
        ({"targets": np.ones(255)}, r"'carat' of float32 \[255\]; received float32 \[256\]"),
        ({"inputs": np.ones(256)}, "'carat'.*received none of that name"),
        ({"cut": np.ones(256)}, "'cut' of string.*received float64"),
        ({"carat": np.array(["1"] * 256)}, "'carat' of float32.*received <U1"),
    ],
)
def test_a_table_that_does_not_fit_is_named(run, sample, change, message):
    fields = {"inputs": sample.inputs, "targets": sample.targets, "description": "mine"}
    columns = {name: column for name, column in change.items() if name in sample.inputs}
    fields |= {name: value for name, value in change.items() if name in fields}
    if columns:
        fields["inputs"] = {**sample.inputs, **columns}
    with pytest.raises(DataError, match=f"mine: .*{message}"):
        evaluation.evaluate(run.model, data=Examples(**fields))


def two_class_spec():
    """The specification of a model of two classes, in place of the diamonds' prices."""
    package, _ = registry.find("linear_regression")
    return ModelSpec(package, "tabular-classification", ("no", "yes"), tuple(COLUMNS), None)


def classifier():
    inputs = tabular_blocks.model_inputs(COLUMNS)
    embedding = keras.layers.Embedding(4, 2, name="kinds")(inputs["kind"])
    x = tabular_blocks.concatenate(
        [*tabular_blocks.standardized_features(inputs, COLUMNS), embedding], "embedding"
    )
    logits = keras.layers.Dense(2, name="logits")(x)
    return attach_spec(keras.Model(inputs, logits), two_class_spec())


def table_rows(count=8):
    return {
        "size": np.linspace(0, 3, count, dtype="float32"),
        "kind": np.array(["a", "ä", "c d", "?"])[np.arange(count) % 4],
        "age": np.where(np.arange(count) % 3, 1, NAN).astype("float32"),
    }


def test_a_table_can_have_classes(tmp_path):
    model = classifier()
    examples = Examples(table_rows(), np.arange(8) % 2, "eight rows")
    scores = evaluation.evaluate(model, data=examples, slice_by="label")
    assert set(scores["slices"]) == {"no", "yes"}
    predictions = pipelines.pipeline(model)(table_rows())
    is_right = [row["label"] == ("no", "yes")[i % 2] for i, row in enumerate(predictions)]
    assert np.mean(is_right) == scores["accuracy"]
    with pytest.raises(DataError, match="labels from 0 to 1; received 0 to 2"):
        evaluation.evaluate(model, data=Examples(table_rows(), np.arange(8) % 3, "three"))

    version = saved_model.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    outputs = served(**{name: tf.constant(column) for name, column in table_rows().items()})
    assert outputs["label"].numpy().astype("U").tolist() == [row["label"] for row in predictions]
    np.testing.assert_allclose(
        outputs["probabilities"],
        [list(row["probabilities"].values()) for row in predictions],
        atol=1e-5,
    )


def test_a_density_shows_predictions_upwards_and_targets_rightwards():
    from keras_fm.tasks import pictures

    targets = np.array([1.0, 10.0, 100.0])
    density = pictures.prediction_density(targets, targets, log=True, bins=3, zoom=1)[:, :, 0]
    assert density.shape == (3, 3)
    assert (density[::-1].diagonal() == 0).all()
    low = pictures.prediction_density(targets, np.array([1.0, 1.0, 1.0]), log=True, bins=3, zoom=1)[
        :, :, 0
    ]
    assert (low[-1] < 255).all()
    assert (low[:-1] == 255).all()


@pytest.mark.full_data
def test_diamonds_are_split_by_their_order():
    task = ModelSpec.of(registry.find("linear_regression")[0]).task
    train, test = task.data.load("train"), task.data.load("test")
    diamonds = datasets.load("diamonds", "train")
    assert (len(train), len(test), len(diamonds)) == (48_546, 5_394, 53_940)
    np.testing.assert_array_equal(test.targets, diamonds.targets[len(train) :])


def model_of(name, columns, target=None):
    package, _ = registry.find(name)
    task, labels = (
        ("tabular-regression", ()) if target else ("tabular-classification", ("no", "yes"))
    )
    return building.build(ModelSpec(package, task, labels, tuple(columns), target))


def columns_of(names, first_dtype):
    """Numeric and categorical columns by turns."""
    dtypes = ["string", "float32"] if first_dtype == "string" else ["float32", "string"]
    return [
        Input(name=name, dtype=dtypes[index % 2], shape=[], description="",
              categories=["u", "v"] if dtypes[index % 2] == "string" else [])
        for index, name in enumerate(names)
    ]  # fmt: skip


@pytest.mark.parametrize("first_dtype", ["string", "float32"])
@pytest.mark.parametrize("log", [None, False, True])
@pytest.mark.parametrize("model", ["linear_regression", "mlp"])
def test_a_column_can_have_the_name_of_a_layer(model, log, first_dtype):
    target = None if log is None else Target(name="price", description="", log=log)
    names = ["a", "b"]
    layers = {
        layer.name for layer in model_of(model, columns_of(names, first_dtype), target).layers
    }
    names = [*names, *sorted(layers - {*names}), "a_is", "embed_a", "logits_column", "exponential"]
    columns = columns_of(dict.fromkeys(names), first_dtype)
    built = model_of(model, columns, target)
    assert layers - {*names[:2]} <= {layer.name for layer in built.layers}
    sanitized = {name: name for name in names}
    assert sanitized_names(names) == sanitized, "a signature's names stay"
    rows = {
        column.name: ["u", "v"] if column.dtype == "string" else [1.0, 2.0] for column in columns
    }
    task, targets = task_of(built), np.array([1, 0] if log is None else [10.0, 1000.0])
    examples = task.data.encode(Examples(table_inputs.read_rows(rows, columns), targets, "two"))
    tabular_blocks.adapt_features(built, examples.inputs, examples.targets)
    if log is not None:
        expected = np.exp(np.log(targets).mean()) if log else targets.mean()
        [value, _] = pipelines.pipeline(built)(rows)
        assert value["value"] == pytest.approx(expected, rel=1e-5)


def test_an_export_takes_a_column_with_the_name_of_a_layer(tmp_path):
    names = ["logits", "scale", "Age", "age", "self"]
    model = model_of("mlp", columns_of(names, "float32"))
    version = saved_model.export(model, tmp_path / "export", warmup=False)
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    tensor_specs = served.structured_input_signature[1]
    assert set(tensor_specs) == {"logits", "scale", "Age_39b737", "age_013f54", "column_self"}
    model.save(tmp_path / "model.keras")
    assert [*keras.models.load_model(tmp_path / "model.keras").input] == [*model.input]


@pytest.mark.parametrize(
    "value",
    [None, pd.NA, pd.NaT, NAN, "", "NA", "<NA>", "-nan", "#N/A", "1.#QNAN", np.array(NAN)],
    ids=repr,
)
def test_a_missing_number_of_any_kind_is_nan(value):
    for inputs in ({"age": value}, [{"age": value}, {"age": 2}], {"age": [value, 2]},
                   pd.DataFrame({"age": [value, 2]})):  # fmt: skip
        assert np.isnan(table_inputs.read_rows(inputs, [COLUMNS[2]])["age"][0])


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, NAN, "", " "])
def test_a_missing_string_of_any_kind_is_empty(value):
    for inputs in ({"kind": value}, [{"kind": value}, {"kind": "a"}], {"kind": [value, "a"]}):
        assert table_inputs.read_rows(inputs, [COLUMNS[1]])["kind"][0] == ""


@pytest.mark.parametrize(
    "value", ["a", " a", "a ", "\ta", b"a", " a\xa0", np.str_("a"), np.array("a"), tf.constant("a")]
)
def test_a_category_has_no_outer_blanks(value):
    for inputs in ({"kind": value}, [{"kind": value}], {" kind": [value]}):
        assert table_inputs.read_rows(inputs, [COLUMNS[1]])["kind"].tolist() == ["a"]


def test_a_category_of_a_model_of_before_keeps_its_blanks():
    column = Input(name=" k", dtype="string", shape=[], description="", categories=[" a", "b"])
    raw = table_inputs.read_rows({"k": [" a", "a", "b ", "c"]}, [column])
    assert raw[" k"].tolist() == [" a", " a", "b", "c"]
    assert tables.encode([column], raw)["column__k"].tolist() == [1, 1, 2, 0]


def test_a_served_category_has_no_outer_blanks():
    cells = np.array(["a", " a", "c d ", "\tc d", " c", ""])
    assert tables.encode([COLUMNS[1]], {"kind": cells})["kind"].tolist() == [1, 1, 3, 3, 0, 0]


def test_accents_are_composed():
    raw = table_inputs.read_rows({"kind": ["a\u0308", "ä"]}, [COLUMNS[1]])
    assert raw["kind"].tolist() == ["ä", "ä"]


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], {1}, object()], ids=["dict", "list", "set", "object"]
)
def test_a_cell_that_is_no_text_is_named_by_its_type(value):
    with pytest.raises(
        InvalidInputError, match=f"'kind', row 1: .* received {type(value).__name__}"
    ):
        table_inputs.read_rows([{"kind": "a"}, {"kind": value}], [COLUMNS[1]])


@pytest.mark.parametrize(
    "value", [10**400, "1e400", 1e39, "1e39", -(10**400)], ids=lambda x: f"{x!r:.6}"
)
def test_a_number_beyond_float32_is_named(value):
    for inputs in ({"age": value}, [{"age": value}], pd.DataFrame({"age": [value]})):
        with pytest.raises(InvalidInputError, match=r"'age', row 0: .*that float32 holds") as error:
            table_inputs.read_rows(inputs, [COLUMNS[2]])
        assert len(str(error.value)) < 200


def test_columns_can_be_named_by_numbers():
    columns = [Input(name="0", dtype="float32", shape=[], description="")]
    for inputs in ({0: 1.5}, [{0: 1.5}], pd.DataFrame({0: [1.5]}), {"0": 1.5}, {" 0": [1.5]}):
        assert table_inputs.read_rows(inputs, columns)["0"].tolist() == [1.5]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"age": [1], " age": [2]}, "two columns have the name 'age'"),
        ([{"0": 1, 0: 2}], "two columns have the name '0'"),
        (pd.DataFrame([[1, 2]], columns=["age", "age"]), "has two columns 'age'"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
         "has columns of 2 levels"),
        ({"age": [[1], [1, 2]]}, r"'age', row 0: expected a number, .* received \[1\]"),
    ],
)  # fmt: skip
def test_ambiguous_columns_are_named(inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        table_inputs.read_rows(inputs, [COLUMNS[2]])


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_rows_of_other_libraries_are_read(library):
    module = pytest.importorskip(library)
    convert = module.table if library == "pyarrow" else module.DataFrame
    inputs = convert({"kind": ["a", None], "size": [1.5, 2.0], "age": [1, None]})
    raw = table_inputs.read_rows(inputs, COLUMNS)
    assert raw["kind"].tolist() == ["a", ""]
    np.testing.assert_array_equal(raw["age"], np.array([1, NAN], "float32"))


def test_rows_of_json_and_parquet_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"kind": " a", "size": 1.5, "age": null}\n')
    frame = pd.DataFrame({"kind": ["ä"], "size": [2.0], "age": ["7"]})
    files = [tmp_path / "a.jsonl"]
    if pytest.importorskip("pyarrow"):
        frame.to_parquet(tmp_path / "b.parquet")
        files.append(tmp_path / "b.parquet")
    raw = table_inputs.read_rows(files, COLUMNS)
    assert raw["kind"].tolist() == ["a", "ä"]
    np.testing.assert_array_equal(raw["age"], np.array([NAN, 7], "float32"))


def test_a_row_longer_than_the_header_is_named_where_it_is_predicted(tmp_path):
    (tmp_path / "rows.csv").write_text("kind,size,age\na,1,2,\na,1,2,3\n")
    with pytest.raises(DataError, match=r"rows\.csv, line 3: expected 3 cells"):
        table_inputs.read_rows(tmp_path / "rows.csv", COLUMNS)


def regression_on(table, tmp_path, model, epochs):
    """Train on a table; return r2 on the validation examples, the history and the model."""
    path = tmp_path / f"run{len([*tmp_path.iterdir()])}"
    run = training.train(
        model, data=pd.DataFrame(table), target="y", epochs=epochs, learning_rate=0.02, run_dir=path
    )
    return run.metrics["r2"], [row["val_rmse"] for row in _rows(run.history)], run.model


def _rows(history):
    return [
        dict(zip(history, values, strict=True)) for values in zip(*history.values(), strict=True)
    ]


@pytest.mark.parametrize(("model", "epochs"), [("linear_regression", 8), ("mlp", 2)])
def test_what_is_learned_does_not_depend_on_the_unit(tmp_path, model, epochs):
    random = np.random.default_rng(0)
    x, z, noise = random.normal(size=(3, 300))
    y = 2 * x - z + 0.3 * noise + 1
    table = {"x": x, "z": z, "y": y}
    r2, rmse, _ = regression_on(table, tmp_path, model, epochs)
    assert r2 > 0.7
    units = [(1e-9, 1e-6), (1e20, 1e12), (1e-3, 1e6), (1e30, 1e30)]
    for x_unit, y_unit in [*units, (25.4, 0.0254)] if model == "linear_regression" else units:
        scaled = {"x": x * x_unit, "z": z, "y": y * y_unit}
        scaled_r2, scaled_rmse, trained = regression_on(scaled, tmp_path, model, epochs)
        assert scaled_r2 == pytest.approx(r2, abs=2e-3)
        assert np.array(scaled_rmse) / y_unit == pytest.approx(np.array(rmse), rel=1e-2)
        row = {"x": x_unit, "z": 0.0}
        [prediction] = pipelines.pipeline(trained)(row)
        assert prediction["value"] / y_unit == pytest.approx(3, abs=1.5)


def test_a_column_in_another_unit_is_served(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    frame = pd.DataFrame({"x": x * 1e20, "k": ["a", "b"] * 30, "y": x * 1e-9})
    run = training.train(
        "linear_regression", data=frame, target="y", epochs=1, run_dir=tmp_path / "run"
    )
    version = saved_model.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    outputs = served(x=tf.constant([1e20, -2e20]), k=tf.constant(["a", " b"]))
    rows = [{"x": 1e20, "k": "a"}, {"x": -2e20, "k": "b"}]
    for model in (run.model, loading.get(run.path)):
        expected = [row["value"] for row in pipelines.pipeline(model)(rows)]
        np.testing.assert_allclose(outputs["value"], expected, rtol=1e-5)


def test_statistics_are_computed_in_float64():
    columns = [Input(name="x", dtype="float32", shape=[], description="")]
    model = model_of("linear_regression", columns, Target(name="y", description=""))
    x = (1e6 + np.arange(1000) % 2).astype("float32")
    tabular_blocks.adapt_features(model, {"x": x}, x.astype("float64"))
    for name in ("normalization", "scale"):
        variance = np.asarray(model.get_layer(name).variance).item()
        assert variance == pytest.approx(0.25, rel=1e-6)
