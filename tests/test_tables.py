import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import (
    data,
    evaluating,
    exporting,
    models,
    monitoring,
    own_tables,
    pipelines,
    runs,
    tables,
    tasks,
    training,
)
from keras_fm.data import Examples
from keras_fm.entry import Input
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.identity import Identity
from keras_fm.layers import FillMissing

COLUMNS = [
    Input(name="size", dtype="float32", shape=[], meaning="", missing=0.0),
    Input(name="kind", dtype="string", shape=[], meaning="", values=["a", "ä", "c d"]),
    Input(name="age", dtype="float32", shape=[], meaning=""),
]
NAN = float("nan")


@pytest.fixture(scope="module")
def sample():
    return data.sample("diamonds")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An epoch of linear_regression on the bundled sample."""
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


def test_encoding_finds_places_and_missing_numbers():
    encoded = tables.encode(
        COLUMNS,
        {
            "size": np.array([0.0, 2.0, NAN], "float32"),
            "kind": np.array(["c d", "never seen", "ä"]),
            "age": np.array([0.0, NAN, 1.0], "float32"),
            "other": np.array([1, 2, 3]),
        },
    )
    assert list(encoded) == ["size", "kind", "age"]
    np.testing.assert_array_equal(encoded["size"], [NAN, 2, NAN])
    np.testing.assert_array_equal(encoded["age"], [0, NAN, 1])
    assert encoded["kind"].tolist() == [3, 0, 2]
    assert encoded["kind"].dtype == np.int32


@pytest.mark.parametrize("kind", ["rows", "columns", "csv", "csv path"])
def test_rows_are_read_from_what_a_user_has(kind, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("kind,size,note,age\nä,1.5,x,\n,2,y,7\n", "utf-8")
    given = {
        "rows": [{"kind": "ä", "size": 1.5, "age": None}, {"kind": None, "size": "2", "age": 7}],
        "columns": {"kind": ["ä", ""], "size": np.array([1.5, 2]), "age": [NAN, 7]},
        "csv": [str(file)],
        "csv path": file,
    }[kind]
    read = tables.read(given, COLUMNS)
    np.testing.assert_array_equal(read["size"], np.array([1.5, 2], "float32"))
    np.testing.assert_array_equal(read["age"], np.array([NAN, 7], "float32"))
    assert read["kind"].tolist() == ["ä", ""]


def test_one_row_is_a_table():
    read = tables.read({"kind": "a", "size": 1, "age": 2}, COLUMNS)
    assert [column.shape for column in read.values()] == [(1,)] * 3


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([], "received an empty list"),
        (3, "received int"),
        ([1, 2], "received list"),
        ([{"kind": "a"}], "no column 'size'; received kind"),
        ({"kind": ["a"], "size": ["big"], "age": [1]}, "'size': expected numbers.*big"),
        ({"kind": ["a"], "size": [1, 2], "age": [1]}, "'size': 2.*rows"),
        ({"kind": [], "size": [], "age": []}, "one row or more"),
    ],
)
def test_what_is_no_table_is_named(given, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        tables.read(given, COLUMNS)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(
        DataError, match=r"nowhere\.csv can't be read as a CSV file: .*No such file"
    ):
        tables.read("nowhere.csv", COLUMNS)


def test_missing_numbers_become_the_mean_and_are_told():
    filled = np.asarray(FillMissing()(np.array([[1.0, NAN], [NAN, 2.0]], "float32")))
    np.testing.assert_array_equal(filled, [[1, 0, 0, 1], [0, 2, 1, 0]])


def test_standardising_knows_only_the_numbers_that_are_there(run):
    room = models.registry.find("linear_regression")[0]
    model = models.build(room, models.identity_of(room))
    columns = {
        given.name: np.zeros(4, given.dtype) if given.dtype == "int32" else np.ones(4, "float32")
        for given in model.inputs
    }
    columns["carat"] = np.array([1, 3, NAN, NAN], "float32")
    prices = np.exp([1.0, 2.0, 3.0, 4.0])
    tables.standardise(model, Examples(columns, prices, "four"))
    assert np.asarray(model.get_layer("normalise").mean)[0, 0] == pytest.approx(2)
    assert np.asarray(model.get_layer("scale").mean).item() == pytest.approx(2.5)
    # With weights of zero a linear model answers the mean.
    assert np.asarray(model(columns)) == pytest.approx(np.exp(2.5), rel=1e-5)


def test_a_regression_is_measured_on_the_log(run, sample):
    scores = evaluating.evaluate(run.model, split="sample")
    task = tasks.of(run.model)
    answers = np.asarray(run.model(task.encode(sample).inputs), "float64")
    log_error = np.log(answers) - np.log(sample.targets.astype("float64"))
    assert scores["rmse_log"] == pytest.approx(np.sqrt((log_error**2).mean()), rel=1e-6)
    error = answers - sample.targets
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert scores["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    explained = 1 - (error**2).mean() / sample.targets.astype("float64").var()
    assert scores["r2"] == pytest.approx(explained, rel=1e-6)
    assert scores["examples"] == 256


def test_the_history_has_the_same_metric(run):
    assert run.history["val_rmse_log"][-1] == pytest.approx(run.metrics["rmse_log"], rel=1e-4)


def test_a_regression_can_be_measured_by_a_column(run, sample):
    slices = evaluating.evaluate(run.model, split="sample", slices="cut")["slices"]
    assert set(slices) == set(sample.inputs["cut"])
    ideal = sample.take(sample.inputs["cut"] == "Ideal", "ideal ones")
    alone = evaluating.evaluate(run.model, data=ideal)
    assert slices["Ideal"] == pytest.approx(alone["rmse_log"], rel=1e-5)


def test_answers_are_quantities(run, sample):
    ask = pipelines.pipeline(run.model)
    rows = [{name: column[i].item() for name, column in sample.inputs.items()} for i in range(5)]
    expected = np.asarray(run.model(tasks.of(run.model).encode(sample).inputs))[:5]
    answered = [answer["value"] for answer in ask(rows)]
    np.testing.assert_allclose(answered, expected, rtol=1e-5)
    assert ask(rows[0]) == ask(rows[:1])
    strange = ask({**rows[0], "cut": "Superb", "x": None})
    assert np.isfinite(strange[0]["value"])


def test_the_export_takes_raw_columns(run, sample, tmp_path):
    version = exporting.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    given = served.structured_input_signature[1]
    assert {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in given.items()} == {
        name: ("string" if column.dtype.kind == "U" else "float32", [None])
        for name, column in sample.inputs.items()
    }
    answers = served(**{name: tf.constant(column) for name, column in sample.inputs.items()})
    assert {name: (t.dtype.name, t.shape.rank) for name, t in answers.items()} == {
        "value": ("float32", 1)
    }
    expected = [answer["value"] for answer in pipelines.pipeline(run.model)(sample.inputs)]
    np.testing.assert_allclose(answers["value"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "complaint"),
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
def test_a_table_that_does_not_fit_is_named(run, sample, change, complaint):
    parts = {"inputs": sample.inputs, "targets": sample.targets, "origin": "mine"}
    columns = {name: column for name, column in change.items() if name in sample.inputs}
    parts |= {name: part for name, part in change.items() if name in parts}
    if columns:
        parts["inputs"] = {**sample.inputs, **columns}
    with pytest.raises(DataError, match=f"mine: .*{complaint}"):
        evaluating.evaluate(run.model, data=Examples(**parts))


def two_classes():
    """An identity for a table with two labels, in place of the diamonds' prices."""
    entry = models.registry.info("linear_regression")
    return Identity(entry, "table-classification", ("no", "yes"), tuple(COLUMNS), None)


def classifier():
    inputs = tables.model_inputs(COLUMNS)
    places = keras.layers.Embedding(4, 2, name="kinds")(inputs["kind"])
    x = tables.join([*tables.standard_numbers(inputs, COLUMNS), places], "embedding")
    logits = keras.layers.Dense(2, name="logits")(x)
    return models.mark(keras.Model(inputs, logits), two_classes())


def some_rows(count=8):
    return {
        "size": np.linspace(0, 3, count, dtype="float32"),
        "kind": np.array(["a", "ä", "c d", "?"])[np.arange(count) % 4],
        "age": np.where(np.arange(count) % 3, 1, NAN).astype("float32"),
    }


def test_a_table_can_have_classes(tmp_path):
    model = classifier()
    examples = Examples(some_rows(), np.arange(8) % 2, "eight rows")
    scores = evaluating.evaluate(model, data=examples, slices="label")
    assert set(scores["slices"]) == {"no", "yes"}
    answers = pipelines.pipeline(model)(some_rows())
    right = [answer["label"] == ("no", "yes")[i % 2] for i, answer in enumerate(answers)]
    assert np.mean(right) == scores["accuracy"]
    with pytest.raises(DataError, match="labels from 0 to 1; received 0 to 2"):
        evaluating.evaluate(model, data=Examples(some_rows(), np.arange(8) % 3, "three"))

    version = exporting.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    asked = served(**{name: tf.constant(column) for name, column in some_rows().items()})
    assert asked["label"].numpy().astype("U").tolist() == [answer["label"] for answer in answers]
    np.testing.assert_allclose(
        asked["probabilities"], [list(a["probabilities"].values()) for a in answers], atol=1e-5
    )


def test_a_picture_shows_answers_upwards_and_truth_rightwards():
    from keras_fm import pictures

    truth = np.array([1.0, 10.0, 100.0])
    drawn = pictures.agreement(truth, truth, log=True, bins=3, zoom=1)[:, :, 0]
    assert drawn.shape == (3, 3)
    assert (drawn[::-1].diagonal() == 0).all()
    low = pictures.agreement(truth, np.array([1.0, 1.0, 1.0]), log=True, bins=3, zoom=1)[:, :, 0]
    assert (low[-1] < 255).all()
    assert (low[:-1] == 255).all()


@pytest.mark.full_data
def test_diamonds_are_split_by_their_order():
    task = tasks.of(models.identity_of(models.registry.find("linear_regression")[0]))
    train, test = task.load("train"), task.load("test")
    whole = data.load("diamonds", "train")
    assert (len(train), len(test), len(whole)) == (48_546, 5_394, 53_940)
    np.testing.assert_array_equal(test.targets, whole.targets[len(train) :])


@pytest.fixture
def own(tmp_path):
    """A table that is sorted by its classes, with holes, a text, an id and a constant column."""
    random = np.random.default_rng(0)
    lines = ["id,mean size,a/b,member,country,rating"]
    for number in range(300):
        good = number >= 100
        size = random.normal(2.0 if good else -2.0)
        kind = random.choice(["x", "y"] if good else ["y", "z"])
        cells = [f"C{number}", f"{size:.3f}", kind, str(good ^ (number % 5 == 0)), "FR"]
        cells[1 + number % 2] = "" if number % 10 < 2 else cells[1 + number % 2]
        lines.append(",".join([*cells, "good" if good else "bad"]))
    lines.append("C300,1.0,x,True,FR,")
    file = tmp_path / "own.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def learn_own(file, path, **options):
    given = {"target": "rating", "epochs": 20, **options}
    return training.train("linear_regression", data=file, run_dir=path, **given)


def test_a_model_learns_from_a_users_table(own, tmp_path):
    run = learn_own(own, tmp_path / "run")
    about = runs.read(run.path)
    assert about["task"] == "table-classification"
    assert about["labels"] == ["bad", "good"]
    assert [given["name"] for given in about["inputs"]] == ["mean size", "a/b", "member"]
    assert about["inputs"][1]["values"] == ["x", "y", "z"]
    assert run.metrics["accuracy"] > 0.9 > 0.75 > run.baseline["accuracy"] > 0.5
    report = run.report()
    for part in ("'id' was left out", "'country' was left out", "1 rows without 'rating'",
                 "without a look at the inputs: accuracy"):  # fmt: skip
        assert part in report

    opened = runs.open_run(run.path).model
    row = {"mean size": 2.5, "a/b": "never seen", "member": None}
    (answer,) = pipelines.pipeline(opened)(row)
    assert answer["label"] == "good"
    assert evaluating.evaluate(opened, data=own)["accuracy"] > 0.9
    with pytest.raises(DataError, match="learned from other data than diamonds"):
        evaluating.evaluate(opened)

    version = exporting.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    answers = served(
        mean_size=tf.constant([2.5]), a_b=tf.constant(["never seen"]), member=tf.constant([NAN])
    )
    assert answers["label"].numpy() == [b"good"]


def test_a_quantity_is_a_regression(own, tmp_path):
    run = learn_own(own, tmp_path / "run", target="mean size")
    assert runs.read(run.path)["task"] == "table-regression"
    assert run.metrics["rmse"] < 0.7 * run.baseline["rmse"]
    assert run.baseline["r2"] == pytest.approx(0, abs=0.1)


def test_the_kind_can_be_said(tmp_path):
    file = tmp_path / "stars.csv"
    rows = [f"{number % 7},{number % 5}" for number in range(100)]
    file.write_text("\n".join(["a,stars", *rows]))
    identity = models.identity_of(models.registry.find("linear_regression")[0])
    found, examples, _ = own_tables.learn(file, "stars", identity)
    assert (found.task, found.labels) == ("table-classification", ("0", "1", "2", "3", "4"))
    assert sorted(set(examples.targets)) == [0, 1, 2, 3, 4]
    found, examples, _ = own_tables.learn(file, "stars", identity, kind="regression")
    assert (found.task, found.labels) == ("table-regression", ())
    assert examples.targets.max() == 4.0


def test_the_same_seed_gives_the_same_rows(own):
    identity = models.identity_of(models.registry.find("linear_regression")[0])
    one, other, third = (own_tables.learn(own, "rating", identity, seed=s)[1] for s in (1, 1, 2))
    np.testing.assert_array_equal(one.targets, other.targets)
    assert not np.array_equal(one.targets, third.targets)


def test_a_training_on_a_users_table_can_be_resumed(own, tmp_path, monkeypatch):
    whole = learn_own(own, tmp_path / "whole", epochs=3)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    callbacks = monitoring.callbacks
    monkeypatch.setattr(monitoring, "callbacks", lambda *given: [*callbacks(*given), Stop()])
    with pytest.raises(KeyboardInterrupt, match=r"--target rating .*--resume"):
        learn_own(str(own), tmp_path / "stopped", epochs=3)
    monkeypatch.undo()
    resumed = training.train(
        "linear_regression",
        data=str(own),
        target="rating",
        run_dir=tmp_path / "stopped",
        resume=True,
    )
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"target": None}, InvalidInputError, "which column"),
        ({"target": "ratings"}, DataError, "no column 'ratings'.*'rating'"),
        ({"kind": "ranking"}, InvalidInputError, "'ranking'"),
        ({"kind": "regression"}, DataError, "expected numbers in 'rating'; received"),
        ({"target": "country"}, DataError, "every row has the class 'FR'"),
        ({"data": "nowhere.csv"}, DataError, r"nowhere\.csv can't be read"),
        ({"data": None}, InvalidInputError, "for a CSV file"),
        ({"data": 3, "target": None}, DataError, "received 3"),
    ],
)
def test_a_users_mistake_is_named_and_leaves_nothing(own, tmp_path, options, error, complaint):
    given = {"data": own, "target": "rating", **options}
    with pytest.raises(error, match=complaint):
        training.train("linear_regression", run_dir=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_a_model_of_images_takes_no_table(own, tmp_path, small_run):
    with pytest.raises(DataError, match="does not learn from tables"):
        training.train("cifar_cnn_basic", data=own, target="rating", run_dir=tmp_path / "run")
    with pytest.raises(DataError, match="does not learn from tables"):
        evaluating.evaluate(small_run.model, data=own)


def test_names_become_plain_and_stay_different():
    columns = [
        Input(name=name, dtype="float32", shape=[], meaning="")
        for name in ("a b", "a/b", "ä", "1st", "fine_1")
    ]
    plain = tables.plain_names(columns)
    assert list(plain) == ["a b", "a/b", "ä", "1st", "fine_1"]
    assert len(set(plain.values())) == 5
    assert plain["fine_1"] == "fine_1"
    assert all(name.isascii() and name.isidentifier() for name in plain.values())
