"""Low-rank adapters (LoRA): small changes of a model's large kernels, trained in their place.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv:2106.09685).
Keras' layers have the adapters themselves (`enable_lora`); here they are put into a model, trained
beside its head, and saved without the kernels, which everybody has.
"""

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from keras_fm import store
from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.file_errors import missing_file, reason_of
from keras_fm.files import atomic_path, local_path
from keras_fm.models import freezing, weights
from keras_fm.models.backbone import EMBEDDING_LAYER, head_layers
from keras_fm.models.building import build
from keras_fm.models.loading import resolve_model
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.models.transfer import check_plain, transfer_weights
from keras_fm.options import check_float, check_int

__all__ = ["enable", "keep_separate", "load", "merge", "save"]

SUFFIX = ".lora.h5"
_PREFIX = "lora_"  # of the names that Keras gives their weights
_FIELDS = ("model", "task", "labels", "inputs", "target", "rank", "alpha", "backbone_sha256")


def enable(model: keras.Model, rank: int, alpha: float | None = None) -> None:
    """Freeze a model's backbone and give its kernels adapters; these and the head are trained.

    Kernels are those of dense layers, also inside an attention, and of convolutions; in a model
    that has none, the vectors of an embedding.

    Args:
        model: A classifier or a regression of the zoo.
        rank: Of the adapters: a kernel of `n` times `m` gets two of `n` and `m` times `rank`.
        alpha: The adapters are scaled by `alpha / rank`; None for a scale of 1.

    Raises:
        InvalidInputError: The model is none of ours, has adapters already, is quantized, or has
            nothing to adapt; or an argument is no number above 0.
    """
    spec_of(model)
    check_plain(model)
    rank = check_int("rank", rank, 1)
    alpha = None if alpha is None else check_float("alpha", alpha, above=0)
    head = head_layers(model)
    if not head:
        raise InvalidInputError(
            f"{model.name} has no layer {EMBEDDING_LAYER!r} before a head: adapters are for "
            "classifiers and regressions"
        )
    backbone = [layer for layer in model.layers if layer.name not in head and layer.trainable]
    adaptable = [
        part for layer in backbone for part in _flatten(layer) if hasattr(part, "enable_lora")
    ]
    kernels = [part for part in adaptable if not isinstance(part, keras.layers.Embedding)]
    if not adaptable:
        raise InvalidInputError(
            f"{model.name} has no dense layer, convolution or embedding to adapt; choose another "
            "strategy"
        )
    freezing.freeze(model)
    for layer in kernels or adaptable:
        layer.trainable = True
        if getattr(layer, "bias", None) is not None:
            layer.bias.trainable = False
        layer.enable_lora(rank, lora_alpha=alpha)


def keep_separate(model: keras.Model) -> None:
    """Let checkpoints hold kernels and adapters separately; a model without them stays as it is.

    Keras adds the adapters to the kernel when it saves, and sets them to zero when it loads: both
    to zero, so that neither would ever be trained again.
    """
    for layer in _adapted_layers(model):
        layer.save_own_variables = functools.partial(keras.Layer.save_own_variables, layer)
        layer.load_own_variables = functools.partial(keras.Layer.load_own_variables, layer)


def merge(model: keras.Model) -> keras.Model:
    """Return a plain float32 model with the adapters added to its kernels: it predicts the same.

    Raises:
        InvalidInputError: The model has no adapters.
    """
    layer = _check_adapted(model)[0]
    spec = spec_of(model)
    # Keras adds them in the precision that the layer computes in: here in float32.
    adapted, merged = build(spec), build(spec)
    enable(adapted, layer.lora_rank, layer.lora_alpha)
    adapted.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"merged{weights.SUFFIX}"
        adapted.save_weights(file)  # which adds them, also inside an attention
        weights.load_weights(merged, store.WeightsFile(file))
    return merged


def save(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Write the adapters and the head, with its labels, to a file that ends in `.lora.h5`.

    Raises:
        InvalidInputError: The model has no adapters, or the file has another suffix.
    """
    path, layer = local_path(path), _check_adapted(model)[0]
    if not path.name.endswith(SUFFIX):
        raise InvalidInputError(f"a file of adapters ends in {SUFFIX}; received {path}")
    config = {
        **spec_of(model).to_dict(),
        "rank": layer.lora_rank,
        "alpha": layer.lora_alpha,
        "backbone_sha256": _backbone_sha256(model),
    }
    with atomic_path(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["keras_fm"] = json.dumps(config)
        for name, variable in _variables(model).items():
            file[name] = keras.ops.convert_to_numpy(variable)
    return path


def load(name_or_model: str | keras.Model, path: str | os.PathLike[str]) -> keras.Model:
    """Load adapters into the model that they were trained in, to train them further, or to merge.

    Args:
        name_or_model: The model, or its name, that they were made for.
        path: The file.

    Raises:
        WeightsError: The file can't be read, or was made for another model or other weights.
    """
    base, path = resolve_model(name_or_model), local_path(path)
    package = spec_of(base).package
    config, values = _read(path)
    if config["model"] != package.name:
        raise WeightsError(f"{path} holds adapters of {config['model']!r}, not of {package.name!r}")
    model = build(ModelSpec.from_dict(package, config))
    transfer_weights(base, model)
    if _backbone_sha256(model) != config["backbone_sha256"]:
        raise WeightsError(f"{path} was made for other weights of {package.name!r} than these")
    enable(model, config["rank"], config["alpha"])
    for name, variable in _variables(model).items():
        variable.assign(values[name])
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    values: dict[str, np.ndarray] = {}
    try:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["keras_fm"])
            file.visititems(
                lambda name, item: (
                    values.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
        missing = [field for field in _FIELDS if field not in config]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            missing_file(path)
            if isinstance(error, FileNotFoundError)
            else f"{path} is no readable file of adapters: {reason_of(error)}"
        ) from None
    return config, values


def _flatten(layer: keras.Layer) -> Iterator[Any]:
    """Return the layer and those inside it, for which Keras has no public name."""
    return layer._flatten_layers(include_self=True, recursive=True)


def _adapted_layers(model: keras.Model) -> list[Any]:
    parts = [part for layer in model.layers for part in _flatten(layer)]
    return [part for part in parts if getattr(part, "lora_enabled", False)]


def _check_adapted(model: keras.Model) -> list[Any]:
    layers = _adapted_layers(model)
    if not layers:
        raise InvalidInputError(f"{model.name} has no adapters; see keras_fm.adapters.enable")
    return layers


def _variables(model: keras.Model) -> dict[str, Any]:
    """Return what the file holds, by name: the adapters, and all of the head."""
    variables = {
        f"{layer.path}/{weight.name}": weight
        for layer in _adapted_layers(model)
        for weight in layer.weights
        if weight.name.startswith(_PREFIX)
    }
    for name in sorted(head_layers(model)):
        weights_of_layer = model.get_layer(name).weights
        variables |= {f"{name}/{index}": weight for index, weight in enumerate(weights_of_layer)}
    return variables


def _backbone_sha256(model: keras.Model) -> str:
    """Return the sha256 of the backbone's weights, without the adapters."""
    head, sha256 = head_layers(model), hashlib.sha256()
    for layer in model.layers:
        for weight in layer.weights if layer.name not in head else []:
            if not weight.name.startswith(_PREFIX):
                array = keras.ops.convert_to_numpy(weight)
                sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()
