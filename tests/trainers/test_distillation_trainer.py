import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from keras_fm.trainers.distillation import DistillationTrainer

TEMPERATURE, WEIGHT = 2.0, 0.25


def classifier(seed, width=3):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="features")
    return keras.Model(inputs, keras.layers.Dense(width, name="logits")(inputs), name="student")


def compiled(teacher, **options):
    trainer = DistillationTrainer(classifier(0), teacher, TEMPERATURE, WEIGHT)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    trainer.compile(keras.optimizers.SGD(0.5), loss=loss, metrics=metrics, **options)
    return trainer


@pytest.fixture
def batch():
    """Features, one-hot labels of which the last two rows have none, and a teacher's logits."""
    random = np.random.default_rng(0)
    labels = np.eye(3, dtype="float32")[random.integers(0, 3, 8)]
    labels[6:] = 0
    features = random.normal(size=(8, 4)).astype("float32")
    return features, labels, random.normal(size=(8, 3)).astype("float32") * 3


def expected_loss(logits, labels, teacher_logits):
    taught = softmax(teacher_logits / TEMPERATURE, -1)
    log_taught = log_softmax(teacher_logits / TEMPERATURE, -1)
    student = log_softmax(logits / TEMPERATURE, -1)
    divergence = TEMPERATURE**2 * (taught * (log_taught - student)).sum(-1)
    cross_entropy = -(labels * log_softmax(logits, -1)).sum(-1)
    is_labeled = labels.sum(-1) > 0
    labeled = (1 - WEIGHT) * cross_entropy + WEIGHT * divergence
    return np.where(is_labeled, labeled, divergence).mean()


def step(trainer, features, targets):
    return {name: float(value) for name, value in trainer.step((features, targets)).items()}


def test_the_loss_weighs_labels_and_the_teacher_and_those_without_a_label(batch):
    features, labels, teacher_logits = batch
    trainer = compiled(None)
    logits = trainer.student.predict(features, verbose=0)
    metrics = step(trainer, features, tf.constant(np.concatenate([labels, teacher_logits], 1)))
    assert metrics["loss"] == pytest.approx(expected_loss(logits, labels, teacher_logits), rel=1e-5)
    correct = (logits.argmax(-1) == labels.argmax(-1))[:6]
    assert metrics["accuracy"] == pytest.approx(correct.mean())


def test_a_teacher_that_sees_the_batches_teaches_what_its_stored_outputs_do(batch):
    features, labels, _ = batch
    teacher = classifier(1)
    online, stored = compiled(teacher), compiled(None)
    outputs = teacher.predict(features, verbose=0)
    first = step(online, features, tf.constant(labels))
    second = step(stored, features, tf.constant(np.concatenate([labels, outputs], 1)))
    assert first == pytest.approx(second, rel=1e-5)
    for one, other in zip(online.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_step_changes_the_student_alone(batch):
    features, labels, _ = batch
    teacher = classifier(1)
    before = teacher.get_weights()
    trainer = compiled(teacher)
    initial = trainer.student.get_weights()
    step(trainer, features, tf.constant(labels))
    for one, other in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.allclose(trainer.student.get_weights()[0], initial[0])
    assert len(trainer.weights) == len(trainer.student.weights)  # a checkpoint has no teacher


def test_training_brings_the_student_to_the_teacher(batch):
    features, labels, _ = batch
    teacher = classifier(1)
    trainer = compiled(teacher)
    losses = [step(trainer, features, tf.constant(0 * labels))["loss"] for _ in range(100)]
    probabilities = [
        softmax(model.predict(features, verbose=0), -1) for model in (trainer.student, teacher)
    ]
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_allclose(*probabilities, atol=0.1)
