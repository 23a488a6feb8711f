"""Data and options of a fine-tuning: what fits, and what is refused."""

import helpers
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import pipelines
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import (
    DataError,
    DataWarning,
    InvalidInputError,
    RunError,
    SchemaError,
    UnknownNameError,
)
from keras_fm.evaluation import evaluation, verification
from keras_fm.models.spec import spec_of
from keras_fm.registry.recipe import load_recipe
from keras_fm.tasks.image_classification.recipe import ImageClassificationRecipe
from keras_fm.training import fine_tuning, fine_tuning_stages, runs

CLASS_NAMES = ["air", "land", "water"]


def fine_tune(model, path, *, data=None, class_names=CLASS_NAMES, **options):
    data = helpers.noise(24) if data is None else data
    return fine_tuning.fine_tune(model, data, class_names=class_names, run_dir=path, **options)


def invalid_examples(**fields):
    noise = helpers.noise(12)
    return Examples(
        **({"inputs": noise.inputs, "targets": noise.targets, "description": "x"} | fields)
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            invalid_examples(inputs=np.zeros((12, 32, 32, 3), np.float32)),
            DataError,
            r"float32 \[12, 32",
        ),
        (
            invalid_examples(inputs=np.zeros((0, 32, 32, 3), np.uint8)),
            DataError,
            "received 0 and 12",
        ),
        (invalid_examples(targets=np.arange(12)), DataError, "from 0 to 2; received 0 to 11"),
        (
            invalid_examples(targets=np.arange(12) % 3 - 1),
            DataError,
            "from 0 to 2; received -1 to 1",
        ),
        (invalid_examples(targets=np.zeros(5, int)), DataError, "received 5 and 12"),
        (invalid_examples(targets=np.linspace(0, 2, 12)), DataError, "from 0 to 2"),
        (helpers.noise(12).inputs, DataError, "ndarray"),
        (
            "nowhere/photos",
            DataError,
            "there is no file or folder nowhere/photos: there",
        ),
    ],
    ids=[
        "dtype",
        "empty",
        "too-large",
        "negative",
        "too-few",
        "fractions",
        "no-pair",
        "no-folder",
    ],
)
def test_invalid_data_is_named_and_leaves_nothing(small_run, tmp_path, data, error, message):
    with pytest.raises(error, match=message):
        fine_tune(small_run.model, tmp_path / "run", data=data)
    assert not any(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strategy": "heads"}, UnknownNameError, "no strategy 'heads'.*'head'"),
        ({"epoch": 1}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"head.epoch": 1}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"strategy": "full", "head.epochs": 1}, UnknownNameError, "'full' has one stage"),
        ({"epochs": 0}, SchemaError, "received 0"),
        ({"lora_rank": 3}, SchemaError, "field 'lora_rank'"),
        ({"validation_examples": 24}, DataError, "has only 24"),
        ({"seed": -1}, InvalidInputError, "received -1"),
        ({"class_names": "abc"}, InvalidInputError, "class_names is a list"),
        ({"class_names": ["one"]}, InvalidInputError, "class_names is a list"),
        ({"class_names": ["a", "b", "c\nd"]}, InvalidInputError, "class_names is a list"),
        ({"text": "body"}, InvalidInputError, "for a CSV file"),
        ({"augment_with": "fashion_cnn"}, InvalidInputError, "'fashion_cnn'"),
        ({"generated_ratio": 2.0}, InvalidInputError, "name a generator"),
        ({"augment_with": "gan", "generated_ratio": 0.0}, InvalidInputError, "makes no image"),
        ({"compare": True, "validation_examples": 0}, InvalidInputError, "none validates"),
        (
            {"validation_data": helpers.noise(6), "validation_examples": 3},
            InvalidInputError,
            "leave out validation_examples",
        ),
        (
            {"validation_data": helpers.noise(6), "validation_split": 0.5},
            InvalidInputError,
            "give one of them",
        ),
        ({"validation_split": 1.5}, InvalidInputError, "validation_split .*received 1.5"),
        ({"validation_split": "test"}, InvalidInputError, "that of a TFDS data set is validation_"),
        (
            {"validation_data_split": "test"},
            InvalidInputError,
            "of a TFDS data set in validation_data=",
        ),
        ({"validation_data": "imdb_reviews"}, InvalidInputError, "which split of 'imdb_reviews'"),
    ],
)
def test_invalid_options_are_named(small_run, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        fine_tune(small_run.model, tmp_path / "run", **options)
    assert not any(tmp_path.iterdir())


def test_a_generator_can_not_be_fine_tuned(tiny_gan, tmp_path):
    model = keras_fm.get("tiny_gan", weights=None)
    with pytest.raises(InvalidInputError, match="tiny_gan can't be fine-tuned") as error:
        fine_tune(model, tmp_path / "run")
    with pytest.raises(DataError) as other:
        keras_fm.train("tiny_gan", data=tmp_path, run_dir=tmp_path / "run")
    hint = "train and evaluate take its own data set, cifar10, without data= (--data), and in"
    assert hint in str(error.value)
    assert hint in str(other.value)


@pytest.mark.thorough
def test_texts_of_a_csv_file(tiny_reader, tmp_path):
    phrases = {"good": "great film", "bad": "dull story"}
    rows = [[f"{phrases[name]}, the {n} one", name] for n in range(20) for name in phrases]
    file = tmp_path / "reviews.csv"
    pd.DataFrame(rows, columns=["body", "verdict"]).to_csv(file, index=False)
    model = keras_fm.get("tiny_reader", weights=None)
    run = keras_fm.fine_tune(
        model, file, text="body", target="verdict", strategy="lora", lora_rank=1, epochs=2,
        run_dir=tmp_path / "run",
    )  # fmt: skip
    assert spec_of(run.model).labels == ("bad", "good")
    assert verification.verify(run.path).passed
    scores = evaluation.evaluate(run.model, data=file, text="body", target="verdict")
    assert scores["num_examples"] == 40
    (prediction,) = pipelines.pipeline(run.path)("a great film")
    assert set(prediction["probabilities"]) == {"bad", "good"}


def test_a_table_of_the_same_columns_keeps_the_weights(tmp_path):
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame({**sample.inputs, "price": sample.targets * 2})
    frame.to_csv(tmp_path / "prices.csv", index=False)
    run = keras_fm.fine_tune(
        "linear_regression", tmp_path / "prices.csv", target="price", strategy="head", epochs=8,
        run_dir=tmp_path / "run",
    )  # fmt: skip
    assert spec_of(run.model) == spec_of(keras_fm.get("linear_regression"))
    assert run.metrics["rmse_log"] < 0.4 * run.baseline["rmse_log"]
    assert run.comparisons[fine_tuning_stages.PROBE]["rmse_log"] < 0.4 * run.baseline["rmse_log"]
    assert verification.verify(run.path).passed


def sizes_table():
    """A table of columns that no model of the zoo has seen."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=60)
    frame = pd.DataFrame({"size": size, "noise": rng.normal(size=60)})
    frame["verdict"] = np.where(size + 0.3 * rng.normal(size=60) > 0, "large", "small")
    return frame


@pytest.mark.thorough
def test_a_table_of_other_columns_is_trained_from_scratch(tmp_path, stop_at):
    frame = sizes_table()
    frame.to_csv(tmp_path / "my sizes.csv", index=False)
    stop_at(2)
    command = r"keras-fm fine-tune linear_regression '.*my sizes\.csv' --target verdict --run-dir"
    options = {"target": "verdict", "run_dir": tmp_path / "stopped"}

    def fine_tune(**more):
        return keras_fm.fine_tune("linear_regression", tmp_path / "my sizes.csv", **options, **more)

    with (
        pytest.warns(DataWarning, match="linear_regression was trained on other columns"),
        pytest.raises(KeyboardInterrupt, match=command),
    ):
        fine_tune(epochs=3, learning_rate=0.1)
    stop_at(None)
    run = fine_tune(resume=True)
    assert not (run.path / "head").exists()
    assert "it is trained from scratch" in run.report()
    assert "linear_regression, trained from scratch on" in run.report()
    assert "initialized from" not in run.report()
    assert fine_tuning_stages.PROBE not in run.comparisons
    assert run.metrics["accuracy"] > 0.7


@pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"strategy": "lora"},
            InvalidInputError,
            "strategy 'lora' is for the columns that the model",
        ),
        ({"head.epochs": 3}, UnknownNameError, "no field 'head.epochs'"),
        ({"compare": True}, InvalidInputError, "trained from scratch: there is nothing to compare"),
        ({"text": "size"}, InvalidInputError, "text is the column of the texts"),
    ],
)
def test_invalid_options_for_a_table_of_other_columns_are_named(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        keras_fm.fine_tune(
            "linear_regression",
            sizes_table(),
            target="verdict",
            run_dir=tmp_path / "run",
            **options,
        )
    assert not any(tmp_path.iterdir())


def test_a_regression_has_no_class_weights(tmp_path):
    message = "the recipe for tabular-regression has no field 'class_weight'"
    with pytest.warns(DataWarning), pytest.raises(UnknownNameError, match=message):
        keras_fm.fine_tune(
            "linear_regression", sizes_table(), target="size", class_weight="balanced",
            run_dir=tmp_path / "run",
        )  # fmt: skip
    assert not any(tmp_path.iterdir())


def test_a_run_directory_that_can_not_be_made_is_named(small_run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"file/run can't be made: Not a directory"):
        fine_tune(small_run.model, tmp_path / "file" / "run", epochs=1)


@pytest.mark.thorough
def test_each_stage_has_its_own_recipe(small_run, tmp_path, capsys):
    options = {"head.batch_size": 4, "head.epochs": 1, "epochs": 2, "seed": np.int64(3)}
    run = fine_tune(small_run.model, tmp_path / "run", **options)
    head = runs.load_run(run.path / "head")
    recipes = [
        load_recipe(stage.path / "recipe.toml", ImageClassificationRecipe) for stage in (head, run)
    ]
    assert [recipe.batch_size for recipe in recipes] == [4, 8]
    output = capsys.readouterr().out
    assert "head alone (first stage): 1 epochs at most" in output
    assert "main stage: 2 epochs at most" in output
