"""Adversarial training of text classifiers: on texts as they are, and on perturbed ones.

Source: Miyato, Dai and Goodfellow 2016, "Adversarial Training Methods for Semi-Supervised Text
Classification" (arXiv:1605.07725).
"""

from typing import Any

import keras
from keras import ops

from keras_fm.backend import need_tensorflow
from keras_fm.errors import InvalidInputError
from keras_fm.trainers.custom_trainer import CustomTrainer

TOKEN_EMBEDDING = "token_embedding"  # the layer from token IDs to vectors


class AdversarialTextTrainer(CustomTrainer):
    """What `fit` trains in place of a text classifier, whose weights are its own.

    Each step perturbs the token embeddings of each text in the direction in which the loss rises
    fastest, and trains on both. So the classifier can't rely on what so small a perturbation turns
    round: it overfits less, in twice the time.

    Args:
        model: From `text_ids` to logits, with one layer `TOKEN_EMBEDDING`, which is called once.
        epsilon: The norm of a text's perturbation, all its tokens taken together, in units of the
            root mean square of the embeddings' values.

    Raises:
        InvalidInputError: The model has no such layer, or calls it more than once.
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(self, model: keras.Model, epsilon: float) -> None:
        need_tensorflow(
            f"adversarial_epsilon = {epsilon} is trained by",
            ", or set adversarial_epsilon=0",
            or_jax=True,
        )
        super().__init__(name=f"{model.name}_adversarial")
        self.model = model
        try:
            self.token_embedding = model.get_layer(TOKEN_EMBEDDING)
            # Keras knows the first output of a layer: without the others no logits come of it.
            self.from_embeddings = keras.Model(
                [self.token_embedding.output, model.input], model.output
            )
        except ValueError:
            raise InvalidInputError(
                f"adversarial_epsilon = {epsilon} is for models that call a layer "
                f"{TOKEN_EMBEDDING!r} once; {model.name} does not: leave it out"
            ) from None
        self.epsilon = epsilon

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the classifier's outputs."""
        return self.model(inputs, training=training)

    def step(self, data: Any) -> dict[str, Any]:
        """Train on texts `[batch, length]`; the metrics are of them as they are."""
        text_ids, labels, weight = keras.utils.unpack_x_y_sample_weight(data)
        variables = self.trainable_variables

        def loss_of(perturbation: Any) -> tuple[list[Any], Any]:
            embeddings = self.token_embedding(text_ids) + perturbation
            logits = self.from_embeddings([embeddings, text_ids], training=True)
            loss = self.compute_loss(text_ids, labels, logits, weight, training=True)
            return [loss], logits

        shape = (*ops.shape(text_ids), self.token_embedding.output_dim)
        no_perturbation = ops.zeros(shape, self.token_embedding.compute_dtype)
        [loss], logits, [[gradient, *clean]] = self.gradients(loss_of, [variables], no_perturbation)
        _, _, [[_, *perturbed]] = self.gradients(loss_of, [variables], self._perturb(gradient))
        means = [(one + other) / 2 for one, other in zip(clean, perturbed, strict=True)]
        self.optimizer.apply(means, variables)
        [loss_metric] = (metric for metric in self.metrics if metric.name == "loss")
        loss_metric.update_state(loss)
        return self.compute_metrics(text_ids, labels, logits, weight)

    def _perturb(self, gradient: Any) -> Any:
        """Return the perturbation along each text's gradient, `[batch, length, width]`."""
        direction = ops.cast(gradient, "float32")
        norm = ops.sqrt(ops.sum(ops.square(direction), axis=(1, 2), keepdims=True))
        embeddings = ops.cast(self.token_embedding.embeddings, "float32")
        unit = ops.sqrt(ops.mean(ops.square(embeddings)))
        return ops.cast(self.epsilon * unit * direction / (norm + 1e-12), gradient.dtype)
