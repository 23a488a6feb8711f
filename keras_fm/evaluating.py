"""Measures a model on a whole split."""

from typing import Any

import keras
import numpy as np

from keras_fm import data as data_sets
from keras_fm import models, runs
from keras_fm.data import Examples
from keras_fm.errors import UnknownNameError, suggest

BATCH = 500
SLICES = ("label",)


def evaluate(
    name_or_model: str | keras.Model,
    *,
    data: Examples | None = None,
    split: str = "test",
    slices: str | None = None,
) -> dict[str, Any]:
    """Accuracy of a model on all examples of a split.

    Args:
        name_or_model: a model's name, a run directory, or a model.
        data: other examples with the model's labels; None: the data set that the model is for.
        split: of that data set: "test", "train", or "sample" (bundled with the package).
        slices: "label" adds the accuracy of each class.

    Returns:
        `accuracy`, `accuracy_mirror` (logits averaged with those of the mirror image: test-time
        augmentation), `cross_entropy` (nats), `examples`, `data`, and `slices` where asked.

    Raises:
        DataError: the data set is neither here nor to be had.
    """
    if slices is not None and slices not in SLICES:
        raise UnknownNameError(f"no slices by {slices!r}. {suggest(slices, SLICES)}")
    model = runs.as_model(name_or_model)
    identity = models.identify(model)
    examples = data_sets.load(identity.entry.dataset, split) if data is None else data
    data_sets.check(examples, model.input_shape[1:], len(identity.labels))
    logits = predict_logits(model, examples.images)
    mirrored = predict_logits(model, examples.images[:, :, ::-1])
    right = logits.argmax(-1) == examples.labels
    scores = {
        "accuracy": float(right.mean()),
        "accuracy_mirror": float(((logits + mirrored).argmax(-1) == examples.labels).mean()),
        "cross_entropy": float(_cross_entropy(logits, examples.labels)),
        "examples": len(examples),
        "data": examples.origin,
    }
    if slices == "label":
        scores["slices"] = {
            label: float(right[examples.labels == index].mean())
            for index, label in enumerate(identity.labels)
            if (examples.labels == index).any()
        }
    return scores


def predict_logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Logits `[count, classes]`, float32, of images `[count, height, width, 3]`."""
    return np.asarray(model.predict(images, batch_size=BATCH, verbose=0), np.float32)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    return (log_sum - shifted[np.arange(len(labels)), labels]).mean()
