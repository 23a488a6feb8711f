import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import adapters
from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.models import backbone, building, loading, precision, transfer
from keras_fm.models.spec import spec_of

LABELS = ["good", "bad", "so-so"]
INPUTS = {
    "mini_bert": np.random.default_rng(0).integers(1, 1000, (4, 12)),
    "lstm": np.random.default_rng(0).integers(1, 1000, (4, 12)),
    "cifar_cnn": helpers.noise(4).inputs,
}


@pytest.fixture(scope="module", params=INPUTS)
def base(request):
    return keras_fm.get(request.param, weights=None)


@pytest.fixture(scope="module")
def taught(base):
    """The same with a head and adapters that learned something, in a training's precision."""
    identity = spec_of(base).with_class_names(LABELS)
    with precision.dtype_policy("bfloat16"):
        model = building.build(loading.registry.find(base.name)[0], identity)
    transfer.transfer_weights(base, model)
    adapters.enable(model, 2, 4.0)
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.05, weight.shape))
    return model


def answers(model):
    return model.predict(INPUTS[model.name], verbose=0)


def test_the_adapters_and_the_head_learn_alone(base, taught):
    names = {weight.path.rpartition("/")[2] for weight in taught.trainable_weights}
    kinds = {"lstm": "embeddings"}.get(base.name, "kernel")
    assert {name for name in names if "lora" in name} == {f"lora_{kinds}_a", f"lora_{kinds}_b"}
    head = [
        weight for name in backbone.head_layers(taught) for weight in taught.get_layer(name).weights
    ]
    rest = [weight for weight in taught.trainable_weights if "lora" not in weight.name]
    assert {id(weight) for weight in head} == {id(weight) for weight in rest}
    size = sum(weight.numpy().size for weight in taught.trainable_weights)
    assert size < 0.05 * base.count_params()


def test_they_are_saved_alone_loaded_and_merged(base, taught, tmp_path):
    file = adapters.save(taught, tmp_path / "mine.lora.h5")
    assert file.stat().st_size < 0.2 * 4 * base.count_params()
    loaded = adapters.load(base, file)
    assert spec_of(loaded) == spec_of(taught)
    merged = adapters.merge(taught)
    assert merged.count_params() < loaded.count_params()
    np.testing.assert_allclose(answers(merged), answers(loaded), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answers(merged), answers(taught), rtol=0.1, atol=0.05)
    assert np.abs(answers(merged) - answers(building.replace_head(base, LABELS))).max() > 0.01


def test_a_checkpoint_keeps_kernels_and_adapters_apart(taught, tmp_path):
    before = helpers.all_weights(taught)
    adapters.keep_apart(taught)
    taught.save_weights(tmp_path / "state.weights.h5")
    taught.set_weights([0 * array for array in before])
    taught.load_weights(tmp_path / "state.weights.h5")
    for old, new in zip(before, helpers.all_weights(taught), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_does_not_fit_is_named(tiny_net, tmp_path):
    plain = keras_fm.get("tiny_net", weights=None)
    with pytest.raises(InvalidInputError, match="tiny_net has no adapters"):
        adapters.save(plain, tmp_path / "mine.lora.h5")
    with pytest.raises(InvalidInputError, match="tiny_net has no adapters"):
        adapters.merge(plain)
    with pytest.raises(InvalidInputError, match="linear_regression has no dense layer"):
        adapters.enable(keras_fm.get("linear_regression"), 2)
    taught = building.replace_head(plain, LABELS)
    adapters.enable(taught, 2)
    with pytest.raises(InvalidInputError, match=r"ends in \.lora\.h5; received .*mine\.h5"):
        adapters.save(taught, tmp_path / "mine.h5")
    file = adapters.save(taught, tmp_path / "mine.lora.h5")
    with pytest.raises(WeightsError, match="made for other weights of 'tiny_net'"):
        adapters.load(keras_fm.get("tiny_net", weights=None), file)
    with pytest.raises(WeightsError, match="holds adapters of 'tiny_net', not of 'cifar_cnn_b"):
        adapters.load("cifar_cnn_basic", file)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(WeightsError, match="is no readable file of adapters"):
        adapters.load(plain, file)
