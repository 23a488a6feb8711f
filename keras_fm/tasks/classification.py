"""What all classifiers share: logits in, labels and their probabilities out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import classes
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import RawExamples, UserData
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import label_tables, pictures
from keras_fm.tasks.task import Task

# From inputs of any kind to those that a model takes, and which of them could be read.
Fit = Callable[[RawExamples], tuple[np.ndarray, np.ndarray]]


class Classification(Task):
    """A model that answers logits `[batch, classes]` in a layer of that name."""

    @property
    def slices(self) -> tuple[str, ...]:
        """Each label can be measured alone."""
        return ("label",)

    @property
    def output(self) -> tuple[str, tuple[int | None, ...]]:
        """A logit for each label."""
        return "logits", (len(self.identity.labels),)

    @property
    def build_arguments(self) -> dict[str, Any]:
        """One output a label."""
        return {"num_classes": len(self.identity.labels)}

    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """Cross-entropy from logits."""
        return {
            # One-hot targets: label smoothing needs them.
            "loss": keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=recipe.label_smoothing
            ),
            "metrics": [keras.metrics.CategoricalAccuracy(name="accuracy")],
        }

    def adopt(
        self, given: RawExamples, fit: Fit, source: UserData, seed: int
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """A user's examples in an order by `seed`, and the identity of a model of their classes."""
        inputs, rest = _fitting(given, fit)
        found = classes.infer_classes(
            rest, class_names=source.class_names, known_names=self.identity.labels
        )
        order = np.random.default_rng(seed).permutation(np.flatnonzero(found.mask))
        place_of = found.mask.cumsum() - 1
        examples = Examples(inputs[order], found.targets[place_of[order]], given.description)
        return self.identity.with_labels(found.class_names), examples, given.notes

    def place(self, given: RawExamples, fit: Fit) -> Examples:
        """A user's examples, whose classes are the model's own."""
        inputs, rest = _fitting(given, fit)
        found = classes.encode_targets(rest, self.identity.labels)
        return Examples(inputs[found.mask], found.targets, given.description)

    def targets(self, examples: Examples) -> np.ndarray:
        """One-hot labels, float32 `[examples, classes]`."""
        return np.eye(len(self.identity.labels), dtype="float32")[examples.targets]

    def class_weight(self, examples: Examples, recipe: Recipe) -> dict[int, float] | None:
        """All the same, or each so that its class counts as much as any other."""
        if recipe.class_weights == "equal":
            return None
        return classes.balanced_class_weights(self.identity.labels, examples.targets)

    def score(
        self, logits: np.ndarray, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`accuracy` and `cross_entropy` (nats), and the accuracy of each label where asked."""
        right = logits.argmax(-1) == examples.targets
        scores = {
            "accuracy": float(right.mean()),
            "cross_entropy": float(_cross_entropy(logits, examples.targets)),
        }
        if slices is None:
            return scores
        by_label = {
            label: float(right[examples.targets == index].mean())
            for index, label in enumerate(self.identity.labels)
            if (examples.targets == index).any()
        }
        return {**scores, "slices": by_label}

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """Always the most common label."""
        label = np.bincount(examples.targets).argmax()
        return {"accuracy": float((held_out.targets == label).mean())}

    def name(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """One dict a row: `label`, and `probabilities` by label."""
        labels = self.identity.labels
        return [
            {
                "label": labels[row.argmax()],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in softmax(logits)
        ]

    def confusion_matrix(self, logits: np.ndarray, examples: Examples) -> np.ndarray:
        """The picture of what was taken for what."""
        labels = self.identity.labels
        counts = np.zeros((len(labels), len(labels)), int)
        np.add.at(counts, (examples.targets, logits.argmax(-1)), 1)
        return pictures.plot_confusion_matrix(counts, labels)

    def label_table(self, folder: Path) -> tf.lookup.StaticHashTable:
        """Label by class index, read from `labels.txt`, which becomes an asset of the export."""
        return label_tables.by_index(folder, self.identity.labels)

    @staticmethod
    def serve(logits: tf.Tensor, table: tf.lookup.StaticHashTable) -> dict[str, tf.Tensor]:
        """The named outputs of a served classifier; float32 but `label`, a string."""
        logits = tf.cast(logits, tf.float32)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": table.lookup(tf.argmax(logits, axis=-1)),
        }


def _fitting(given: RawExamples, fit: Fit) -> tuple[np.ndarray, RawExamples]:
    """The inputs that fit the model, and with their targets as they were given."""
    inputs, kept = fit(given)
    targets = [target for target, fits in zip(given.targets, kept, strict=True) if fits]
    rest = replace(given, inputs=inputs, targets=targets)
    if not all(kept):
        classes.warn_missing_classes(given, rest)
    return inputs, rest


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities from logits `[batch, classes]`."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    return (log_sum - shifted[np.arange(len(labels)), labels]).mean()
