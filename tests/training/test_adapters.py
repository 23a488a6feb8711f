import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import adapters
from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.models import backbone, building, transfer
from keras_fm.models.spec import spec_of

CLASS_NAMES = ["good", "bad", "so-so"]
INPUTS = {
    "mini_bert": np.random.default_rng(0).integers(1, 1000, (4, 12)),
    "lstm": np.random.default_rng(0).integers(1, 1000, (4, 12)),
    "cifar_cnn": helpers.noise(4).inputs,
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.thorough] * (name != "cifar_cnn")) for name in INPUTS
    ],
)
def base(request):
    return keras_fm.get(request.param, weights=None)


@pytest.fixture(scope="module")
def adapted(base):
    """The same with a trained head and trained adapters, in the precision of a training."""
    spec = spec_of(base).with_class_names(CLASS_NAMES)
    model = building.build_for_training(spec, seed=0, precision="bfloat16")
    transfer.transfer_weights(base, model)
    adapters.enable(model, 2, 4.0)
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.05, weight.shape))
    return model


def outputs(model):
    return model.predict(INPUTS[model.name], verbose=0)


def test_adapters_and_head_alone_are_trainable(base, adapted):
    names = {weight.path.rpartition("/")[2] for weight in adapted.trainable_weights}
    kernel = {"lstm": "embeddings"}.get(base.name, "kernel")
    assert {name for name in names if "lora" in name} == {f"lora_{kernel}_a", f"lora_{kernel}_b"}
    head = [
        weight
        for name in backbone.head_layers(adapted)
        for weight in adapted.get_layer(name).weights
    ]
    others = [weight for weight in adapted.trainable_weights if "lora" not in weight.name]
    assert {id(weight) for weight in head} == {id(weight) for weight in others}
    size = sum(weight.numpy().size for weight in adapted.trainable_weights)
    assert size < 0.05 * base.count_params()


def test_the_biases_of_a_backbone_stay_frozen(tiny_net):
    model = keras_fm.get("tiny_net", num_classes=3, weights=None)
    adapters.enable(model, 2)
    trainable = {weight.path for weight in model.trainable_weights}
    assert trainable == {"conv/lora_kernel_a", "conv/lora_kernel_b", "logits/kernel", "logits/bias"}


def test_adapters_are_saved_without_the_backbone_loaded_and_merged(base, adapted, tmp_path):
    file = adapters.save(adapted, tmp_path / "mine.lora.h5")
    assert file.stat().st_size < 0.2 * 4 * base.count_params()
    loaded = adapters.load(base, file)
    assert spec_of(loaded) == spec_of(adapted)
    merged = adapters.merge(adapted)
    assert merged.count_params() < loaded.count_params()
    np.testing.assert_allclose(outputs(merged), outputs(loaded), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs(merged), outputs(adapted), rtol=0.1, atol=0.05)
    # Without the adapters, the same backbone and head predict otherwise.
    plain = building.build(spec_of(adapted))
    transfer.transfer_weights(base, plain)
    for name in backbone.head_layers(plain):
        plain.get_layer(name).set_weights(merged.get_layer(name).get_weights())
    assert np.abs(outputs(merged) - outputs(plain)).max() > 1e-3


def test_a_checkpoint_keeps_kernels_and_adapters_separate(adapted, tmp_path):
    weights = helpers.all_weights(adapted)
    adapters.keep_separate(adapted)
    adapted.save_weights(tmp_path / "state.weights.h5")
    adapted.set_weights([0 * array for array in weights])
    adapted.load_weights(tmp_path / "state.weights.h5")
    for saved, loaded in zip(weights, helpers.all_weights(adapted), strict=True):
        np.testing.assert_array_equal(saved, loaded)


def test_models_without_adapters_are_refused(tiny_net, tmp_path):
    plain = keras_fm.get("tiny_net", weights=None)
    with pytest.raises(InvalidInputError, match="tiny_net has no adapters"):
        adapters.save(plain, tmp_path / "mine.lora.h5")
    with pytest.raises(InvalidInputError, match="tiny_net has no adapters"):
        adapters.merge(plain)


def test_models_without_a_layer_to_adapt_are_refused():
    with pytest.raises(InvalidInputError, match="linear_regression has no dense layer"):
        adapters.enable(keras_fm.get("linear_regression"), 2)
    with pytest.raises(InvalidInputError, match="gan has no layer 'embedding' before a head"):
        adapters.enable(keras_fm.get("gan", weights=None), 2)


def test_a_file_that_does_not_fit_is_refused(tiny_net, tmp_path):
    plain = keras_fm.get("tiny_net", weights=None)
    adapted = building.replace_head(plain, CLASS_NAMES)
    adapters.enable(adapted, 2)
    with pytest.raises(InvalidInputError, match="tiny_net has adapters: merge them"):
        adapters.enable(adapted, 2)
    with pytest.raises(InvalidInputError, match=r"ends in \.lora\.h5; received .*mine\.h5"):
        adapters.save(adapted, tmp_path / "mine.h5")
    file = adapters.save(adapted, tmp_path / "mine.lora.h5")
    with pytest.raises(WeightsError, match="made for other weights of 'tiny_net'"):
        adapters.load(keras_fm.get("tiny_net", weights=None), file)
    with pytest.raises(WeightsError, match="holds adapters of 'tiny_net', not of 'cifar_cnn_b"):
        adapters.load("cifar_cnn_basic", file)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(WeightsError, match="is no readable file of adapters"):
        adapters.load(plain, file)
