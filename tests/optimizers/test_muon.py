"""Which variables Muon trains, and how."""

import helpers
import keras
import numpy as np
import pytest

from keras_fm.layers import PackedConv2D
from keras_fm.models import loading
from keras_fm.optimizers.muon import Muon, _matrix_shape
from keras_fm.optimizers.optimizers import make_optimizer


def muon_variables(model):
    return {v.path for v in model.trainable_variables if _matrix_shape(v) is not None}


def test_kernels_of_hidden_layers_are_orthogonalized_and_the_rest_is_not():
    model = loading.get("mini_bert", weights=None)
    names = muon_variables(model)
    assert "attention1/query/kernel" in names
    assert "attention1/attention_output/kernel" in names
    assert "dense1a/kernel" in names
    assert not {"token_embedding/embeddings", "logits/kernel"} & names
    assert not any(name.endswith(("bias", "gamma", "beta")) for name in names)
    model = loading.get("cifar_cnn_basic", weights=None)
    assert "embedding/kernel" in muon_variables(model)  # a hidden layer, whatever its name


def update(variable_shape, name, gradient, layer="hidden"):
    """The change of a variable in one step of rate 1."""
    with keras.name_scope(layer):
        variable = keras.Variable(np.zeros(variable_shape, "float32"), name=name)
    optimizer = Muon(1.0, weight_decay=None, adam_weight_decay=None)
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))])
    return -np.array(variable)


@pytest.mark.parametrize(
    ("shape", "layer", "rows"),
    [((12, 6), "dense", 12), ((3, 3, 4, 8), "conv", 36), ((8, 2, 6), "query", 8),
     ((2, 6, 8), "attention_output", 12)],
    ids=["dense", "conv", "query", "attention-output"],
)  # fmt: skip
def test_an_update_is_nearly_orthogonal_with_the_scale_of_adam(shape, layer, rows):
    gradient = np.random.default_rng(0).normal(size=shape)
    matrix = update(shape, "kernel", gradient, layer).reshape(rows, -1)
    values = np.linalg.svd(matrix, compute_uv=False) / (0.2 * np.sqrt(max(matrix.shape)))
    # The iteration of Newton and Schulz brings the singular values near 1, not to it.
    assert values.min() > 0.5
    assert values.max() < 1.4
    left, _, right = np.linalg.svd(gradient.reshape(rows, -1), full_matrices=False)
    nearest = left @ right  # of all orthogonal matrices
    cosine = np.sum(matrix * nearest) / np.linalg.norm(matrix) / np.linalg.norm(nearest)
    assert cosine > 0.95


@pytest.mark.parametrize(
    ("shape", "name", "layer"),
    [((7,), "bias", "dense"), ((9, 4), "embeddings", "token_embedding"),
     ((9, 4), "kernel", "logits"), ((3, 3, 5, 1), "kernel", "depthwise"),
     ((4, 6, 6), "kernel", "members")],
    ids=["bias", "embeddings", "logits", "depthwise", "members"],
)  # fmt: skip
def test_adamw_trains_the_rest(shape, name, layer):
    gradient = np.random.default_rng(0).normal(size=shape)
    # The first step of Adam is the sign of the gradient.
    np.testing.assert_allclose(update(shape, name, gradient, layer), np.sign(gradient), atol=1e-3)


def test_a_packed_convolution_learns_in_a_compiled_step():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = PackedConv2D(4, 3, pack=2, dtype="mixed_bfloat16")(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    recipe = helpers.recipe(
        optimizer="muon", momentum=0.95, nesterov=True, learning_rate=0.05, weight_decay=0.01,
        global_clipnorm=1.0, schedule="linear", warmup_fraction=0.1,
    )  # fmt: skip
    model.compile(make_optimizer(recipe, steps=40), "mse")
    images = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")
    targets = np.asarray(images[:, :, :, :1].mean((1, 2)) * [[1, 2, 3, 4]], "float32")
    losses = [float(model.train_on_batch(images, targets)) for _ in range(40)]
    assert losses[-1] < 0.75 * losses[0]


def test_muon_is_saved_and_loaded():
    optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(Muon(0.5, momentum=0.75)))
    assert (type(optimizer), optimizer.momentum) == (Muon, 0.75)


def test_muon_without_momentum_is_refused():
    with pytest.raises(ValueError, match="'momentum': expected one above 0 for optimizer"):
        helpers.recipe(optimizer="muon")
