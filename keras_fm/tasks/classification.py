"""What all classifiers share: logits as outputs, class names and probabilities as predictions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax, logsumexp, softmax

from keras_fm.data.examples import Examples
from keras_fm.data.user import classes
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks import label_tables, pictures
from keras_fm.tasks.base import (
    ExplainablePredictor,
    Images,
    ScoredObjective,
    Summaries,
    TaskData,
)
from keras_fm.trainers.distillation import DistillationTrainer

# From inputs of any kind to those that a model takes, and a mask of those that could be read.
FitInputs = Callable[[RawExamples], tuple[np.ndarray, np.ndarray]]


class ClassificationData(TaskData):
    """Examples whose targets are indices of classes."""

    def targets(self, examples: Examples) -> np.ndarray:
        """Return one-hot labels, float32 `[examples, classes]`: label smoothing needs them."""
        if examples.targets.ndim > 1:  # those of `distillation_targets`
            return examples.targets
        return np.eye(len(self.spec.labels), dtype="float32")[examples.targets]

    def validate_labels(self, examples: Examples) -> None:
        """Raise a `DataError` where a target is not the index of a label."""
        check_labels(examples, len(self.spec.labels))

    def infer_classes(
        self, raw: RawExamples, fit_inputs: FitInputs, user_data: UserData, seed: int
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Return a user's examples in an order by the seed, and the spec of their classes."""
        inputs, readable = _fit(raw, fit_inputs)
        inferred = classes.infer_classes(
            readable, class_names=user_data.class_names, known_names=self.spec.labels
        )
        order = np.random.default_rng(seed).permutation(np.flatnonzero(inferred.mask))
        target_index = inferred.mask.cumsum() - 1
        targets = inferred.targets[target_index[order]]
        names = np.array(readable.names_of(order), object)
        examples = Examples(inputs[order], targets, raw.description, names)
        return self.spec.with_class_names(inferred.class_names), examples, raw.notes

    def encode_classes(self, raw: RawExamples, fit_inputs: FitInputs) -> Examples:
        """Return a user's examples, whose classes are the model's."""
        inputs, readable = _fit(raw, fit_inputs)
        encoded = classes.encode_targets(readable, self.spec.labels)
        return Examples(inputs[encoded.mask], encoded.targets, raw.description)


class ClassificationPredictor(ExplainablePredictor):
    """Predictions of a model whose last layer is called `logits`."""

    @property
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """A logit for each class."""
        return "logits", (len(self.spec.labels),)

    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """Return `label` and `probabilities` by label, a dict a row."""
        labels = self.spec.labels
        return [
            {
                "label": labels[row.argmax()],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in softmax(outputs, axis=-1)
        ]

    def target_scores(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return the log-odds of the predicted class against all others, `[batch]`."""
        label = int(prediction.argmax())
        return outputs[..., label] - logsumexp(np.delete(outputs, label, axis=-1), axis=-1)


class ClassificationObjective(ScoredObjective):
    """Cross-entropy, accuracy."""

    baseline_name = "majority-class"

    @property
    def slices(self) -> tuple[str, ...]:
        """The recall of each class."""
        return ("label",)

    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return cross-entropy from logits, and accuracy."""
        return {
            "loss": keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=recipe.label_smoothing
            ),
            "metrics": [keras.metrics.CategoricalAccuracy(name="accuracy")],
        }

    def describe_loss(self, recipe: Any) -> str:
        """Return how `val_loss` differs from `cross_entropy`."""
        if not recipe.label_smoothing:
            return ""
        return f"val_loss includes label smoothing {recipe.label_smoothing:g}, no metric does"

    def class_weight(self, examples: Examples, recipe: Any) -> dict[int, float] | None:
        """Return the weights with which all classes count the same, where the recipe asks."""
        if recipe.class_weight == "none":
            return None
        return classes.balanced_class_weights(self.spec.labels, examples.targets)

    def check_distillation(self, recipe: Any) -> None:
        """Raise an `InvalidInputError` where the recipe weights classes."""
        if recipe.class_weight != "none":
            raise InvalidInputError(
                f"class_weight={recipe.class_weight!r} is for a training without a teacher; "
                f"received teacher={recipe.teacher!r}"
            )

    def distillation_targets(
        self, examples: Examples, num_unlabeled: int, outputs: np.ndarray | None, recipe: Any
    ) -> np.ndarray:
        """Return one-hot labels, zeros for those without one, and the teacher's logits."""
        labels = np.pad(self.data.targets(examples), ((0, num_unlabeled), (0, 0)))
        return labels if outputs is None else np.concatenate([labels, outputs], axis=1)

    def distillation_trainer(
        self, model: keras.Model, teacher: keras.Model | None, recipe: Any
    ) -> keras.Model:
        """Return the trainer of a classifier that learns from a teacher."""
        return DistillationTrainer(
            model, teacher, recipe.distillation_temperature, recipe.distillation_weight
        )

    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return `accuracy` and `cross_entropy` (nats) of logits."""
        log_probabilities = log_softmax(outputs, axis=-1)
        rows = np.arange(len(outputs))
        return {
            "accuracy": float((outputs.argmax(-1) == examples.targets).mean()),
            "cross_entropy": float(-log_probabilities[rows, examples.targets].mean()),
        }

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the accuracy of the majority class."""
        label = np.bincount(examples.targets).argmax()
        return {"accuracy": float((validation.targets == label).mean())}

    def slice_masks(self, examples: Examples, slice_by: str) -> dict[str, np.ndarray]:
        """Return a mask of each class that occurs, whose accuracy is its recall."""
        masks = {label: examples.targets == index for index, label in enumerate(self.spec.labels)}
        return {label: mask for label, mask in masks.items() if mask.any()}


class ClassificationSummaries(Summaries):
    """The confusion matrix."""

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return the confusion matrix."""
        labels = self.spec.labels
        counts = np.zeros((len(labels), len(labels)), int)
        np.add.at(counts, (examples.targets, outputs.argmax(-1)), 1)
        return {"confusion_matrix": pictures.plot_confusion_matrix(counts, labels)}


class ClassOutputs:
    """The outputs of a served classifier.

    Args:
        labels: The class names, which are written to `labels.txt`.
        folder: Where that is written; it becomes an asset of the export.
    """

    def __init__(self, labels: tuple[str, ...], folder: Path) -> None:
        self.lookup_table = label_tables.by_index(folder, labels)

    def __call__(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs by name; float32 but `label`, a string."""
        logits = tf.cast(logits, tf.float32)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": self.lookup_table.lookup(tf.argmax(logits, axis=-1)),
        }


def check_labels(examples: Examples, num_labels: int) -> None:
    """Raise a `DataError` where a target is not the index of one of so many labels."""
    labels = np.asarray(examples.targets)
    if labels.shape != (len(examples),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{examples.description}: expected one whole number for each of the {len(examples)} "
            f"examples as labels; received {labels.dtype} {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= num_labels:
        raise DataError(
            f"{examples.description}: expected labels from 0 to {num_labels - 1}; received "
            f"{labels.min()} to {labels.max()}"
        )


def _fit(raw: RawExamples, fit_inputs: FitInputs) -> tuple[np.ndarray, RawExamples]:
    """Return the inputs that could be read, and with their targets as they were given."""
    inputs, mask = fit_inputs(raw)
    targets = [target for target, readable in zip(raw.targets, mask, strict=True) if readable]
    names = raw.names_of(np.asarray(mask))
    readable_examples = replace(raw, inputs=inputs, targets=targets, names=names)
    if not all(mask):
        classes.warn_missing_classes(raw, readable_examples)
    return inputs, readable_examples
