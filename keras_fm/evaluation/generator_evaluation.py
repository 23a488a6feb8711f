"""How good generated images are, as a classifier of the zoo sees them.

Two questions: how far their features lie from those of real images, and how well a classifier
knows real images that has only ever seen generated ones.
"""

import keras
import numpy as np

from keras_fm import registry, tasks
from keras_fm.data.batches import SetEpoch
from keras_fm.data.examples import Examples
from keras_fm.models import building, loading, spec
from keras_fm.tasks.task import PREDICT_BATCH_SIZE
from keras_fm.training.jobs import TrainingJob

# Of the classifier that learns from generated images. It has to stay a matter of minutes; what more
# of them would add, they would add to one that learns from real images as well.
EPOCHS = 3


class GeneratorEvaluator:
    """A pretrained classifier of the zoo.

    Args:
        name: `"model"` or `"model.tag"`.

    Raises:
        UnknownNameError: there is no such model, or it has no weights.
    """

    def __init__(self, name: str) -> None:
        self.room, _ = registry.find(name)
        self.model = loading.get(name)
        embedding = self.model.get_layer("embedding").output
        self._ends = keras.Model(self.model.inputs, [self.model.output, embedding])

    def look(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The answers `[images]`, indices of classes, and the features `[images, width]`."""
        logits, features = self._ends.predict(images, batch_size=PREDICT_BATCH_SIZE, verbose=0)
        return np.asarray(logits).argmax(-1), np.asarray(features, "float64")

    def answers_of_a_pupil(
        self, lessons: Examples, images: np.ndarray, seed: int = 0
    ) -> np.ndarray:
        """What a classifier answers to `images` that learned from `lessons` alone.

        It is the judge's own network, from random weights, by its recipe in `EPOCHS` epochs.
        """
        recipe = self.room.recipe.override(epochs=EPOCHS, validation_examples=0)
        identity = spec.default_spec(self.room)
        pupil = building.build_for_training(
            TrainingJob(self.room, identity, lessons, None, recipe, seed)
        )
        task = tasks.task_of(pupil)
        batches = task.batches(lessons, recipe, seed)
        learner = task.learner(pupil, recipe, steps=len(batches) * EPOCHS)
        learner.fit(
            batches.as_dataset(),
            epochs=EPOCHS,
            callbacks=[SetEpoch(batches)],
            shuffle=False,
            verbose=0,
        )
        return task.predict(building.as_float32(pupil), images).argmax(-1)


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two Gaussians with the means and covariances of features `[examples, width]`.

    Source: Dowson and Landau 1982. Heusel et al. 2017 take it in the features of an Inception
    network and call it FID; in the features of another network it is another number.
    """
    means, covariances = zip(
        *((each.mean(axis=0), np.cov(each, rowvar=False)) for each in (one, other)), strict=True
    )
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # The eigenvalues of root @ C @ root are those of the product of both, without being complex.
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    spread = sum(np.trace(covariance) for covariance in covariances)
    return float(np.square(means[0] - means[1]).sum() + spread - 2 * shared)


def total_variance(features: np.ndarray) -> float:
    """The sum of the variances of all features."""
    return float(features.var(axis=0).sum())
