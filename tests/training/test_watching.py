"""Optional summaries of TensorBoard: histograms, activations, a profile; attention maps."""

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs

from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError
from keras_fm.models import loading
from keras_fm.tasks import plots
from keras_fm.training import weight_summaries
from keras_fm.training.attention_maps import attention_images
from keras_fm.training.fine_tuning_options import check_fine_tune
from keras_fm.training.train_arguments import check_train
from keras_fm.training.training import train


def test_histograms_and_a_profile_are_in_the_logs(tiny_net, tmp_path):
    run = train(
        "tiny_net", data="sample", epochs=2, histograms=True, profile=True, run_dir=tmp_path / "run"
    )
    events = tensorboard_logs.read_events(tmp_path / "run" / "logs" / "train")
    tags = events.Tags()["tensors"]
    weights = {tag.removeprefix("8_weights/") for tag in tags if tag.startswith("8_weights/")}
    assert weights == {weight.path for weight in run.model.weights}
    sizes = {tag.removeprefix("9_activations/") for tag in tags if tag.startswith("9_")}
    assert sizes == {"rescale", "conv", "norm", "embedding", "logits"}
    steps = [event.step for event in events.Tensors("9_activations/conv")]
    assert len(steps) == 2
    assert [event.step for event in events.Tensors("8_weights/conv/kernel")] == steps
    assert "1_loss/loss" in tags
    profile = tmp_path / "run" / "logs" / "profile" / "train"
    assert [*profile.rglob("*.xplane.pb")]
    # No curve is there twice, but the graph of the steps is.
    assert tensorboard_logs.read_events(profile).Tags()["tensors"] == ["batch_20"]


def test_sizes_are_root_mean_squares():
    inputs = keras.Input((2,), name="x")
    x = keras.layers.Rescaling(2.0, name="double")(inputs)
    outputs = keras.layers.Dense(1, kernel_initializer="ones", name="sum")(x)
    sizes = weight_summaries.activation_sizes(
        keras.Model(inputs, outputs), np.array([[3.0, 4.0], [0.0, 0.0]])
    )
    assert sizes == pytest.approx({"double": 5.0, "sum": 14 / 2**0.5})


@pytest.mark.parametrize("option", ["histograms", "profile"])
def test_both_are_switches(option):
    with pytest.raises(InvalidInputError, match=f"{option} is True or False; received 5"):
        check_train("cifar_cnn", **{option: 5})
    with pytest.raises(InvalidInputError, match=f"{option} is True or False; received 5"):
        check_fine_tune("cifar_cnn", helpers.noise(), **{option: 5})


def test_a_transformer_has_pictures_of_its_attention():
    model = loading.get("mini_bert", weights=None)
    reviews = datasets.sample("imdb_reviews").subset(slice(4), "reviews")
    images = attention_images(model, reviews)
    assert [*images] == ["attention_1", "attention_2", "attention_3"]
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in images.values())


def test_models_without_attention_have_none(tiny_reader):
    images = helpers.noise(classes=10)
    assert attention_images(loading.get("cifar_cnn_basic", weights=None), images) == {}
    reviews = datasets.sample("imdb_reviews").subset(slice(4), "reviews")
    assert attention_images(loading.get("tiny_reader", weights=None), reviews) == {}


def test_the_map_shows_which_token_attends_to_which():
    weights = np.eye(3)[[1, 1, 1]]  # all attend to the second one
    image = plots.plot_attention(weights, ["a", "b", "c"], "a title")
    is_dark = (image == plots._BLUE).all(axis=-1)
    rows, columns = np.nonzero(is_dark)
    assert rows.max() - rows.min() + 1 == 3 * plots._TOKEN
    assert columns.max() - columns.min() + 1 == plots._TOKEN
