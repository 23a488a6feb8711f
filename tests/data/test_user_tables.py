"""Tables of a user's own."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets, user_tables
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, DataWarning, InvalidInputError, RunError
from keras_fm.evaluation import evaluation
from keras_fm.exporting import saved_model
from keras_fm.models import run_files, spec
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.preprocessing import table_inputs
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs, monitoring, runs, training

NAN = float("nan")

# The table below has a row without a rating.
pytestmark = pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")


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


def learn_own(file, path, model="linear_regression", **options):
    given = {"target": "rating", "epochs": 20, **options}
    return training.train(model, data=file, run_dir=path, **given)


@pytest.mark.parametrize("model", ["linear_regression", "mlp"])
def test_a_model_learns_from_a_users_table(own, tmp_path, model):
    run = learn_own(own, tmp_path / "run", model)
    about = run_files.read_run(run.path)
    assert about["task"] == "tabular-classification"
    assert about["labels"] == ["bad", "good"]
    assert [given["name"] for given in about["inputs"]] == ["mean size", "a/b", "member"]
    assert about["inputs"][1]["values"] == ["x", "y", "z"]
    assert run.metrics["accuracy"] > 0.9 > 0.75 > run.baseline["accuracy"] > 0.5
    report = run.report()
    for part in ("'id' was left out", "'country' was left out", "1 rows without 'rating'",
                 f"auc {run.metrics['auc']:.4f}", "auc 0.5000",
                 "without a look at the inputs: accuracy"):  # fmt: skip
        assert part in report

    opened = runs.load_run(run.path).model
    row = {"mean size": 2.5, "a/b": "never seen", "member": None}
    (answer,) = pipelines.pipeline(opened)(row)
    assert answer["label"] == "good"
    assert evaluation.evaluate(opened, data=own)["accuracy"] > 0.9
    with pytest.raises(DataError, match="learned from other data than diamonds"):
        evaluation.evaluate(opened)

    version = saved_model.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    answers = served(
        mean_size=tf.constant([2.5]), a_b=tf.constant(["never seen"]), member=tf.constant([NAN])
    )
    assert answers["label"].numpy() == [b"good"]


def test_a_quantity_is_a_regression(own, tmp_path):
    run = learn_own(own, tmp_path / "run", target="mean size")
    assert run_files.read_run(run.path)["task"] == "tabular-regression"
    assert run.metrics["rmse"] < 0.7 * run.baseline["rmse"]
    assert run.baseline["r2"] == pytest.approx(0, abs=0.1)


def test_the_kind_can_be_said(tmp_path):
    file = tmp_path / "stars.csv"
    rows = [f"{number % 7},{number % 5}" for number in range(100)]
    file.write_text("\n".join(["a,stars", *rows]))
    identity = spec.default_spec(registry.find("linear_regression")[0])
    found, examples, _ = user_tables.load_table(UserData(file, target="stars"), identity)
    assert (found.task, found.labels) == ("tabular-classification", ("0", "1", "2", "3", "4"))
    assert sorted(set(examples.targets)) == [0, 1, 2, 3, 4]
    found, examples, _ = user_tables.load_table(
        UserData(file, target="stars", problem_type="regression"), identity
    )
    assert (found.task, found.labels) == ("tabular-regression", ())
    assert examples.targets.max() == 4.0


def test_the_same_seed_gives_the_same_rows(own):
    identity = spec.default_spec(registry.find("linear_regression")[0])
    source = UserData(own, target="rating")
    one, other, third = (user_tables.load_table(source, identity, seed=s)[1] for s in (1, 1, 2))
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
        ({"target": "country"}, DataError, "every example has the class 'FR'"),
        ({"data": "nowhere.csv"}, DataError, r"nowhere\.csv can't be read"),
        ({"data": None}, InvalidInputError, "for a CSV file"),
        ({"data": "sample"}, InvalidInputError, "for a CSV file"),
        ({"data": 3, "target": None}, DataError, "received 3"),
    ],
)
def test_a_users_mistake_is_named_and_leaves_nothing(own, tmp_path, options, error, complaint):
    given = {"data": own, "target": "rating", **options}
    with pytest.raises(error, match=complaint):
        training.train("linear_regression", run_dir=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_a_model_of_images_takes_no_table(own, tmp_path, small_run):
    with pytest.raises(InvalidInputError, match="target and kind are for a CSV file"):
        training.train("cifar_cnn_basic", data=own, target="rating", run_dir=tmp_path / "run")
    with pytest.raises(DataError, match=r"own\.csv is a file; expected a folder"):
        evaluation.evaluate(small_run.model, data=own)


def test_a_run_can_not_go_on_with_another_table(own, tmp_path, monkeypatch):
    def interrupt(*given, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            learn_own(own, tmp_path / "run")
    own.write_text(own.read_text().replace(",z,", ",zz,"))
    with pytest.raises(RunError, match="other columns or classes"):
        training.train(
            "linear_regression", data=own, target="rating", run_dir=tmp_path / "run", resume=True
        )


@pytest.mark.parametrize(
    ("rows", "labels"),
    [(["10", "9", "9", "10"], ("9", "10")), (["a", "1", "1", "a"], ("1", "a"))],
)
def test_classes_are_numbers_in_their_order_or_words(tmp_path, rows, labels):
    file = tmp_path / "own.csv"
    file.write_text("\n".join(["size,rating", *(f"{n},{row}" for n, row in enumerate(rows))]))
    identity = spec.default_spec(registry.find("linear_regression")[0])
    found, _, _ = user_tables.load_table(
        UserData(file, target="rating", problem_type="classification"), identity
    )
    assert found.labels == labels


def test_a_class_of_two_lines_is_named(tmp_path):
    file = tmp_path / "own.csv"
    file.write_text('size,rating\n1,"a\nb"\n2,c\n3,c\n4,"a\nb"\n')
    identity = spec.default_spec(registry.find("linear_regression")[0])
    with pytest.raises(DataError, match=r"'rating': labels is a list.*printable"):
        user_tables.load_table(UserData(file, target="rating"), identity)


def learn(data, target="t", **options):
    """What a linear model finds out about a table: its identity, examples and notes."""
    identity = spec.default_spec(registry.find("linear_regression")[0])
    return user_tables.load_table(UserData(data, target=target, **options), identity)


@pytest.mark.parametrize("gap", [False, True], ids=["codes", "numbers"])
def test_a_file_answers_as_its_rows_do(tmp_path, gap):
    codes = ["1", "2", "x"] if gap else ["01", "02", "A"]
    random = np.random.default_rng(0)
    code = random.choice(codes, 200)
    frame = pd.DataFrame({"code": code, "x": random.normal(size=200),
                          "t": np.where(code == codes[0], "yes", "no")})  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = learn_own(tmp_path / "t.csv", tmp_path / "run", target="t").model
    rows = [{"code": code, "x": 0.0} for code in [*codes[:2], *[""] * gap]]
    asked = pd.DataFrame(rows)
    asked.to_csv(tmp_path / "p.csv", index=False)
    ask = pipelines.pipeline(model)
    answers = ask(rows)
    assert [answer["label"] for answer in answers[:2]] == ["yes", "no"]
    assert ask(str(tmp_path / "p.csv")) == ask(asked) == answers
    asked["t"] = [answer["label"] for answer in answers]
    asked.to_csv(tmp_path / "q.csv", index=False)
    for given in (tmp_path / "q.csv", asked):
        assert evaluation.evaluate(model, data=given)["accuracy"] == 1.0


def test_codes_of_classes_are_read_as_they_stand(tmp_path):
    frame = pd.DataFrame({"m": range(60), "t": ["01", "02", "A"] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    identity, _, _ = learn(tmp_path / "t.csv")
    frame[frame["t"] != "A"].to_csv(tmp_path / "q.csv", index=False)
    examples = user_tables.load_eval_table(UserData(tmp_path / "q.csv"), identity)
    assert np.bincount(examples.targets).tolist() == [20, 20]


def holed(cells, word="?", every=20):
    """A table of such cells, a word in place of some, and a target."""
    cells = [word if place % every == 0 else str(cell) for place, cell in enumerate(cells)]
    return pd.DataFrame({"m": cells, "k": ["u", "v"] * (len(cells) // 2), "t": ["b", "a"] * 100})


@pytest.mark.parametrize("word", ["?", "-", "Unknown", " ", "n/A"])
@pytest.mark.parametrize("cells", [range(200), [18 + n % 62 for n in range(200)]])
def test_missing_numbers_in_words_leave_a_column_of_numbers(tmp_path, cells, word):
    holed(cells, word).to_csv(tmp_path / "t.csv", index=False)
    identity, examples, notes = learn(tmp_path / "t.csv")
    half = pd.read_csv(tmp_path / "t.csv")
    twice = pd.concat([half, half])  # its index has each number twice
    assert learn(twice)[0].inputs[0].dtype == "float32"
    assert (identity.inputs[0].name, identity.inputs[0].dtype) == ("m", "float32")
    assert np.isnan(examples.inputs["m"]).sum() == 10
    assert f"10 of 200 cells, such as {word!r}, are missing ones" in "\n".join(notes)


@pytest.mark.parametrize(
    "frame",
    [
        holed([n % 5 for n in range(200)], "many"),
        holed([n % 5 for n in range(200)], "?", every=1),
        holed([f"0{n % 5}" for n in range(200)]),
        holed([str(n % 5) for n in range(200)], "0"),
        holed([n % 2 == 0 for n in range(200)]),
    ],
    ids=["a-word", "no-number", "codes", "strings", "truths"],
)
def test_other_words_leave_a_column_of_strings(frame):
    identity, _, _ = learn(frame)
    assert "float32" not in [column.dtype for column in identity.inputs]


def test_a_model_goes_on_with_numbers_that_are_missing_in_words(tmp_path):
    before, _, _ = learn(holed(range(200)).assign(m=range(200)))
    source = UserData(holed(range(200), "unknown", every=3), target="t")
    assert user_tables.load_table(source, before, going_on=True)[0].inputs == before.inputs


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a"] * 199 + ["b"], "only one value, 'a', comes twice or more"),
        ([f"id {n}" for n in range(200)], "nearly every row has a value of its own"),
        (["a"] * 200, "it has one value"),
    ],
)
def test_what_is_left_out_is_told_with_the_reason(cells, reason):
    frame = pd.DataFrame({"k": cells, "m": range(200), "t": ["a", "b"] * 100})
    assert f"column 'k' was left out: {reason}" in learn(frame)[2]


def test_a_training_takes_what_a_fine_tuning_takes(tmp_path):
    random = np.random.default_rng(0)
    columns = {"m": random.normal(size=80), 7: random.choice(["u", "v"], 80)}
    answers = np.where(columns["m"] > 0, "yes", "no")
    frame = pd.DataFrame({**columns, "t": answers})
    run = learn_own(frame, tmp_path / "frame", target="t", epochs=1)
    assert [column["name"] for column in run_files.read_run(run.path)["inputs"]] == ["m", "7"]
    assert len(pipelines.pipeline(run.model)(frame)) == 80
    pairs = ({"m": columns["m"]}, answers)
    run = learn_own(pairs, tmp_path / "arrays", target=None, epochs=1)
    assert run_files.read_run(run.path)["labels"] == ["no", "yes"]


@pytest.mark.parametrize("seed", range(5))
def test_each_class_validates_by_its_share(tmp_path, seed):
    frame = pd.DataFrame({"m": range(100), "t": ["bad"] * 5 + ["good"] * 95})
    room = registry.find("linear_regression")[0]
    lesson = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), seed, frame, "t", None, chosen=()
    )
    assert np.bincount(lesson.validation.targets).tolist() == [1, 19]
    assert np.bincount(lesson.examples.targets).tolist() == [4, 76]
    assert "80 to train on" in lesson.examples.description
    lesson = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), seed, frame, "m", "regression", chosen=()
    )
    assert len(lesson.validation) == 20
    assert np.histogram(lesson.validation.targets, bins=[0, 50, 100])[0].tolist() == [10, 10]


def test_the_recipes_own_data_is_cut_by_its_order():
    room = registry.find("linear_regression")[0]
    sample = datasets.sample("diamonds")
    for given in ("sample", sample):
        recipe = ModelSpec.of(room).task.default_recipe().override(validation_examples=56)
        lesson = jobs.training_job(
            room, recipe, 0, given, None, None, chosen=["validation_examples"]
        )
        np.testing.assert_array_equal(lesson.validation.targets, sample.targets[-56:])


def test_an_infinite_number_is_named_by_its_row(tmp_path):
    (tmp_path / "t.csv").write_text("m,t\n0,\ninf,a\n" + "1,b\n2,a\n" * 50)
    with pytest.raises(InvalidInputError, match=r"'m', row 1: .* received inf"):
        learn(tmp_path / "t.csv")


def test_a_file_with_semicolons_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("m;k;t\n" + "1;u;a\n2;v;b\n" * 50)
    with pytest.raises(DataError, match=r"no column 't'. .* between ';'; expected commas"):
        learn(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("answers", "labels"),
    [([n * 1.5 for n in range(60)], ()), ([n % 2 for n in range(60)], ("0", "1"))],
    ids=["quantity", "classes"],
)
def test_an_answer_that_is_missing_in_words_is_none(answers, labels):
    cells = ["?" if place % 20 == 0 else str(answer) for place, answer in enumerate(answers)]
    frame = pd.DataFrame({"a": range(60), "t": cells})
    with pytest.warns(DataWarning, match="3 of 60 rows without 't' are left out"):
        identity, examples, _ = learn(frame)
    assert (identity.labels, len(examples)) == (labels, 57)
    assert len(user_tables.load_eval_table(UserData(frame), identity)) == 57


def test_dates_are_left_out():
    dates = pd.date_range("2026-01-01", periods=40)
    frame = pd.DataFrame({"a": range(40), "day": dates, "t": [0, 1] * 20})
    identity, _, notes = learn(frame)
    assert [column.name for column in identity.inputs] == ["a"]
    assert any("'day' was left out: it holds dates" in note for note in notes)


def test_a_frame_and_its_answers_are_a_pair():
    frame = pd.DataFrame({"a": range(40)}, index=range(100, 140))
    identity, examples, _ = learn((frame, pd.Series(["x", "y"] * 20)))
    assert identity.labels == ("x", "y")
    pairs = zip(examples.inputs["a"], examples.targets, strict=True)
    assert all(int(number) % 2 == target for number, target in pairs)


def test_the_area_under_the_curve_counts_pairs():
    identity, examples, _ = learn(pd.DataFrame({"a": range(8), "t": [*"nnnnyyyy"]}))
    task = task_of(identity)
    order = np.argsort(examples.inputs["a"])
    chances = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.7, 0.9, 0.95])
    logits = np.log(np.stack([1 - chances, chances], axis=1))
    rows = examples.take(order, "in order")
    # Of 16 pairs: 0.4 comes behind 0.8 and beside 0.4, 0.7 behind 0.8; the others are right.
    assert task.objective.score(logits, rows)["auc"] == pytest.approx((16 - 1 - 0.5 - 1) / 16)
    assert "auc" not in task.objective.score(logits[:4], rows.subset(slice(4), "one class"))
    assert task.objective.baseline(rows, rows) == {"accuracy": 0.5, "auc": 0.5}


@pytest.mark.parametrize(("name", "least"), [("breast_cancer", 0.9), ("wine", 0.85)])
def test_tables_of_scikit_learn(tmp_path, name, least):
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.assign(target=bunch.target_names[bunch.target])
    rows = frame.sample(frac=1, random_state=0)
    learned, asked = rows[:-40], rows[-40:]
    run = training.train("mlp", data=learned, target="target", epochs=10, run_dir=tmp_path / "run")
    scores = evaluation.evaluate(run.model, data=asked, target="target")
    assert scores["accuracy"] > least > 0.75 > run.baseline["accuracy"]
    assert ("auc" in scores) == (name == "breast_cancer")
    (answer,) = pipelines.pipeline(run.model)(asked.drop(columns="target")[:1])
    assert set(answer["probabilities"]) == set(bunch.target_names)
    version = saved_model.export(run.model, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    columns = {name: tf.constant(cells, tf.float32) for name, cells in _raw(run, asked).items()}
    found = served(**columns)["label"].numpy()
    assert (found == asked["target"].to_numpy().astype(bytes)).mean() == scores["accuracy"]


def _raw(run, frame):
    """A frame's columns by the names that a served model has for them."""
    plain = table_inputs.sanitized_names(spec_of(run.model).inputs)
    return {plain[name]: frame[name] for name in plain}
