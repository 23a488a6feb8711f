"""What all classifiers share: logits as outputs, class names and probabilities as predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from keras_fm.data.examples import Examples
from keras_fm.data.user import classes
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.models.spec import ModelSpec
from keras_fm.serving.codec import calibrated_predictions
from keras_fm.tasks import label_tables, pictures, plots
from keras_fm.tasks.base import (
    ExampleScores,
    ExplainablePredictor,
    Images,
    ScoredObjective,
    Summaries,
    TaskData,
)
from keras_fm.tasks.calibrated_outputs import calibrated_outputs
from keras_fm.trainers.distillation import DistillationTrainer

# From inputs of any kind to those that a model takes, and a mask of those that could be read.
FitInputs = Callable[[RawExamples], tuple[np.ndarray, np.ndarray]]

MAX_CURVES = 10  # of precision and recall
MAX_MISTAKES = 32


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
        mask = encoded.mask
        names = np.array(readable.names_of(mask), object)
        columns = {name: column[mask] for name, column in readable.columns.items()}
        return Examples(inputs[mask], encoded.targets, raw.description, names, columns)


class ClassificationPredictor(ExplainablePredictor):
    """Predictions of a model whose last layer is called `logits`."""

    @property
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """A logit for each class."""
        return "logits", (len(self.spec.labels),)

    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """Return `label` and `probabilities` by label, a dict a row.

        Those of a calibrated model have `calibrated_probabilities`, too, the labels in the
        `prediction_set`, and `in_distribution`, whether the input is like those it was calibrated
        on.
        """
        labels = self.spec.labels
        predictions = [
            {
                "label": labels[row.argmax()],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in softmax(outputs, axis=-1)
        ]
        calibration = self.spec.calibration
        if calibration is None:
            return predictions
        details = calibrated_predictions(
            calibration.probabilities(outputs),
            calibration.prediction_sets(outputs),
            calibration.in_distribution(outputs),
            labels,
        )
        return [{**pair[0], **pair[1]} for pair in zip(predictions, details, strict=True)]

    def target_scores(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return the log-odds of the predicted class against all others, `[batch]`."""
        label = int(prediction.argmax())
        return outputs[..., label] - logsumexp(np.delete(outputs, label, axis=-1), axis=-1)

    def target_gradients(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return 1 for the predicted class, and minus the probability of each among the others."""
        label = int(prediction.argmax())
        others = softmax(np.delete(outputs, label, axis=-1), axis=-1)
        return np.insert(-others, label, 1.0, axis=-1)


class ClassificationObjective(ScoredObjective):
    """Cross-entropy, accuracy."""

    baseline_name = "majority-class"

    @property
    def slices(self) -> tuple[str, ...]:
        """The class, whose accuracy is its recall."""
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

    def example_scores(self, outputs: Any, examples: Examples) -> ExampleScores:
        """Return `accuracy`: whether each class was predicted."""
        is_correct = outputs.argmax(-1) == examples.targets
        return ExampleScores("accuracy", is_correct.astype("float64"))

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return the class of each example, or see the base class."""
        if slice_by == "label":
            return np.array(self.spec.labels, object)[examples.targets]
        return super().slice_values(outputs, examples, slice_by)


class ClassificationSummaries(Summaries):
    """The confusion matrix, the reliability diagram, precision and recall."""

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return the confusion matrix and the reliability diagram, also of calibrated outputs."""
        labels = self.spec.labels
        counts = np.zeros((len(labels), len(labels)), int)
        np.add.at(counts, (examples.targets, outputs.argmax(-1)), 1)
        images = {
            "confusion_matrix": pictures.plot_confusion_matrix(counts, labels),
            "reliability": plots.plot_reliability(softmax(outputs, axis=-1), examples.targets),
        }
        calibration = self.spec.calibration
        if calibration is not None:
            probabilities = calibration.probabilities(outputs)
            images["reliability_calibrated"] = plots.plot_reliability(
                probabilities, examples.targets
            )
        return images

    def binary_scores(
        self, outputs: np.ndarray, examples: Examples
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return each of a few classes against the others; of two the second one alone."""
        labels = self.spec.labels
        probabilities = softmax(outputs, axis=-1)
        classes_shown = range(int(len(labels) == 2), min(len(labels), MAX_CURVES))
        return {
            labels[index]: (examples.targets == index, probabilities[:, index])
            for index in classes_shown
        }

    def mistakes(self, outputs: np.ndarray, examples: Examples) -> Mistakes:
        """Return the examples that are wrong with the highest probability, the worst first."""
        probabilities = softmax(outputs, axis=-1)
        predicted = probabilities.argmax(-1)
        [wrong] = np.nonzero(predicted != examples.targets)
        order = np.argsort(-probabilities[wrong].max(-1), kind="stable")
        indices = wrong[order][:MAX_MISTAKES]
        labels = self.spec.labels
        return Mistakes(
            indices,
            [labels[index] for index in examples.targets[indices]],
            [labels[index] for index in predicted[indices]],
            probabilities[indices].max(-1),
        )


@dataclass(frozen=True)
class Mistakes:
    """Examples of which a wrong class was predicted.

    Attributes:
        indices: Of the examples.
        labels: Their true classes.
        predicted: Those that were predicted.
        probabilities: Of the predicted classes.
    """

    indices: np.ndarray
    labels: list[str]
    predicted: list[str]
    probabilities: np.ndarray


class ClassOutputs:
    """The outputs of a served classifier.

    Args:
        spec: Of the model, whose class names are written to `labels.txt`.
        folder: Where that is written; it becomes an asset of the export.
    """

    def __init__(self, spec: ModelSpec, folder: Path) -> None:
        self.lookup_table = label_tables.by_index(folder, spec.labels)
        self.calibration = spec.calibration

    def __call__(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs by name; float32 but `label`, a string.

        A calibrated classifier has `calibrated_probabilities` and `in_distribution_score`, float32,
        and `prediction_set` `[batch, classes]` and `in_distribution` `[batch]`, bool, too.
        """
        logits = tf.cast(logits, tf.float32)
        outputs = {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": self.lookup_table.lookup(tf.argmax(logits, axis=-1)),
        }
        if self.calibration is None:
            return outputs
        return {**outputs, **calibrated_outputs(self.calibration, logits)}


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
    columns = {name: column[np.asarray(mask)] for name, column in raw.columns.items()}
    readable_examples = replace(raw, inputs=inputs, targets=targets, names=names, columns=columns)
    if not all(mask):
        classes.warn_missing_classes(raw, readable_examples)
    return inputs, readable_examples
