"""Low-rank adapters (LoRA): a small change of a model's large kernels, which learns in their place.

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

from keras_fm import registry, store
from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.models import backbone, building, freezing, loading, transfer, weights
from keras_fm.models.spec import ModelSpec, spec_of

SUFFIX = ".lora.h5"
_PREFIX = "lora_"  # of the names that Keras gives their weights


def enable(model: keras.Model, rank: int, alpha: float | None = None) -> None:
    """Freezes the model's body and gives its kernels adapters; these and the head learn.

    Kernels are those of dense layers, also inside an attention, and of convolutions; in a model
    that has none, the vectors of an embedding.

    Args:
        rank: of the adapters: a kernel of `n` times `m` gets two of `n` and `m` times `rank`.
        alpha: the adapters count `alpha / rank` times; None: once.

    Raises:
        InvalidInputError: the model is none of ours, or has nothing to adapt.
    """
    head = backbone.head_layers(model)
    body = [x for x in model.layers if x.name not in head and x.trainable]
    inside = [part for layer in body for part in _flat(layer) if hasattr(part, "enable_lora")]
    kernels = [part for part in inside if not isinstance(part, keras.layers.Embedding)]
    if not inside:
        raise InvalidInputError(
            f"{model.name} has no dense layer, convolution or embedding to adapt; choose another "
            "strategy"
        )
    freezing.freeze(model)
    for layer in kernels or inside:
        layer.trainable = True
        if getattr(layer, "bias", None) is not None:
            layer.bias.trainable = False
        layer.enable_lora(rank, lora_alpha=alpha)


def keep_apart(model: keras.Model) -> None:
    """Lets checkpoints hold kernels and adapters each for itself; a model without them stays.

    Keras adds the adapters to the kernel when it saves, and sets them to zero when it loads: both
    to zero, so that neither would ever learn again.
    """
    for layer in _adapted(model):
        layer.save_own_variables = functools.partial(keras.Layer.save_own_variables, layer)
        layer.load_own_variables = functools.partial(keras.Layer.load_own_variables, layer)


def merge(model: keras.Model) -> keras.Model:
    """A plain float32 model whose kernels have the adapters in them: it answers the same."""
    first = _check_adapted(model)[0]
    identity = spec_of(model)
    room, _ = registry.find(identity.entry.name)
    # Keras adds them in the precision that the layer computes in: here in float32.
    exact, plain = building.build(room, identity), building.build(room, identity)
    enable(exact, first.lora_rank, first.lora_alpha)
    exact.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"merged{weights.SUFFIX}"
        exact.save_weights(file)  # which adds them, also inside an attention
        weights.load_weights(plain, store.WeightsFile(file))
    return plain


def save(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Writes the adapters and the head, with its labels, to a file that ends in `.lora.h5`.

    Raises:
        InvalidInputError: the model has no adapters, or the file's name another end.
    """
    path, first = Path(path), _check_adapted(model)[0]
    if not path.name.endswith(SUFFIX):
        raise InvalidInputError(f"a file of adapters ends in {SUFFIX}; received {path}")
    about = {
        **spec_of(model).write(),
        "rank": first.lora_rank,
        "alpha": first.lora_alpha,
        "body_sha256": _digest(model),
    }
    draft = path.with_name(f".{path.name}.draft")
    with h5py.File(draft, "w") as file:
        file.attrs["keras_fm"] = json.dumps(about)
        for name, variable in _variables(model).items():
            file[name] = keras.ops.convert_to_numpy(variable)
    draft.replace(path)
    return path


def load(name_or_model: str | keras.Model, path: str | os.PathLike[str]) -> keras.Model:
    """The model that the adapters in a file were trained in; they can learn on, or be merged.

    Args:
        name_or_model: the model, or its name, that they were made for.

    Raises:
        WeightsError: the file can't be read, or was made for another model or other weights.
    """
    base, path = loading.resolve_model(name_or_model), Path(path)
    entry = spec_of(base).entry
    try:
        with h5py.File(path) as file:
            about = json.loads(file.attrs["keras_fm"])
            values: dict[str, np.ndarray] = {}
            file.visititems(lambda n, x: values.update({n: x[()]} if hasattr(x, "shape") else {}))
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} is no readable file of adapters: {error}") from None
    if about["model"] != entry.name:
        raise WeightsError(f"{path} holds adapters of {about['model']!r}, not of {entry.name!r}")
    identity = ModelSpec.read(entry, {n: about[n] for n in ("task", "labels", "inputs", "target")})
    model = building.build(registry.find(entry.name)[0], identity)
    transfer.transfer_weights(base, model)
    if _digest(model) != about["body_sha256"]:
        raise WeightsError(f"{path} was made for other weights of {entry.name!r} than these")
    enable(model, about["rank"], about["alpha"])
    for name, variable in _variables(model).items():
        variable.assign(values[name])
    return model


def _flat(layer: keras.Layer) -> Iterator[Any]:
    """The layer and those inside it, for which Keras has no public name."""
    return layer._flatten_layers(include_self=True, recursive=True)


def _adapted(model: keras.Model) -> list[Any]:
    flat = [part for layer in model.layers for part in _flat(layer)]
    return [part for part in flat if getattr(part, "lora_enabled", False)]


def _check_adapted(model: keras.Model) -> list[Any]:
    found = _adapted(model)
    if not found:
        raise InvalidInputError(f"{model.name} has no adapters; see keras_fm.adapters.enable")
    return found


def _variables(model: keras.Model) -> dict[str, Any]:
    """What the adapters' file holds, by name: the adapters, and all of the head."""
    found = {
        f"{layer.path}/{weight.name}": weight
        for layer in _adapted(model)
        for weight in layer.weights
        if weight.name.startswith(_PREFIX)
    }
    for name in sorted(backbone.head_layers(model)):
        found |= {f"{name}/{n}": v for n, v in enumerate(model.get_layer(name).weights)}
    return found


def _digest(model: keras.Model) -> str:
    """The sha256 of the body's own weights."""
    head, found = backbone.head_layers(model), hashlib.sha256()
    for layer in model.layers:
        for weight in layer.weights if layer.name not in head else []:
            if not weight.name.startswith(_PREFIX):
                found.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return found.hexdigest()
