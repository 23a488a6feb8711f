"""A user's callbacks, `verbose` and `validation_split` of `train` and `fine_tune`."""

import tomllib

import helpers
import keras
import numpy as np
import pandas as pd
import pytest

from keras_fm import registry
from keras_fm.errors import InvalidInputError
from keras_fm.models import loading
from keras_fm.training import jobs
from keras_fm.training.fine_tuning import fine_tune
from keras_fm.training.training import train

ROWS = 60


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    width = random.random(ROWS)
    return pd.DataFrame({"width": width, "price": 3 * width + 0.1 * random.random(ROWS)})


@pytest.fixture
def fit(table, tmp_path):
    """Train on the table for two epochs."""

    def fit(folder="run", **options):
        options = {"target": "price", "epochs": 2, "verbose": 0, **options}
        return train("linear_regression", data=table, run_dir=tmp_path / folder, **options)

    return fit


class Epochs(keras.callbacks.Callback):
    """Counts trainings and epochs."""

    def __init__(self):
        super().__init__()
        self.trainings, self.epochs, self.logs = 0, 0, {}

    def on_train_begin(self, logs=None):
        self.trainings += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        self.logs = dict(logs)


class StopAfterAnEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def test_callbacks_are_called(fit, tmp_path, capsys):
    callback, file = Epochs(), tmp_path / "best.weights.h5"
    fit(
        callbacks=[
            callback,
            keras.callbacks.ModelCheckpoint(file, save_weights_only=True),
            keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        ]
    )
    assert (callback.trainings, callback.epochs) == (1, 2)
    assert {"loss", "val_loss"} <= set(callback.logs)
    assert file.exists()
    assert capsys.readouterr().out == ""  # verbose is 0


def test_one_callback_or_several_are_taken():
    callback = Epochs()
    for callbacks in (callback, [callback], (callback,)):
        assert jobs.check_callbacks(callbacks) == (callback,)
    assert jobs.check_callbacks(None) == ()


@pytest.mark.thorough
@pytest.mark.parametrize("several", [tuple, lambda items: items[0]])
def test_callbacks_are_called_however_they_are_named(fit, several):
    callback = Epochs()
    fit(callbacks=several([callback]))
    assert (callback.trainings, callback.epochs) == (1, 2)


@pytest.mark.parametrize(
    "callbacks", [[keras.callbacks.EarlyStopping], "early", [None], {"a": 1}, [print]]
)
def test_anything_else_is_refused_before_anything_is_written(fit, tmp_path, callbacks):
    with pytest.raises(InvalidInputError, match=r"callbacks is a list of keras\.callbacks"):
        fit(callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_a_class_for_a_callback_is_told(fit):
    with pytest.raises(InvalidInputError, match="received the class EarlyStopping: call it"):
        fit(callbacks=[keras.callbacks.EarlyStopping])


@pytest.mark.parametrize("patience", [pytest.param(0, marks=pytest.mark.thorough), 5])
def test_a_callback_can_stop_the_training(fit, patience):
    run = fit(epochs=5, patience=patience, callbacks=[StopAfterAnEpoch()])
    assert len(run.history["epoch"]) == 1


def test_a_fine_tuning_calls_them_in_each_stage(tiny_net, tmp_path):
    callback = Epochs()
    images = helpers.noise(20, classes=2)
    data = images.inputs, ["cat" if label else "dog" for label in images.targets]
    fine_tune(
        loading.get("tiny_net", weights=None), data, epochs=1,
        run_dir=tmp_path / "run", callbacks=[callback], verbose=0, compare=True,
    )  # fmt: skip
    assert (callback.trainings, callback.epochs) == (3, 4)  # from scratch as many as both stages


@pytest.mark.parametrize(
    ("verbose", "part"),
    [(1, "━"), pytest.param(2, "Epoch 1/2\n", marks=pytest.mark.thorough)],
)
def test_verbose_is_as_in_fit(fit, capsys, verbose, part):
    fit(verbose=verbose)
    assert part in capsys.readouterr().out


def test_auto_prints_a_line_an_epoch_into_a_file(fit, capsys):
    fit(verbose="auto")
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "━" not in printed


@pytest.mark.parametrize(
    ("fraction", "count"), [(0.2, 12), (0.5, 30), (0.1, 6), (np.float32(0.25), 15)]
)
def test_validation_split_is_a_fraction(table, fraction, count):
    job = jobs.training_job(
        registry.find("linear_regression")[0], data=table, target="price", problem_type=None,
        seed=0, overrides={}, validation_split=fraction,
    )  # fmt: skip
    assert job.recipe.validation_examples == len(job.validation) == count


def test_the_recipe_of_a_run_says_how_many_examples_validate(fit):
    run = fit(epochs=1, validation_split=np.float32(0.25))
    recipe = tomllib.loads((run.path / "recipe.toml").read_text())
    assert recipe["validation_examples"] == run.num_validation == 15


@pytest.mark.thorough
def test_validation_split_of_0_validates_nothing(fit):
    assert fit(epochs=1, validation_split=0).metrics == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_split": "test"}, "validation_split is a fraction of the data, such as 0.2"),
        ({"validation_split": 1.5}, "validation_split is a number from 0.0 to 1.0; received 1.5"),
        ({"validation_split": True}, "validation_split is a number from 0.0 to 1.0"),
        ({"validation_split": 0.2, "validation_examples": 5}, "give one of them"),
    ],
)
def test_another_split_is_refused(fit, options, message):
    with pytest.raises(InvalidInputError, match=message):
        fit(**options)
