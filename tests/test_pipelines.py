import helpers
import keras
import numpy as np
import pytest

from keras_fm import pipelines
from keras_fm.errors import InvalidInputError, RunError, UnknownNameError
from keras_fm.tasks.base import task_of


@pytest.fixture(scope="module")
def classify(small_run):
    return pipelines.pipeline(small_run.model)


def test_a_prediction_has_a_label_and_probabilities(classify, tmp_path):
    (tmp_path / "a.jpg").write_bytes(helpers.encode(helpers.image(90, 60), "JPEG"))
    images = [tmp_path / "a.jpg", helpers.image(32, 32), helpers.encode(helpers.image(1, 1))]
    predictions = classify(images)
    assert len(predictions) == 3
    for prediction in predictions:
        probabilities = prediction["probabilities"]
        assert len(probabilities) == 10
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert prediction["label"] == max(probabilities, key=probabilities.get)
        assert {type(value) for value in probabilities.values()} == {float}


def test_a_single_image_gives_a_single_prediction(classify):
    image = helpers.image(40, 40)
    assert classify(image) == classify([image])
    assert len(classify(image)) == 1


def test_probabilities_are_the_softmax_of_the_models_logits(classify, small_run):
    batch = helpers.noise(5).inputs
    logits = helpers.logits(small_run.model, batch)
    expected = helpers.softmax(logits)
    predicted = [list(prediction["probabilities"].values()) for prediction in classify(batch)]
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


def test_a_run_directory_stands_for_its_model(classify, small_run):
    images = helpers.noise(3).inputs
    for path in (small_run.path, str(small_run.path)):
        assert pipelines.pipeline(path)(images) == classify(images)


def test_an_empty_list_is_an_error(classify):
    with pytest.raises(InvalidInputError, match="at least one image; received an empty list"):
        classify([])


def test_large_logits_do_not_overflow(small_run):
    logits = np.full((1, 10), -1e4, "float32")
    logits[0, 2] = 1e4
    [prediction] = task_of(small_run.model).predictor.predictions(logits)
    assert list(prediction["probabilities"].values()) == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_a_model_of_another_origin_is_an_error():
    layer = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), layer], name="mine")
    with pytest.raises(InvalidInputError, match=r"expected a model from .*Sequential 'mine'"):
        pipelines.pipeline(model)([helpers.image(2, 2)])


@pytest.mark.parametrize("name_or_model", ["cifar_cnn_basik", 3, None])
def test_what_is_no_model_is_an_error(name_or_model):
    with pytest.raises(UnknownNameError, match=r"cifar_cnn_basik|received (int|NoneType)"):
        pipelines.pipeline(name_or_model)


def test_an_interrupted_run_is_an_error_that_says_how_to_resume(small_run, tmp_path):
    (tmp_path / "run.json").write_text((small_run.path / "run.json").read_text())
    with pytest.raises(RunError, match=r"did not end.*--resume"):
        pipelines.pipeline(tmp_path)
