"""Tasks on tables: training, evaluation, predictions and exports."""

import functools

import helpers
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.evaluation import evaluation
from keras_fm.layers import ImputeMissing, tabular_blocks
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec, attach_spec
from keras_fm.preprocessing.tables.columns import sanitized_names
from keras_fm.preprocessing.tables.inputs import read_rows
from keras_fm.registry.entry import Input, Target
from keras_fm.tasks.base import task_of
from keras_fm.training import training

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
    slices = evaluation.evaluate(run.model, split="sample", slice_by="cut")["slices"]["cut"]
    assert set(slices) == set(sample.inputs["cut"])
    ideal = sample.subset(sample.inputs["cut"] == "Ideal", "ideal ones")
    alone = evaluation.evaluate(run.model, data=ideal)
    assert slices["Ideal"]["rmse_log"] == pytest.approx(alone["rmse_log"], rel=1e-5)


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
    version = helpers.export(run.path, tmp_path / "export")
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
    """The specification of a model of two classes."""
    package, _ = registry.find("linear_regression")
    return ModelSpec(
        package, "tabular-classification", ("no", "yes"), tuple(helpers.TABLE_COLUMNS), None
    )


def classifier():
    inputs = tabular_blocks.model_inputs(helpers.TABLE_COLUMNS)
    embedding = keras.layers.Embedding(4, 2, name="kinds")(inputs["kind"])
    x = tabular_blocks.concatenate(
        [*tabular_blocks.standardized_features(inputs, helpers.TABLE_COLUMNS), embedding],
        "embedding",
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
    assert set(scores["slices"]["label"]) == {"no", "yes"}
    predictions = pipelines.pipeline(model)(table_rows())
    is_right = [row["label"] == ("no", "yes")[i % 2] for i, row in enumerate(predictions)]
    assert np.mean(is_right) == scores["accuracy"]
    with pytest.raises(DataError, match="labels from 0 to 1; received 0 to 2"):
        evaluation.evaluate(model, data=Examples(table_rows(), np.arange(8) % 3, "three"))

    version = helpers.export(model, tmp_path / "export")
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
@pytest.mark.parametrize("log", [None, pytest.param(False, marks=pytest.mark.thorough), True])
@pytest.mark.parametrize("model", helpers.first(["linear_regression", "mlp"], 1))
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
    examples = task.data.encode(Examples(read_rows(rows, columns), targets, "two"))
    tabular_blocks.adapt_features(built, examples.inputs, examples.targets)
    if log is not None:
        expected = np.exp(np.log(targets).mean()) if log else targets.mean()
        [value, _] = pipelines.pipeline(built)(rows)
        assert value["value"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.thorough
def test_an_export_takes_a_column_with_the_name_of_a_layer(tmp_path):
    names = ["logits", "scale", "Age", "age", "self"]
    model = model_of("mlp", columns_of(names, "float32"))
    version = helpers.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    tensor_specs = served.structured_input_signature[1]
    assert set(tensor_specs) == {"logits", "scale", "Age_39b737", "age_013f54", "column_self"}
    model.save(tmp_path / "model.keras")
    assert [*keras.models.load_model(tmp_path / "model.keras").input] == [*model.input]


@pytest.fixture(scope="module")
def learned_in(tmp_path_factory):
    """`learned_in("mlp", 1e3, 1e-6)`: r2, losses and a prediction, of x and y in these units."""

    @functools.cache
    def learn(model, x_unit, y_unit):
        x, z, noise = np.random.default_rng(0).normal(size=(3, 300))
        y = 2 * x - z + 0.3 * noise + 1
        frame = pd.DataFrame({"x": x * x_unit, "z": z, "y": y * y_unit})
        rate = {"linear_regression": 0.1, "mlp": 0.02}[model]
        # A step on two rows is so large that rounding errors of the units grow.
        options = {"epochs": 2, "learning_rate": rate, "drop_remainder": True}
        path = tmp_path_factory.mktemp("units") / "run"
        run = training.train(model, data=frame, target="y", run_dir=path, **options)
        [prediction] = pipelines.pipeline(run.model)({"x": x_unit, "z": 0.0})
        losses = np.array(run.history["val_rmse"]) / y_unit
        return run.metrics["r2"], losses, prediction["value"] / y_unit

    return learn


@pytest.mark.parametrize(
    ("model", "x_unit", "y_unit"),
    [
        ("linear_regression", 1e-9, 1e-6),
        pytest.param("linear_regression", 1e30, 1e30, marks=pytest.mark.thorough),
        pytest.param("linear_regression", 1e20, 1e12, marks=pytest.mark.thorough),
        pytest.param("linear_regression", 1e-3, 1e6, marks=pytest.mark.thorough),
        pytest.param("linear_regression", 25.4, 0.0254, marks=pytest.mark.thorough),
        pytest.param("mlp", 1e20, 1e12, marks=pytest.mark.by_hand),
        pytest.param("mlp", 1e-9, 1e-6, marks=pytest.mark.by_hand),
        pytest.param("mlp", 1e30, 1e30, marks=pytest.mark.by_hand),
        pytest.param("mlp", 1e-3, 1e6, marks=pytest.mark.by_hand),
    ],
)
def test_what_is_learned_does_not_depend_on_the_unit(model, x_unit, y_unit, learned_in):
    r2, losses, _ = learned_in(model, 1.0, 1.0)
    assert r2 > 0.7
    scaled_r2, scaled_losses, prediction = learned_in(model, x_unit, y_unit)
    assert scaled_r2 == pytest.approx(r2, abs=2e-3)
    # Of an ensemble with more parameters rounding makes more of a difference.
    assert scaled_losses == pytest.approx(losses, rel=5e-2 if model == "mlp" else 1e-2)
    assert prediction == pytest.approx(3, abs=1.5)


@pytest.mark.thorough
def test_a_column_in_another_unit_is_served(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    y = (x + random.normal(size=60) / 10) * 1e-9
    frame = pd.DataFrame({"x": x * 1e20, "k": ["a", "b"] * 30, "y": y})
    run = training.train(
        "linear_regression", data=frame, target="y", epochs=1, run_dir=tmp_path / "run"
    )
    version = helpers.export(run.path, tmp_path / "export")
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
