"""Paths as users write them, given to every verb."""

import json

import helpers
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import adapters, cli, data
from keras_fm.errors import (
    DataWarning,
    ExportError,
    InvalidInputError,
    KerasFmError,
    RunError,
    UnknownNameError,
)
from keras_fm.exporting import checks


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder, with another as the current one."""
    (tmp_path / "home").mkdir()
    (tmp_path / "current").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "current")
    yield tmp_path / "home"
    assert not list((tmp_path / "current").glob("~*"))


def train(run_dir, **options):
    return keras_fm.train("linear_regression", data="sample", epochs=1, run_dir=run_dir, **options)


@pytest.mark.thorough
def test_every_verb_knows_the_home_folder(home, capsys):
    run = train("~/runs/a")
    assert run.path == home / "runs" / "a"
    rows = pd.DataFrame(data.sample("diamonds").inputs).assign(
        price=data.sample("diamonds").targets
    )
    rows.to_csv(home / "rows.csv", index=False)
    model = keras_fm.get("~/runs/a")
    assert helpers.same_weights(model, run.model)
    with pytest.warns(DataWarning, match="were in the training data"):
        assert keras_fm.evaluate("~/runs/a", data="~/rows.csv")["num_examples"] == len(rows)
    assert len(keras_fm.pipeline("~/runs/a")("~/rows.csv")) == len(rows)
    explanation = keras_fm.explain("~/runs/a", rows[:1])
    assert explanation.save("~/why.html") == home / "why.html"
    version = keras_fm.export("~/runs/a", "~/exports", warmup=False)
    assert version == home / "exports" / "1"
    assert checks.serve_check("~/exports").version == version
    assert keras_fm.get("linear_regression", weights="~/runs/a/model.weights.h5")
    run.model.save(home / "mine.keras")
    assert helpers.same_weights(keras_fm.get("~/mine.keras"), run.model)
    with pytest.warns(DataWarning, match="that validate were in the training data"):
        fine_tuned = keras_fm.fine_tune(
            "~/runs/a", "~/rows.csv", target="price", epochs=1, run_dir="~/runs/b", strategy="head"
        )
    assert fine_tuned.path == home / "runs" / "b"
    assert keras_fm.verify("~/runs/b").passed
    assert cli.main(["predict", "gan", "Coat", "--out", "~/images"]) == 0
    assert [path.name for path in (home / "images").iterdir()] == ["coat-0.png"]


def test_adapters_are_saved_in_the_home_folder(home):
    model = keras_fm.get("cifar_cnn_basic")
    adapters.enable(model, 2)
    assert adapters.save(model, "~/mine.lora.h5") == home / "mine.lora.h5"
    assert adapters.load("cifar_cnn_basic", "~/mine.lora.h5")


def test_an_empty_folder_is_a_new_run_directory(home):
    (home / "volume").mkdir()
    assert train(home / "volume").path == home / "volume"
    with pytest.raises(RunError, match="volume exists; name another run directory"):
        train(home / "volume")


@pytest.mark.parametrize("run_dir", ["a\0b", "gs://bucket/run"])
def test_a_run_directory_that_is_none_is_one_sentence(run_dir, home):
    with pytest.raises(InvalidInputError, match="expected the path of a file or folder"):
        train(run_dir)


NO_MODELS = {
    "m.h5": "m.h5 is an HDF5 file, which holds weights without their model.*weights='m.h5'",
    "exports": "exports is an export, which TF Serving serves: expected a model's name",
    "exports/1": "exports/1 is an export",
    "exports/1/saved_model.pb": "saved_model.pb is an export",
    "folder": r"folder is no run directory \(it has no run.json\) and no .keras file",
    "table.csv": "table.csv is no run directory",
    "gone/run": "unknown model 'gone/run'; no run directory is there either",
    "gs://bucket/run": "on this machine; received gs://bucket/run",
}


@pytest.mark.parametrize(("name", "message"), NO_MODELS.items(), ids=NO_MODELS)
@pytest.mark.parametrize("verb", ["get", "pipeline", "evaluate", "explain", "fine_tune", "export"])
def test_what_is_no_model_is_named(verb, name, message, home, tmp_path):
    folder = tmp_path / "current"
    (folder / "exports" / "1").mkdir(parents=True)
    (folder / "exports" / "1" / "saved_model.pb").touch()
    (folder / "folder").mkdir()
    for file in ("m.h5", "table.csv"):
        (folder / file).touch()
    more = {"explain": ["x"], "fine_tune": ["x"], "export": ["out"]}.get(verb, [])
    if verb == "pipeline" and name in ("exports", "exports/1"):  # it takes an export, if it is one
        with pytest.raises(ExportError):
            keras_fm.pipeline(name)
        return
    with pytest.raises((UnknownNameError, InvalidInputError), match=message):
        getattr(keras_fm, verb)(name, *more)
    assert not (folder / "out").exists()


def test_a_run_is_resumed_with_the_same_file_by_another_path(home, stop_at):
    table = pd.DataFrame({"x": np.linspace(0.5, 7, 60), "y": np.linspace(1, 14, 60)})
    for name in ("a.csv", "b.csv"):
        table.to_csv(home / name, index=False)
    table.assign(y=table["y"][::-1].to_numpy()).to_csv(home / "other.csv", index=False)

    def train_on(path, **options):
        return keras_fm.train(
            "linear_regression", data=path, target="y", run_dir=home / "run", **options
        )

    stop_at(1)
    with pytest.raises(KeyboardInterrupt):
        train_on("~/a.csv", epochs=2)
    stop_at(None)
    with pytest.raises(RunError, match=r"began on .*a\.csv.*can't resume with .*other\.csv"):
        train_on(home / "other.csv", resume=True)
    assert train_on(home / "b.csv", resume=True).metrics


def test_a_run_is_not_resumed_on_a_file_that_changed(home, stop_at):
    table = pd.DataFrame({"x": np.linspace(0.5, 7, 60), "y": np.linspace(1, 14, 60)})
    table.to_csv(home / "a.csv", index=False)
    options = {"data": "~/a.csv", "target": "y", "run_dir": home / "run"}
    stop_at(1)
    with pytest.raises(KeyboardInterrupt):
        keras_fm.train("linear_regression", epochs=2, **options)
    stop_at(None)
    table.assign(y=table["y"][::-1].to_numpy()).to_csv(home / "a.csv", index=False)
    with pytest.raises(RunError, match=r"began with other rows than .*a\.csv.* has now"):
        keras_fm.train("linear_regression", resume=True, **options)


@pytest.mark.parametrize("verb", ["get", "evaluate"])
def test_a_message_does_not_repeat_a_photo_in_base64(verb):
    with pytest.raises(KerasFmError) as caught:
        getattr(keras_fm, verb)("QUJD" * 500_000)
    assert len(str(caught.value)) < 4000


def test_a_run_of_another_version_says_so(tmp_path):
    (tmp_path / "run.json").write_text('{"model": "cifar_cnn_basic"}')
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(RunError, match="was written by another version of keras_fm"):
        keras_fm.get(tmp_path)


@pytest.mark.parametrize(
    ("init_from", "command"),
    [
        ("random", "keras-fm fine-tune cifar_cnn_basic DATA"),
        ("runs/mine", "keras-fm fine-tune runs/mine DATA"),
    ],
)
def test_a_fine_tuning_that_did_not_end_is_resumed_by_its_own_command(tmp_path, init_from, command):
    run_info = {"model": "cifar_cnn_basic", "init_from": init_from, "strategy": "full"}
    (tmp_path / "run.json").write_text(json.dumps(run_info))
    with pytest.raises(RunError, match=f"did not end; resume it: {command} --run-dir"):
        keras_fm.get(tmp_path)


def test_images_lie_in_the_home_folder(home):
    file = home / "photo.png"
    file.write_bytes(helpers.encode(helpers.image(40, 50)))
    predict = keras_fm.pipeline("cifar_cnn_basic")
    assert predict("~/photo.png") == predict(["~/photo.png"]) == predict(file)
    assert str(keras_fm.explain("cifar_cnn_basic", "~/photo.png"))
    with pytest.raises(InvalidInputError, match="on this machine; received gs://bucket/photo"):
        predict("gs://bucket/photo.png")
