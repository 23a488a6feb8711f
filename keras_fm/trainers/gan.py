"""Training of a generator and its discriminator in one step.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets" (the non-saturating loss).
"""

from typing import Any

import keras
from keras import ops

from keras_fm.backend import compiles_steps, need_tensorflow
from keras_fm.trainers.custom_trainer import CustomTrainer

# The penalty is taken on this part of each batch: the same mean, at an eighth of the price.
_PENALTY_PART = 8
_HALF_RANGE = 127.5  # the penalty counts gradients by pixels of -1..1


class GANTrainer(CustomTrainer):
    """What `fit` trains in place of a generator, and with it a discriminator.

    Both optimizers and all weights are saved and loaded with it, so that a training that resumes
    equals one that was never interrupted. The generator that it is made for is not the one that is
    trained: it is the moving average of that one's weights, generates better images, and is what
    the training is for.

    Args:
        generator: From `latent` `[batch, width]` and `label` `[batch]` to images, 0..255.
        discriminator: From `image` and `label` to `[batch]`, the log-odds that the image is real.

    Raises:
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        need_tensorflow(f"{generator.name} is trained by", or_jax=True)
        super().__init__(name=f"{generator.name}_trainer")
        self.average = generator
        self.generator = keras.models.clone_model(generator)
        self.generator.set_weights(generator.get_weights())
        self.discriminator = discriminator
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name) for name in ("generator_loss", "discriminator_loss")
        }

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        *,
        r1_gamma: float = 0.0,
        ema_momentum: float = 0.0,
    ) -> None:
        """Set the optimizers of the two.

        Args:
            optimizer: Of the generator.
            discriminator_optimizer: Of the discriminator.
            r1_gamma: The weight of R1, the squared gradient of the score at real images, which
                keeps the two from oscillating (Mescheder et al. 2018, arXiv:1801.04406).
            ema_momentum: Of the moving average of the generator's weights; 0 for the last weights.
        """
        super().compile(optimizer=optimizer, jit_compile=compiles_steps())
        self.discriminator_optimizer = discriminator_optimizer
        # Before `fit`, which would build the first for the weights of both, and the second never.
        optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.r1_gamma = r1_gamma
        self.ema_momentum = ema_momentum

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """Also the state of the second optimizer: Keras' `fit` carries that of one."""
        return [*super().non_trainable_variables, *self.discriminator_optimizer.variables]

    def step(self, data: tuple[dict[str, Any], Any]) -> dict[str, Any]:
        """Train both on ({`image`, `latent`}, labels) and return the losses, in nats."""
        inputs, label, _ = keras.utils.unpack_x_y_sample_weight(data)
        image = ops.cast(inputs["image"], "float32")

        def losses() -> tuple[list[Any], Any]:
            generated = self.generator({"latent": inputs["latent"], "label": label}, training=True)
            real_logits = self.discriminator({"image": image, "label": label}, training=True)
            fake_logits = self.discriminator({"image": generated, "label": label}, training=True)
            generator_loss = ops.mean(ops.softplus(-fake_logits))
            discriminator_loss = ops.mean(ops.softplus(-real_logits) + ops.softplus(fake_logits))
            penalized_loss = discriminator_loss + self._r1_penalty(image, label)
            return [penalized_loss, generator_loss], discriminator_loss

        pairs = (
            (self.discriminator, self.discriminator_optimizer),
            (self.generator, self.optimizer),
        )
        variables = [model.trainable_variables for model, _ in pairs]
        (_, generator_loss), discriminator_loss, gradients = self.gradients(losses, variables)
        for (_, optimizer), model_variables, model_gradients in zip(
            pairs, variables, gradients, strict=True
        ):
            optimizer.apply(model_gradients, model_variables)
        self._update_ema()
        self.loss_metrics["generator_loss"].update_state(generator_loss)
        self.loss_metrics["discriminator_loss"].update_state(discriminator_loss)
        return {name: metric.result() for name, metric in self.loss_metrics.items()}

    def _r1_penalty(self, image: Any, label: Any) -> Any:
        if not self.r1_gamma:
            return 0.0
        count = -(-ops.shape(image)[0] // _PENALTY_PART)
        image, label = image[:count], label[:count]

        def score(image: Any) -> tuple[list[Any], None]:
            scores = self.discriminator({"image": image, "label": label}, training=True)
            return [ops.sum(scores)], None

        _, _, [[gradient]] = self.gradients(score, [[]], image)
        gradient = _HALF_RANGE * gradient
        return self.r1_gamma / 2 * ops.sum(ops.square(gradient)) / ops.cast(count, "float32")

    def _update_ema(self) -> None:
        # A low momentum at the beginning: or the random weights of the start would stay in it.
        steps = ops.cast(self.optimizer.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1 + steps) / (10 + steps))
        for mean, weight in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign(momentum * mean + (1 - momentum) * weight)
