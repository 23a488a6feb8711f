"""`.keras` files, which hold the labels and the inputs of a model."""

import helpers
import pytest

import keras_fm
from keras_fm.data import datasets
from keras_fm.errors import RunError
from keras_fm.evaluation import evaluation, verification


@pytest.mark.thorough
def test_a_keras_file_is_loaded_in_a_new_process(tmp_path):
    model = keras_fm.get("linear_regression")
    model.save(tmp_path / "mine.keras")
    code = (
        "import sys, keras, keras_fm\n"
        "from keras_fm import data\n"
        "print('|', keras.models.load_model(sys.argv[1]).count_params())\n"
        "print('|', keras_fm.evaluate(sys.argv[1], data=data.sample('diamonds'))['rmse_log'])"
    )
    done = helpers.python(code, tmp_path / "mine.keras")
    assert done.returncode == 0, done.stderr
    _, num_parameters, rmse = done.stdout.split("|")
    assert int(num_parameters) == model.count_params()
    expected = evaluation.evaluate(model, data=datasets.sample("diamonds"))["rmse_log"]
    assert float(rmse) == pytest.approx(expected)
    with pytest.raises(RunError, match=r"mine\.keras has no claims"):
        verification.verify(tmp_path / "mine.keras")
