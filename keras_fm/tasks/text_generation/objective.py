"""How character models are trained and evaluated."""

from typing import Any

import keras
import numpy as np
from scipy.special import log_softmax

from keras_fm.data.examples import Examples
from keras_fm.progress import track
from keras_fm.tasks.base import Objective
from keras_fm.tasks.text_generation.generation import LOG_2


class CharacterObjective(Objective):
    """Cross-entropy of the next character."""

    baseline_name = "frequency of each character"

    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return cross-entropy of the next character (nats), and metrics."""
        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            "weighted_metrics": [
                keras.metrics.MeanMetricWrapper(bits_per_character, name="bits_per_character"),
                keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            ],
        }

    def describe_loss(self, recipe: Any) -> str:
        """Return what `val_loss` is."""
        return "val_loss is in nats a character; bits_per_character is val_loss / ln 2"

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return `bits_per_character`, and `accuracy` of the most probable next character.

        Each character but the first is evaluated once, with the 512 or more before it as context,
        or as many as there are; see `character_texts.EvalWindows`.
        """
        windows = self.data.eval_windows(examples)
        total, correct = 0.0, 0.0
        starts = range(0, len(windows.inputs), self.data.eval_batch_size)
        for start in track(starts, f"evaluation of {model.name}"):
            batch = slice(start, start + self.data.eval_batch_size)
            logits = self.predictor.predict(model, windows.inputs[batch])
            targets, weights = windows.targets[batch], windows.weights[batch]
            log_probabilities = np.take_along_axis(
                log_softmax(logits, axis=-1), targets[..., None], axis=-1
            )[..., 0]
            total -= (log_probabilities / LOG_2 * weights).sum(dtype="float64")
            correct += ((logits.argmax(-1) == targets) * weights).sum(dtype="float64")
        return {
            "bits_per_character": float(total / len(examples)),
            "accuracy": float(correct / len(examples)),
        }

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the metrics of the frequency of each character, without those before it."""
        (_, train_ids), (_, next_ids) = map(self.data.character_ids, (examples, validation))
        # One more of each, so that none is impossible.
        counts = np.bincount(train_ids, minlength=len(self.data.characters) + 1) + 1
        bits = -np.log2(counts / counts.sum())
        return {
            "bits_per_character": float(bits[next_ids].mean()),
            "accuracy": float((next_ids == counts.argmax()).mean()),
        }


def bits_per_character(targets: Any, logits: Any) -> Any:
    """Return minus the binary logarithm of each character's probability, `[batch, length]`."""
    nats = keras.ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return nats / LOG_2
