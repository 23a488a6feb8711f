import helpers
import keras
import numpy as np
import pytest

import keras_fm
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.models.backbone import head_layers
from keras_fm.tasks.base import task_of


@pytest.fixture
def model(tiny_net):
    return keras_fm.get("tiny_net", weights=None)


@pytest.mark.parametrize("name", ["mlp", "linear_regression", "cifar_cnn_basic"])
def test_the_embedding_is_no_layer_of_the_head(name):
    model = keras_fm.get(name, weights=None)
    names = [layer.name for layer in model.layers]
    assert head_layers(model) == {*names[names.index("embedding") + 1 :]}


def train_step(model):
    """Return the layers that a training step changes, and whether it changes moving statistics."""
    before = {layer.name: layer.get_weights() for layer in model.layers}
    examples = helpers.noise(8, classes=10)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True))
    model.train_on_batch(examples.inputs, task_of(model).data.targets(examples))
    changed = {
        layer.name: [
            not np.array_equal(*pair)
            for pair in zip(before[layer.name], layer.get_weights(), strict=True)
        ]
        for layer in model.layers
    }
    statistics = any(changed["norm"][2:])
    return {name for name, arrays in changed.items() if any(arrays)}, statistics


def test_a_frozen_backbone_keeps_weights_and_moving_statistics(model):
    keras_fm.freeze(model)
    assert train_step(model) == ({"logits"}, False)


def test_the_last_frozen_layer_can_be_named(model):
    keras_fm.freeze(model, last_layer="conv")
    assert train_step(model) == ({"norm", "logits"}, True)


def test_an_unfrozen_backbone_is_trained_but_not_its_batch_norm(model):
    keras_fm.freeze(model)
    keras_fm.unfreeze(model)
    assert train_step(model) == ({"conv", "logits"}, False)


def test_batch_norm_is_trained_on_request(model):
    keras_fm.freeze(model)
    keras_fm.unfreeze(model, batch_norm=True)
    assert train_step(model) == ({"conv", "norm", "logits"}, True)


def test_the_first_trainable_layer_can_be_named(model):
    keras_fm.freeze(model)
    keras_fm.unfreeze(model, first_layer="norm", batch_norm=True)
    assert train_step(model) == ({"norm", "logits"}, True)


def test_layers_that_are_built_frozen_stay_frozen():
    model = keras_fm.get("cifar_cnn", weights=None)
    keras_fm.freeze(model)
    keras_fm.unfreeze(model, batch_norm=True)
    assert [layer.name for layer in model.layers if not layer.trainable] == ["whiten"]


@pytest.mark.parametrize("name", ["char_lstm", "char_lstm_reviews"])
def test_the_lstm_layers_of_a_language_model_belong_to_its_backbone(name):
    model = keras_fm.get(name, weights=None)
    keras_fm.freeze(model)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["logits"]


def test_errors_of_freezing_name_the_model_or_layer(model):
    for function in (keras_fm.freeze, keras_fm.unfreeze):
        with pytest.raises(InvalidInputError, match="expected a model from keras_fm"):
            function("tiny_net")
        with pytest.raises(InvalidInputError, match="expected a model from keras_fm"):
            function(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    with pytest.raises(UnknownNameError, match=r"tiny_net has no layer 'covn'.*'conv'"):
        keras_fm.freeze(model, last_layer="covn")
    with pytest.raises(UnknownNameError, match=r"tiny_net has no layer 'nrom'.*'norm'"):
        keras_fm.unfreeze(model, first_layer="nrom")
