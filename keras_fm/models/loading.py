"""From a name or a path to a Keras model with weights."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_fm import registry, store
from keras_fm.calibration import calibration
from keras_fm.errors import InvalidInputError, UnknownNameError, WeightsError
from keras_fm.familiar_names import FEATURES
from keras_fm.files import local_path
from keras_fm.models import keras_file, run_files
from keras_fm.models import weights as weights_files
from keras_fm.models.building import build, replace_head
from keras_fm.models.lookup import find_model, read_run_of_model
from keras_fm.models.spec import ModelSpec, attach_spec, spec_of
from keras_fm.models.transfer import transfer_weights
from keras_fm.options import check_int, to_python
from keras_fm.registry import ModelPackage


def get(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = "default",
    num_classes: int | None = None,
    **overrides: Any,
) -> keras.Model:
    """Build a model of the zoo and load its pretrained weights.

    The model is a plain functional `keras.Model` in float32, with telling names of its inputs and
    layers. A classifier outputs `logits`, `[batch, classes]`, a regression `value`, `[batch]`; the
    layer `embedding` is the end of the backbone.

    Args:
        name: `"model"` or `"model.tag"`; or the path of a run directory or of a `.keras` file,
            which has weights of its own. (`keras.models.load_model` opens the latter too, where
            `keras_fm` was imported after `keras`.)
        weights: `"default"`, a tag, a path, a URL ending in `#sha256=…`, or None for random
            weights.
        num_classes: Of a classifier: replaces the head by a random one for so many classes, also
            where the model has as many. Of a model with a pretraining on another task, such as
            `"mini_bert"`, the backbone is then that of the pretraining (`"mini_bert.mlm"`), unless
            a tag says otherwise.
        **overrides: Arguments of the model's own `build`.

    Returns:
        The model.

    Raises:
        UnknownNameError: There is no such model, tag or argument.
        InvalidInputError: `num_classes` is below 2, or the model is no classifier.
        WeightsError: The weights file is missing, altered, or does not fit.
        RunError: There is no such run, or its training did not end.

    Example:
        >>> model = keras_fm.get("cifar_cnn")
        >>> model.predict(images)  # uint8 or float, [batch, 32, 32, 3], 0..255
    """
    if num_classes is not None:
        num_classes = _check_num_classes(num_classes)
    if run_files.is_model_path(name):
        if weights != "default" or overrides:
            raise InvalidInputError(f"{name} has weights and arguments of its own; give none")
        return _with_num_classes(load_file(local_path(name)), num_classes)
    package, tag = find_model(str(name))
    tag = weights if isinstance(weights, str) and weights in package.entry.weights else tag
    if num_classes is not None and tag is None and weights == "default":
        tag = _pretraining_tag(package)
    default_spec = ModelSpec.of(package)
    spec = default_spec if num_classes is None else default_spec.with_num_classes(num_classes)
    if weights is None:
        return build(_spec_of_weights(package, tag) if num_classes is None else spec, **overrides)
    model = build(_spec_of_weights(package, tag), **overrides)
    _load_weights(model, package, store.resolve(package, weights, tag))
    if num_classes is None:
        return model
    if not spec_of(model).is_pretraining:
        return replace_head(model, spec.labels, **overrides)
    classifier = build(spec, **overrides)
    transfer_weights(model, classifier)
    return classifier


def _check_num_classes(num_classes: Any) -> int:
    """Return the number of classes; the error says what timm's 0 is here."""
    try:
        return check_int("num_classes", num_classes, 2)
    except InvalidInputError as error:
        value = to_python(num_classes)
        if type(value) is not int or value != 0:
            raise
        raise InvalidInputError(f"{error}. For a model without its head: {FEATURES}") from None


def resolve_model(name_or_model: str | os.PathLike[str] | keras.Model) -> keras.Model:
    """Return the model that the public functions mean: a model, or what `get` opens.

    Raises:
        UnknownNameError: It is neither a model nor a name or path.
    """
    if isinstance(name_or_model, keras.Model):
        return name_or_model
    if not isinstance(name_or_model, (str, os.PathLike)):
        raise UnknownNameError(
            "expected a model's name, a run directory or a Keras model; received "
            f"{type(name_or_model).__name__}"
        )
    return get(name_or_model)


def load_run(path: Path) -> keras.Model:
    """Load the model of a run directory.

    Raises:
        RunError: It is no run directory, or its training did not end.
        UnknownNameError: It is an export.
    """
    run_info = read_run_of_model(path)
    package, _ = registry.find(run_info["model"])
    model = build(ModelSpec.from_dict(package, run_info))
    weights_files.load_weights(model, store.WeightsFile(path / run_files.WEIGHTS))
    if not (path / calibration.FILE).is_file():
        return model
    return with_calibration(model, calibration.load_calibration(path / calibration.FILE))


def with_calibration(model: keras.Model, fitted: calibration.Calibration | None) -> keras.Model:
    """Return a model of the same layers whose specification has another calibration, or none."""
    spec = replace(spec_of(model), calibration=fitted)
    return attach_spec(keras.Model(model.input, model.output, name=model.name), spec)


def load_file(path: Path) -> keras.Model:
    """Load the model of a run directory, or of a `.keras` file that one of ours was saved as.

    Raises:
        RunError: It is no run directory, or its training did not end.
        UnknownNameError: It is an export.
        WeightsError: The file is missing, altered, or none of ours.
    """
    if path.suffix != run_files.SUFFIX:
        return load_run(path)
    keras_file.check_keras_file(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} can't be opened as a Keras model: {reason}") from None
    spec_of(model)
    return model


def _with_num_classes(model: keras.Model, num_classes: int | None) -> keras.Model:
    if num_classes is None:
        return model
    return replace_head(model, spec_of(model).with_num_classes(num_classes).labels)


def _load_weights(model: keras.Model, package: ModelPackage, file: store.WeightsFile) -> None:
    """Load weights; of those that were released once and fit no more, the error says why."""
    try:
        weights_files.load_weights(model, file)
    except WeightsError as error:
        reason = package.entry.withdrawn.get(store.sha256_of(file.path))
        if reason is None:
            raise
        raise WeightsError(f"{error}. They are released no more: {reason}") from None


def _pretraining_tag(package: ModelPackage) -> str | None:
    """Return the tag of the weights of the pretraining, where there is one."""
    records = package.entry.weights.items()
    return next((tag for tag, record in records if record.task is not None), None)


def _spec_of_weights(package: ModelPackage, tag: str | None) -> ModelSpec:
    """Return the specification of the model that has these weights."""
    if tag is not None and package.entry.weights_of(tag).task is not None:
        return ModelSpec.of_pretraining(package)
    return ModelSpec.of(package)
