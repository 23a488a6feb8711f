"""The test of one model of the zoo, which every model has to pass."""

from typing import Any

import helpers
import keras
import numpy as np

from keras_fm import registry, store
from keras_fm.models import loading
from keras_fm.models.backbone import head_layers
from keras_fm.models.building import build, build_for_training
from keras_fm.models.spec import ModelSpec
from keras_fm.models.transfer import transfer_weights
from keras_fm.registry.recipe import fingerprint
from keras_fm.tasks.base import task_of


def run_model_test(name: str) -> None:
    """Test what every model of the zoo must fulfil; a new model needs no other test."""
    package, _ = registry.find(name)
    spec = ModelSpec.of(package)
    for file in ("__init__.py", "model.py", "recipe.toml", "entry.toml", "card.md"):
        assert (package.path / file).is_file(), f"{package.path} has no {file}"
    assert spec.task.default_recipe().dataset == package.entry.dataset
    assert package.module("model").build.__doc__, f"{name}: build has no docstring"

    model = loading.get(name, weights=None)
    _check_inputs_and_outputs(model, package.entry)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "Lambda" not in kinds, f"{name}: a Lambda layer holds code"
    assert isinstance(model, keras.Model)
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    if package.entry.task.endswith("classification"):
        assert loading.get(name, weights=None, num_classes=3).output_shape == (None, 3)

    mixed = build_for_training(spec, seed=0, precision="bfloat16")
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in mixed.layers}
    assert mixed.layers[-1].dtype_policy.name == "float32"
    assert np.isfinite(helpers.train_one_step(mixed, name, count=2))
    if package.entry.pretraining is not None:
        _check_pretraining(package, model)
    for tag in package.entry.weights:
        _check_weights(package, tag)


def _check_inputs_and_outputs(model: keras.Model, entry: Any) -> None:
    assert model.name == entry.name
    assert {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs} == {
        model_input.name: tuple(None if size == "any" else size for size in model_input.shape)
        for model_input in entry.inputs
    }
    assert len(model.outputs) == 1
    output_name, shape = task_of(model).predictor.output_spec
    assert model.layers[-1].name == output_name
    assert model.outputs[0].dtype == "float32"
    assert model.output_shape == (None, *shape)
    zeros = {
        tensor.name: np.zeros([size or 1 for size in tensor.shape], tensor.dtype)
        for tensor in model.inputs
    }
    inputs = zeros if len(zeros) > 1 else next(iter(zeros.values()))
    assert np.isfinite(model.predict(inputs, verbose=0)).all()


def _check_pretraining(package: Any, model: keras.Model) -> None:
    pretraining_spec = ModelSpec.of_pretraining(package)
    pretraining = pretraining_spec.task.default_recipe()
    recipe = ModelSpec.of(package).task.default_recipe()
    assert pretraining.dataset == recipe.dataset
    assert pretraining.validation_examples == recipe.validation_examples
    pretrained = build(pretraining_spec)
    transfer_weights(pretrained, model)
    initialized = {layer.name for layer in pretrained.layers if layer.weights}
    backbone = {layer.name for layer in model.layers if layer.weights} - head_layers(model)
    assert backbone <= initialized, f"{package.name}: {backbone - initialized} begin at random"


def _check_weights(package: Any, tag: str) -> None:
    record = package.entry.weights[tag]
    file = package.path / record.file
    assert file.stat().st_size == record.file_size
    assert store.sha256_of(file) == record.sha256
    assert fingerprint(package.path / record.recipe) == record.recipe_sha256
    if record.pretraining_sha256 is not None:
        assert fingerprint(package.path / "pretraining.toml") == record.pretraining_sha256
    if record.init_from_sha256 is not None:
        assert registry.weights_of(package.entry.init_from).sha256 == record.init_from_sha256
    if record.teacher is not None:
        assert registry.weights_of(record.teacher).sha256 == record.teacher_sha256
    model = loading.get(f"{package.name}.{tag}")
    assert model.count_params() == record.num_parameters
    lengths = {len(values) for values in record.seeds.metrics.values()}
    lengths |= {len(record.seeds.seeds), len(record.seeds.minutes), len(record.hardware)}
    assert len(lengths) == 1, f"{package.name}.{tag}: other lengths"
