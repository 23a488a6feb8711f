"""Adversarial training: a generator and its discriminator learn in one step.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets" (the non-saturating loss).
"""

from typing import Any

import keras
from keras import ops

from keras_fm.backend import compiles_steps, need_tensorflow
from keras_fm.trainers.custom_trainer import CustomTrainer

# The penalty is taken on this part of each batch: the same mean, at an eighth of the price.
_PENALISED = 8
_HALF_RANGE = 127.5  # the penalty counts slopes by pixels of -1..1


class GANTrainer(CustomTrainer):
    """What `fit` trains in place of a generator, and with it a discriminator.

    Both optimizers and all weights are saved and loaded with it, so that an interrupted training
    goes on as if nothing had been. The generator that was given is not what learns: it follows the
    learning one as its moving average, draws better than it, and is what the training is for.

    Args:
        generator: `latent` `[batch, width]` and `label` `[batch]` to images, 0..255.
        discriminator: `image` and `label` to `[batch]`, the log-odds that the image is real.

    Raises:
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        need_tensorflow(f"{generator.name} is trained by", or_jax=True)
        super().__init__(name=f"{generator.name}_adversaries")
        self.average = generator
        self.generator = keras.models.clone_model(generator)
        self.generator.set_weights(generator.get_weights())
        self.discriminator = discriminator
        self.tracked = {
            name: keras.metrics.Mean(name=name) for name in ("generator_loss", "discriminator_loss")
        }

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        *,
        gradient_penalty: float = 0.0,
        moving_average: float = 0.0,
    ) -> None:
        """Sets the optimizers of the two.

        Args:
            gradient_penalty: the weight of R1, the squared slope of the score at real images, which
                keeps the two from circling each other (Mescheder et al. 2018, arXiv:1801.04406).
            moving_average: how much of the average stays at each step; 0: it is the last weights.
        """
        super().compile(optimizer=optimizer, jit_compile=compiles_steps())
        self.discriminator_optimizer = discriminator_optimizer
        # Before `fit`, which would build the first for the weights of both, and the second never.
        optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.gradient_penalty = gradient_penalty
        self.moving_average = moving_average

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """Also the state of the second optimizer: Keras' `fit` carries that of one."""
        return [*super().non_trainable_variables, *self.discriminator_optimizer.variables]

    def step(self, data: tuple[dict[str, Any], Any]) -> dict[str, Any]:
        """One step of both on ({`image`, `latent`}, labels); the losses, in nats."""
        given, label, _ = keras.utils.unpack_x_y_sample_weight(data)
        image = ops.cast(given["image"], "float32")

        def play() -> tuple[list[Any], Any]:
            drawn = self.generator({"latent": given["latent"], "label": label}, training=True)
            real = self.discriminator({"image": image, "label": label}, training=True)
            false = self.discriminator({"image": drawn, "label": label}, training=True)
            generator_loss = ops.mean(ops.softplus(-false))
            discriminator_loss = ops.mean(ops.softplus(-real) + ops.softplus(false))
            penalised = discriminator_loss + self._penalty(image, label)
            return [penalised, generator_loss], discriminator_loss

        pairs = (
            (self.discriminator, self.discriminator_optimizer),
            (self.generator, self.optimizer),
        )
        variables = [model.trainable_variables for model, _ in pairs]
        (_, generator_loss), discriminator_loss, slopes = self.slopes(play, variables)
        for (_, optimizer), its, along in zip(pairs, variables, slopes, strict=True):
            optimizer.apply(along, its)
        self._follow()
        self.tracked["generator_loss"].update_state(generator_loss)
        self.tracked["discriminator_loss"].update_state(discriminator_loss)
        return {name: metric.result() for name, metric in self.tracked.items()}

    def _penalty(self, image: Any, label: Any) -> Any:
        if not self.gradient_penalty:
            return 0.0
        some = -(-ops.shape(image)[0] // _PENALISED)
        image, label = image[:some], label[:some]

        def score(image: Any) -> tuple[list[Any], None]:
            scores = self.discriminator({"image": image, "label": label}, training=True)
            return [ops.sum(scores)], None

        _, _, [[slope]] = self.slopes(score, [[]], image)
        slope = _HALF_RANGE * slope
        return self.gradient_penalty / 2 * ops.sum(ops.square(slope)) / ops.cast(some, "float32")

    def _follow(self) -> None:
        # Young, it forgets quickly: or the random weights of the start would stay in it.
        steps = ops.cast(self.optimizer.iterations, "float32")
        keep = ops.minimum(self.moving_average, (1 + steps) / (10 + steps))
        for mean, weight in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign(keep * mean + (1 - keep) * weight)
