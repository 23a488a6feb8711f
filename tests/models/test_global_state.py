import json
import random

import helpers
import keras
import numpy as np
import pytest

import keras_fm
from keras_fm import data
from keras_fm.models.global_state import keras_settings, preserved_global_state

SETTINGS = {
    "mixed_bfloat16": (keras.config.set_dtype_policy, "mixed_bfloat16"),
    "bfloat16": (keras.config.set_dtype_policy, "bfloat16"),
    "float16": (keras.config.set_floatx, "float16"),
    "float64": (keras.config.set_floatx, "float64"),
    "channels_first": (keras.config.set_image_data_format, "channels_first"),
    "epsilon": (keras.config.set_epsilon, 0.1),
}


def current_settings():
    config = keras.config
    return config.dtype_policy().name, config.floatx(), config.image_data_format(), config.epsilon()


@pytest.fixture(params=SETTINGS)
def others_setting(request):
    """A global setting of Keras that the caller changed."""
    policy, floatx, data_format, epsilon = current_settings()
    set_value, value = SETTINGS[request.param]
    set_value(value)
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(data_format)
    keras.config.set_epsilon(epsilon)
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="module")
def expected():
    """Outputs under Keras' default settings, by model."""
    return {name: outputs(name) for name in ("mlp", "cifar_cnn_basic", "lstm")}


def outputs(name):
    model = keras_fm.get(name)
    inputs = {
        "mlp": lambda: [{**data.sample("diamonds").inputs}],
        "cifar_cnn_basic": lambda: [data.sample("cifar10").inputs[:4]],
        "lstm": lambda: [["a wonderful film", "a terrible waste of time"]],
    }[name]()
    predictions = keras_fm.pipeline(model)(*inputs)[:4]
    assert model.compute_dtype == "float32"
    return [x.get("value", x.get("probabilities")) for x in predictions]


# Every setting with one model and every model with one setting; `.ci/run` tests all pairs.
PAIRS = [
    pytest.param(
        name,
        setting,
        marks=[pytest.mark.thorough] * (name != "cifar_cnn_basic" and setting != "mixed_bfloat16"),
    )
    for name in ("mlp", "cifar_cnn_basic", "lstm")
    for setting in SETTINGS
]


@pytest.mark.parametrize(("name", "others_setting"), PAIRS, indirect=["others_setting"])
def test_a_model_does_not_depend_on_the_callers_settings(name, others_setting, expected):
    before = current_settings()
    assert outputs(name) == expected[name]
    assert current_settings() == before


@pytest.mark.parametrize("name", helpers.thorough(keras_fm.list_models()))
def test_every_model_is_built_under_others_settings(name):
    with keras_settings():
        shapes = [weight.shape for weight in keras_fm.get(name, weights=None).weights]
        keras.config.set_image_data_format("channels_first")
        keras.config.set_dtype_policy("bfloat16")
        model = keras_fm.get(name, weights=None)
    assert [weight.shape for weight in model.weights] == shapes
    assert {weight.dtype for weight in model.weights if "float" in weight.dtype} == {"float32"}


@pytest.fixture(scope="module")
def expected_run(tmp_path_factory):
    """A training under Keras' default settings."""
    return train(tmp_path_factory.mktemp("expected") / "run")


def train(run_dir):
    return keras_fm.train("linear_regression", data="sample", epochs=1, run_dir=run_dir)


@pytest.mark.parametrize(
    "others_setting",
    ["mixed_bfloat16"]
    + [
        pytest.param(name, marks=pytest.mark.thorough)
        for name in ("float64", "epsilon", "bfloat16", "float16", "channels_first")
    ],
    indirect=True,
)
def test_a_training_does_not_depend_on_them(others_setting, expected_run, tmp_path):
    before = current_settings()
    run = train(tmp_path / "run")
    assert current_settings() == before
    assert helpers.same_weights(run.model, expected_run.model)
    assert run.metrics == expected_run.metrics


@pytest.mark.thorough
@pytest.mark.parametrize(
    "others_setting",
    ["mixed_bfloat16", pytest.param("channels_first", marks=pytest.mark.thorough)],
    indirect=True,
)
def test_an_export_does_not_depend_on_them(others_setting, tmp_path):
    version = keras_fm.export("cifar_cnn_basic", tmp_path / "export", warmup=False)
    info = json.loads((version / "keras_fm.json").read_text())
    assert info["precision"] == "float32"
    assert max(info["parity"]["serve_bytes"]["max_difference"].values()) < 1e-5


def test_the_precision_applies_inside_the_context_alone():
    with keras_settings("bfloat16"):
        inside = keras.layers.Dense(1)
        with keras_settings("float32"):
            assert keras.layers.Dense(1).compute_dtype == "float32"
    assert (inside.compute_dtype, inside.variable_dtype) == ("bfloat16", "float32")
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_an_error_inside_restores_the_settings():
    before = current_settings()
    with pytest.raises(ZeroDivisionError), keras_settings("bfloat16"):
        _ = 1 / 0
    assert current_settings() == before


def test_the_callers_random_numbers_go_on(tmp_path):
    def draw():
        return random.random(), np.random.rand()

    random.seed(1)
    np.random.seed(1)
    expected = draw()
    random.seed(1)
    np.random.seed(1)
    run = train(tmp_path / "run")
    keras_fm.evaluate(run.model, data=data.sample("diamonds"))
    assert draw() == expected


def test_the_state_is_restored_after_an_error():
    random.seed(1)
    expected = random.random()
    random.seed(1)

    @preserved_global_state()
    def fail():
        random.seed(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert random.random() == expected
