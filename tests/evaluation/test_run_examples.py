"""What a run's own validation examples are for: `evaluate RUN`, `verify RUN`, and a warning."""

import functools
import json
import shlex
import shutil
import warnings

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorboard_logs
import tiny_reader as tiny_reader_package

import keras_fm
from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.errors import DataError, DataWarning, InvalidInputError, RunError
from keras_fm.training import hparams

ROWS = 60
FAST = {"epochs": 1, "precision": "float32"}


def table():
    random = np.random.default_rng(0)
    size, kind = random.normal(size=ROWS), random.choice(["a", "b"], ROWS)
    return pd.DataFrame({"size": size, "kind": kind, "price": 3 * size + random.normal(size=ROWS)})


def csv_of(folder):
    table().to_csv(folder / "houses.csv", index=False)
    return folder / "houses.csv"


def photos(folder):
    for number in range(20):
        file = folder / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(helpers.encode(helpers.image(20, 30, number)))
    return folder / "photos"


def texts():
    words = [f"a review of the film number {number} …" for number in range(40)]
    return words, ["bad", "good"] * 20


@pytest.fixture(scope="module")
def other_models(module_install):
    """Small models of images, texts and characters, of another distribution."""
    names = ("tiny_net", "small_char_lstm")
    site = module_install({name: f"small_zoo.{name}" for name in names}, "small_zoo")
    helpers.write_tiny_package(site / "tiny_net")
    helpers.write_small_package(site / "small_char_lstm", "char_lstm", units=8, width=8, depth=1)
    tiny_reader_package.install(module_install)


@pytest.fixture(scope="module")
def run_of(other_models, tmp_path_factory):
    """`run_of("frame")`: the run on a kind of data, which is trained once and only read."""

    @functools.cache
    def run_of(kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            return train_kind(kind, tmp_path_factory.mktemp(kind))

    return run_of


def train_kind(kind, folder):
    """Train a small model on a kind of data; return the run."""
    book = folder / "book.txt"
    book.write_text(
        "".join(f"It was the {number}th of times, ñ\n" for number in range(60)), "utf-8"
    )
    rows = table()
    name, options = {
        "csv": ("linear_regression", {"data": csv_of(folder), "target": "price"}),
        "frame": ("linear_regression", {"data": rows, "target": "price"}),
        "classes": ("linear_regression", {"data": rows, "target": "kind"}),
        "folder": ("tiny_net", {"data": photos(folder)}),
        "arrays": ("tiny_net", {"data": (helpers.noise(40).inputs, ["x", "y"] * 20)}),
        "examples": (
            "tiny_net", {"data": helpers.noise(40), "validation_examples": 10, "batch_size": 8}
        ),
        "sample": ("tiny_net", {"data": "sample"}),
        "texts": ("tiny_reader", {"data": texts()}),
        "characters": (
            "small_char_lstm",
            {"data": str(book), "init_from": "random", "sequence_length": 16},
        ),
    }[kind]  # fmt: skip
    return keras_fm.train(name, run_dir=folder / "runs" / kind, **FAST, **options)


THOROUGH = ("csv", "classes", "folder", "examples", "characters")
KINDS = [
    *("frame", "arrays", "sample", "texts"),
    *(pytest.param(kind, marks=pytest.mark.thorough) for kind in THOROUGH),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_evaluated_and_verified_on_what_validated_it(
    kind, run_of, no_tfds, capsys, monkeypatch
):
    run = run_of(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = keras_fm.evaluate(run.path)
        report = keras_fm.verify(str(run.path))
    for name, value in run.metrics.items():
        assert metrics[name] == pytest.approx(value, rel=1e-6), name
    assert report.passed, str(report)
    assert len(report.checks) >= 1
    monkeypatch.chdir(run.path.parents[1])
    assert cli.main(["evaluate", f"runs/{kind}"]) == 0
    assert "num_examples" in capsys.readouterr().out
    recipe = (run.path / "recipe.toml").read_text("utf-8")
    expected = "cifar10" if kind == "sample" else "yours"
    assert recipe.startswith(f'dataset = "{expected}"\n')


def test_a_run_on_a_data_set_is_verified_on_what_it_held_out(other_models, tmp_path, monkeypatch):
    sample = datasets.sample("cifar10")
    monkeypatch.setattr(datasets, "load", lambda dataset, split: sample)
    run = keras_fm.train("tiny_net", run_dir=tmp_path / "run", **FAST)
    assert not (run.path / "validation.npz").exists()
    report = keras_fm.verify(run.path)
    assert report.passed
    assert report.data.endswith("last 56")
    with pytest.warns(DataWarning, match="200 of 256 examples were in the training data"):
        assert keras_fm.evaluate(run.path)["num_examples"] == 256


@pytest.mark.parametrize("gone", [False, True])
def test_a_run_without_validation_examples_says_so(gone, run_of, tmp_path):
    path = tmp_path / "run"
    if gone:
        shutil.copytree(run_of("frame").path, path)
        (path / "validation.npz").unlink()
    else:
        keras_fm.train(
            "linear_regression", data=table(), target="price", run_dir=path,
            validation_examples=0, **FAST,
        )  # fmt: skip
    message = "not there any more" if gone else "no example validated the run"
    for function in (keras_fm.evaluate, keras_fm.verify):
        with pytest.raises(DataError, match=rf"{message}.*keras-fm evaluate {path} --data"):
            function(path)


@pytest.mark.thorough
def test_the_commands_that_a_training_prints_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    csv_of(tmp_path)
    few = ["--set", "epochs=1", "--set", "precision=float32"]
    train = ["train", "linear_regression", "--data", "houses.csv", "--target", "price", *few]
    assert cli.main([*train, "--run-dir", "runs/houses"]) == 0
    commands = capsys.readouterr().out.strip().splitlines()[-3:]
    assert commands == [
        "tensorboard --logdir runs/houses/logs",
        "keras-fm evaluate runs/houses",
        "keras-fm export runs/houses exports/houses",
    ]
    tune = ["fine-tune", "runs/houses", "houses.csv", "--target", "price", *few]
    assert cli.main([*tune, "--strategy", "full", "--run-dir", "runs/tuned"]) == 0
    shown = capsys.readouterr().out.strip().splitlines()[-4:]
    assert shown[1:] == [
        "keras-fm predict runs/tuned ...",
        "keras-fm verify runs/tuned",
        "keras-fm export runs/tuned exports/tuned",
    ]
    shown[1] = shown[1].replace("...", "houses.csv")
    for command in (*commands[1:], *shown[1:]):
        assert cli.main(shlex.split(command)[1:]) == 0, command
    config = (tmp_path / "exports" / "houses" / "models.config").read_text("utf-8")
    assert 'name: "houses" base_path: "/models/houses"' in config


def test_a_training_without_validation_suggests_no_evaluation(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    csv_of(tmp_path)
    code = cli.main(
        ["train", "linear_regression", "--data", "houses.csv", "--target", "price",
         "--set", "epochs=1", "--set", "validation_examples=0", "--run-dir", "runs/houses"]
    )  # fmt: skip
    assert code == 0
    assert "keras-fm evaluate" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", helpers.first(["frame", "arrays", "texts", "characters"], 3))
def test_examples_that_were_trained_on_are_counted(kind, run_of, tmp_path):
    run = run_of(kind)
    images, labels = helpers.noise(40).inputs, ["x", "y"] * 20
    words, classes = texts()
    new_book = tmp_path / "new.txt"
    new_book.write_text("Call me Ishmael. Some years ago ñ\n" * 3 + "times, it was")
    target = {"target": "price"} if kind == "frame" else {}
    all_data, new_data = {
        "frame": (table(), table().assign(size=lambda rows: rows["size"] + 1)),
        "arrays": ((images, labels), (255 - images, labels)),
        "texts": ((words, classes), ([f"not {word}" for word in words], classes)),
        "characters": (str(run.path.parents[1] / "book.txt"), str(new_book)),
    }[kind]
    total = 60 if kind in ("frame", "characters") else 40
    expected = {"frame": 48, "arrays": 32, "texts": 32, "characters": 54}[kind]
    unit = "lines" if kind == "characters" else "examples"
    message = f"^{expected} of {total} {unit} were in the training data"
    with pytest.warns(DataWarning, match=message):
        keras_fm.evaluate(run.path, data=all_data, **target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keras_fm.evaluate(run.path, data=new_data, **target)


def test_recurring_rows_are_not_said_to_be_the_same(tmp_path):
    rows = pd.DataFrame({"kind": ["a", "b"] * 30, "level": [1.0, 2.0, 3.0] * 20})
    rows["price"] = np.random.default_rng(0).normal(size=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        run = keras_fm.train(
            "linear_regression", data=rows, target="price", run_dir=tmp_path / "run", **FAST
        )
    with pytest.warns(DataWarning, match="60 of 60 rows are equal to rows .* in which rows recur"):
        keras_fm.evaluate(run.path, data=rows)


@pytest.mark.thorough
def test_a_stage_of_a_fine_tuning_has_the_examples_of_the_whole(other_models, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        tuned = keras_fm.fine_tune(
            keras_fm.get("tiny_net", weights=None), (helpers.noise(40).inputs, ["x", "y"] * 20),
            run_dir=tmp_path / "tuned", **FAST,
        )  # fmt: skip
    assert keras_fm.evaluate(tuned.path / "head")["num_examples"] == 8
    assert not (tuned.path / "head" / "validation.npz").exists()


def test_a_data_set_is_not_named_beside_data(tmp_path):
    with pytest.raises(InvalidInputError, match="leave out dataset"):
        keras_fm.train(
            "linear_regression", data=table(), target="price", dataset="iris",
            run_dir=tmp_path / "run",
        )  # fmt: skip


@pytest.mark.thorough
def test_a_training_on_own_data_resumes_with_them_alone(tmp_path, stop_at):
    options = {"run_dir": tmp_path / "run", "resume": True}
    first = {"target": "price", "run_dir": tmp_path / "run", "epochs": 2, "batch_size": 8}
    stop_at(1)
    with pytest.raises(KeyboardInterrupt):
        keras_fm.train("linear_regression", data=table(), **first)
    stop_at(None)
    with pytest.raises(RunError, match=r"began on a data frame of 60 rows.* name the same data"):
        keras_fm.train("linear_regression", **options)
    run = keras_fm.train("linear_regression", data=table(), target="price", **options)
    assert keras_fm.verify(run.path).passed


def test_logs_name_no_folder_but_the_run_and_its_data(run_of):
    from tensorboard.plugins.hparams import plugin_data_pb2

    run = run_of("frame")
    events = tensorboard_logs.read_events(run.path / "logs" / "validation")
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert info.group_name.partition(" ")[0] == "frame"
    assert info.hparams["dataset"].string_value.startswith("a data frame of 60 rows")
    for file in run.path.rglob("events.out.*"):
        assert str(run.path.parents[1]).encode() not in file.read_bytes()


def test_each_run_is_a_trial_of_its_own(tmp_path):
    paths = [tmp_path / "a" / "seed0", tmp_path / "b" / "seed0", tmp_path / "b" / "seed0" / "head"]
    for path in paths:
        path.mkdir(parents=True)
        (path / "run.json").write_text(json.dumps({}))
    names = [hparams._trial_id(path) for path in paths]
    assert len(set(names)) == 3
    assert [name.partition(" ")[0] for name in names] == ["seed0", "seed0", "seed0/head"]


@pytest.mark.parametrize("verb", ["train", pytest.param("fine_tune", marks=pytest.mark.thorough)])
def test_a_run_knows_what_the_run_was_trained_on_that_it_starts_from(verb, run_of, tmp_path):
    rows, first = table(), run_of("frame")
    options = {"target": "price", "batch_size": 8, **FAST}
    options |= {"run_dir": tmp_path / "second", "seed": 1}  # of another split
    second = {
        "train": lambda: keras_fm.train(
            "linear_regression", data=rows, init_from=str(first.path), **options
        ),
        "fine_tune": lambda: keras_fm.fine_tune(first.path, rows, strategy="full", **options),
    }
    with pytest.warns(DataWarning, match=r"of 12 examples that validate were in the training"):
        run = second[verb]()
    with pytest.warns(DataWarning, match=r"^\d+ of 60 examples were in the training data"):
        keras_fm.evaluate(run.path, data=rows)
    assert len(np.load(run.path / "training_digests.npy")) > 48
