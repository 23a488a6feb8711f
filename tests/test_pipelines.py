import helpers
import keras
import numpy as np
import pytest

from keras_fm import pipelines
from keras_fm.errors import InvalidInputError, RunError, UnknownNameError
from keras_fm.tasks import classification


@pytest.fixture(scope="module")
def classify(small_run):
    return pipelines.pipeline(small_run.model)


def test_an_answer_has_a_label_and_probabilities(classify, tmp_path):
    (tmp_path / "a.jpg").write_bytes(helpers.encode(helpers.image(90, 60), "JPEG"))
    given = [tmp_path / "a.jpg", helpers.image(32, 32), helpers.encode(helpers.image(1, 1))]
    answers = classify(given)
    assert len(answers) == 3
    for answer in answers:
        probabilities = answer["probabilities"]
        assert len(probabilities) == 10
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert answer["label"] == max(probabilities, key=probabilities.get)
        assert {type(value) for value in probabilities.values()} == {float}


def test_one_image_gives_one_answer(classify):
    image = helpers.image(40, 40)
    assert classify(image) == classify([image])
    assert len(classify(image)) == 1


def test_it_answers_what_the_model_answers(classify, small_run):
    batch = helpers.noise(5).inputs
    logits = helpers.logits(small_run.model, batch)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    answered = [list(answer["probabilities"].values()) for answer in classify(batch)]
    np.testing.assert_allclose(answered, expected, atol=1e-6)


def test_a_run_directory_is_a_model(classify, small_run):
    images = helpers.noise(3).inputs
    for path in (small_run.path, str(small_run.path)):
        assert pipelines.pipeline(path)(images) == classify(images)


def test_an_empty_list_is_an_error(classify):
    with pytest.raises(InvalidInputError, match="at least one image; received an empty list"):
        classify([])


def test_large_logits_do_not_overflow():
    np.testing.assert_array_equal(classification.softmax(np.array([[1e4, -1e4]])), [[1, 0]])


def test_a_model_of_another_origin_is_refused():
    layer = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), layer], name="mine")
    with pytest.raises(InvalidInputError, match=r"expected a model from .*Sequential 'mine'"):
        pipelines.pipeline(model)([helpers.image(2, 2)])


@pytest.mark.parametrize("given", ["cifar_cnn_basik", 3, None])
def test_what_is_no_model_is_named(given):
    with pytest.raises(UnknownNameError, match=r"cifar_cnn_basik|received (int|NoneType)"):
        pipelines.pipeline(given)


def test_a_run_that_did_not_end_says_how_to_go_on(small_run, tmp_path):
    (tmp_path / "run.json").write_text((small_run.path / "run.json").read_text())
    with pytest.raises(RunError, match=r"did not end.*--resume"):
        pipelines.pipeline(tmp_path)
