"""Options by the names of Keras, timm, Hugging Face and scikit-learn: what their errors say."""

import inspect

import numpy as np
import pytest

import keras_fm
from keras_fm import familiar_names
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.registry.recipe import Recipe
from keras_fm.registry.tasks import TASKS
from keras_fm.training import jobs

IMAGES = np.zeros((8, 32, 32, 3), "uint8"), list("abababab")


def error_of(function, *arguments, **options):
    with pytest.raises((UnknownNameError, InvalidInputError)) as caught:
        function(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("lr", 0.1, "Did you mean 'learning_rate'?"),
        ("num_train_epochs", 3, "Did you mean 'epochs'?"),
        ("random_state", 0, "Did you mean 'seed'?"),
        ("output_dir", "x", "Did you mean 'run_dir'?"),
        ("max_grad_norm", 1.0, "Did you mean 'global_clipnorm'?"),
        ("test_size", 0.2, "Did you mean 'validation_split'?"),
        ("epoch", 1, "Did you mean 'epochs'"),
        ("steps_per_epoch", 1, "An epoch is a pass over the data"),
        ("dropout", 0.5, "The dropout rates are those of the model"),
        ("max_length", 10, "A text is cut at the longest length"),
        ("num_classes", 2, "The classes are those of the data"),
    ],
)
@pytest.mark.parametrize("function", [keras_fm.train, keras_fm.fine_tune])
def test_a_training_says_which_option_is_meant(function, name, value, part):
    error = error_of(function, "cifar_cnn_basic", data=IMAGES, **{name: value})
    assert f"has no field {name!r}. " in error
    assert part in error


@pytest.mark.parametrize(
    ("function", "name", "part"),
    [
        (keras_fm.train, "pretrained", "init_from="),
        (keras_fm.fine_tune, "pretrained", "fine_tune starts from pretrained weights"),
        (keras_fm.fine_tune, "classes", "Did you mean 'class_names'?"),
        (keras_fm.train, "classes", "The classes are those of the data"),
        (keras_fm.fine_tune, "include_top", "replaced by one for the classes of the data"),
    ],
)
def test_what_is_meant_depends_on_the_training(function, name, part):
    assert part in error_of(function, "cifar_cnn_basic", data=IMAGES, **{name: True})


def test_a_field_of_one_stage_is_understood_as_well():
    error = error_of(keras_fm.fine_tune, "cifar_cnn_basic", IMAGES, **{"head.lr": 0.1})
    assert "Did you mean 'learning_rate'?" in error
    error = error_of(keras_fm.train, "mini_bert", **{"pretraining.lr": 0.1})
    assert "Did you mean 'learning_rate'?" in error


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"pretrained": True}, "weights=None is for random ones"),
        ({"include_top": False}, 'model.get_layer("embedding").output'),
        ({"global_pool": "avg"}, 'model.get_layer("embedding").output'),
        ({"num_classes": 0}, 'model.get_layer("embedding").output'),
        ({"num_classes": np.int64(0)}, 'model.get_layer("embedding").output'),
        ({"num_classes": 1}, "num_classes is a whole number from 2; received 1"),
        ({"classes": 5}, "Did you mean 'num_classes'?"),
        ({"lr": 0.1}, "a field of a training's recipe"),
        ({"dtype": "bfloat16"}, "A model is float32"),
    ],
)
def test_get_says_what_is_meant(options, part):
    assert part in error_of(keras_fm.get, "cifar_cnn_basic", **options)


def test_get_without_a_head_is_said_for_zero_alone():
    assert "embedding" not in error_of(keras_fm.get, "cifar_cnn_basic", num_classes=1)
    assert "embedding" not in error_of(keras_fm.get, "cifar_cnn_basic", num_classes=False)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (keras_fm.pipeline, ["cifar_cnn_basic"]),
        (keras_fm.evaluate, ["cifar_cnn_basic"]),
        (keras_fm.explain, ["cifar_cnn_basic", IMAGES[0][0]]),
        (keras_fm.verify, ["cifar_cnn_basic"]),
        (keras_fm.export, ["cifar_cnn_basic", "never_written"]),
    ],
)
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("pretrained", "keras_fm.get(name, weights=None)"),
        ("include_top", "embedding"),
        ("num_labels", "keras_fm.get(name, num_classes=5)"),
        ("lr", "an option of train and fine_tune"),
        ("validation_split", "an option of train and fine_tune"),
        ("batch_size", "fit into memory"),
        ("device", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_other_functions_say_what_is_meant(function, arguments, name, part):
    error = error_of(function, *arguments, **{name: 1})
    assert f"{function.__name__} has no option {name!r}. " in error
    assert part in error


def test_the_options_of_a_pipelines_call_are_understood():
    generate = keras_fm.pipeline("char_lstm")
    assert "Did you mean 'length'?" in error_of(generate, "ROMEO:", max_new_tokens=5)
    assert "fit into memory" in error_of(generate, "ROMEO:", batch_size=5)


def test_every_synonym_leads_to_an_option_or_a_hint():
    fields = {field for task in TASKS for field in jobs.recipe_class_of(task).__struct_fields__}
    functions = [getattr(keras_fm, name) for name in dir(keras_fm) if name.islower()]
    options = {"top_k", "length", "num_classes", "image_size"}
    options.update(*(inspect.signature(f).parameters for f in functions if inspect.isfunction(f)))
    known = {*Recipe.__struct_fields__, *fields, *options, *familiar_names.HINTS}
    for name, synonyms in familiar_names.SYNONYMS.items():
        assert set(synonyms) <= known, name


def test_an_option_that_a_function_has_is_not_refused():
    assert familiar_names.suggest_option("lr", ["learning_rate"]) == "Did you mean 'learning_rate'?"
    assert familiar_names.suggest_option("Learning-Rate", ["learning_rate"]).startswith("Did you")
    assert familiar_names.suggest_option("frobnicate", ["a", "b"]) == "Known: a, b."
