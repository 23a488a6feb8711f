"""Knowledge distillation: a classifier learns the labels, and the outputs of another classifier.

Source: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network"
(arXiv:1503.02531).
"""

from typing import Any

import keras
from keras import ops

from keras_fm.backend import need_tensorflow
from keras_fm.trainers.custom_trainer import CustomTrainer


class DistillationTrainer(CustomTrainer):
    """What `fit` trains in place of a classifier, whose weights are its own.

    `keras.distillation.Distiller` wants a teacher with the student's inputs, which a model with
    another tokenizer doesn't have, and a label for each example.

    Args:
        student: From inputs to logits `[batch, classes]`.
        teacher: The same; sees each batch. None where its logits stand behind the labels in the
            targets, `[batch, 2 * classes]`.
        temperature: Divides the logits of both.
        weight: Of the teacher's outputs in the loss, where there is a label. One-hot labels that
            are zeros are none.

    Raises:
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(
        self, student: keras.Model, teacher: keras.Model | None, temperature: float, weight: float
    ) -> None:
        need_tensorflow(
            f"{student.name} learns from a teacher by", ', or set teacher=""', or_jax=True
        )
        super().__init__(name=f"{student.name}_distillation")
        self.student = student
        # As a function: a checkpoint has no need of the teacher's weights.
        self.teach = None if teacher is None else lambda inputs: teacher(inputs, training=False)
        self.temperature = temperature
        self.weight = weight

    def compile(self, optimizer: Any, *, metrics: Any = None, **options: Any) -> None:
        """Set what Keras' `compile` does; the metrics don't count examples without a label."""
        super().compile(optimizer, weighted_metrics=metrics, **options)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the student's logits."""
        return self.student(inputs, training=training)

    def step(self, data: Any) -> dict[str, Any]:
        """Train on (inputs, targets)."""
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        if self.teach is None:
            labels, teacher_logits = ops.split(targets, 2, axis=-1)
        else:
            labels, teacher_logits = targets, self.teach(inputs)
        is_labeled = ops.sum(labels, axis=-1)
        variables = self.trainable_variables

        def loss_of() -> tuple[list[Any], Any]:
            logits = self.student(inputs, training=True)
            label_loss = self.compute_loss(inputs, labels, logits, is_labeled, training=True)
            divergence = self._divergence(teacher_logits, logits)
            weights = 1 - (1 - self.weight) * is_labeled
            loss = (1 - self.weight) * label_loss + ops.mean(weights * divergence)
            return [loss], logits

        [loss], logits, [gradients] = self.gradients(loss_of, [variables])
        self.optimizer.apply(gradients, variables)
        [loss_metric] = (metric for metric in self.metrics if metric.name == "loss")
        loss_metric.update_state(loss)
        return self.compute_metrics(inputs, labels, logits, is_labeled)

    def _divergence(self, teacher_logits: Any, logits: Any) -> Any:
        """Return the Kullback-Leibler divergence of the softened outputs, `[batch]`, nats.

        Times the squared temperature, by which the gradient of softened logits is smaller.
        """
        teacher_log, student_log = (
            ops.log_softmax(ops.cast(array, "float32") / self.temperature, axis=-1)
            for array in (teacher_logits, logits)
        )
        divergence = ops.sum(ops.exp(teacher_log) * (teacher_log - student_log), axis=-1)
        return self.temperature**2 * divergence
