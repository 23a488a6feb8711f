"""Adversarial training of texts: each is learned as it is, and shifted against the model.

Source: Miyato, Dai and Goodfellow 2016, "Adversarial Training Methods for Semi-Supervised Text
Classification" (arXiv:1605.07725).
"""

from typing import Any

import keras
from keras import ops

from keras_fm.backend import need_tensorflow
from keras_fm.errors import InvalidInputError
from keras_fm.learning.learner import Learner

TOKEN_EMBEDDING = "token_embedding"  # the layer that looks up the tokens' vectors


class ShiftedTexts(Learner):
    """What `fit` trains in place of a classifier of texts, whose weights are its own.

    In each step it finds in which direction the words' vectors of each text would have to move for
    the loss to rise fastest, moves them a little that way, and learns both. So it can't rely on
    what so small a step turns round: it learns less by heart, in twice the time.

    Args:
        model: `text_ids` to logits, with one layer `TOKEN_EMBEDDING`, which is called once.
        distance: how far a text moves, all its vectors taken as one, in units of the root mean
            square of a vector's numbers.

    Raises:
        InvalidInputError: the model has no such layer, or calls it more than once.
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(self, model: keras.Model, distance: float) -> None:
        what = f"adversarial = {distance} is learned by"
        need_tensorflow(what, ", or set adversarial=0", or_jax=True)
        super().__init__(name=f"{model.name}_shifted")
        self.model = model
        try:
            self.words = model.get_layer(TOKEN_EMBEDDING)
            # Keras knows the first output of a layer: without the others no logits come of it.
            self.rest = keras.Model([self.words.output, model.input], model.output)
        except ValueError:
            raise InvalidInputError(
                f"adversarial = {distance} is for models that look up their words in one place; "
                f"{model.name} does not: leave it out"
            ) from None
        self.distance = distance

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the classifier answers."""
        return self.model(inputs, training=training)

    def step(self, data: Any) -> dict[str, Any]:
        """One step on texts `[batch, length]` and labels; its figures are of them unmoved."""
        text_ids, labels, weight = keras.utils.unpack_x_y_sample_weight(data)
        variables = self.trainable_variables

        def read(shift: Any) -> tuple[list[Any], Any]:
            logits = self.rest([self.words(text_ids) + shift, text_ids], training=True)
            loss = self.compute_loss(text_ids, labels, logits, weight, training=True)
            return [loss], logits

        still = ops.zeros((*ops.shape(text_ids), self.words.output_dim), self.words.compute_dtype)
        [loss], logits, [[slope, *as_it_is]] = self.slopes(read, [variables], still)
        _, _, [[_, *shifted]] = self.slopes(read, [variables], self._shift(slope))
        means = [(one + other) / 2 for one, other in zip(as_it_is, shifted, strict=True)]
        self.optimizer.apply(means, variables)
        [tracked] = (metric for metric in self.metrics if metric.name == "loss")
        tracked.update_state(loss)
        return self.compute_metrics(text_ids, labels, logits, weight)

    def _shift(self, slope: Any) -> Any:
        """Along the slope of each text, `[batch, length, width]`."""
        along = ops.cast(slope, "float32")
        length = ops.sqrt(ops.sum(ops.square(along), axis=(1, 2), keepdims=True))
        vectors = ops.cast(self.words.embeddings, "float32")
        unit = ops.sqrt(ops.mean(ops.square(vectors)))
        return ops.cast(self.distance * unit * along / (length + 1e-12), slope.dtype)
