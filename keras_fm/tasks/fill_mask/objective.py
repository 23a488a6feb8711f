"""How masked language models are trained and evaluated."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fm.data.examples import Examples, take_rows
from keras_fm.preprocessing.texts import wordpiece
from keras_fm.progress import track
from keras_fm.tasks.base import Objective


class MaskedLMObjective(Objective):
    """Cross-entropy of the masked tokens."""

    baseline_name = "most common token"

    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return cross-entropy of the masked tokens (nats)."""
        return {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def describe_loss(self, recipe: Any) -> str:
        """Return what `val_loss` is."""
        return "val_loss is in nats a masked token; perplexity is its exponential"

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return `masked_accuracy`, of the most probable token, and `perplexity`."""
        windows = self.data.encode(examples)
        inputs, targets = windows.inputs, windows.targets
        loss, correct = 0.0, 0.0
        starts = range(0, len(targets), self.data.eval_batch_size)
        for start in track(starts, f"evaluation of {model.name}"):
            batch = slice(start, start + self.data.eval_batch_size)
            logits = ops.convert_to_tensor(model.predict_on_batch(take_rows(inputs, batch)))
            losses = keras.losses.sparse_categorical_crossentropy(
                targets[batch], logits, from_logits=True
            )
            loss += float(ops.sum(losses))
            predicted = ops.convert_to_numpy(ops.argmax(logits, axis=-1))
            correct += float((predicted == targets[batch]).sum())
        return {
            "masked_accuracy": correct / targets.size,
            "perplexity": float(np.exp(loss / targets.size)),
        }

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the accuracy of the most common token."""
        counts = self.data.token_counts(examples)
        counts[: len(wordpiece.SPECIAL_TOKENS)] = 0
        targets = self.data.encode(validation).targets
        return {"masked_accuracy": float((targets == counts.argmax()).mean())}
