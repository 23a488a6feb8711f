"""How generators are trained and evaluated."""

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.models.global_state import keras_settings
from keras_fm.models.precision import precision_of
from keras_fm.optimizers.optimizers import make_optimizer
from keras_fm.tasks.base import ExampleScores, Objective, OnMetrics
from keras_fm.trainers.gan import GANTrainer

NUM_GENERATED = 60_000  # for a classifier to be trained on: as many as Fashion-MNIST has
NUM_COMPARED = 10_000  # for distances, which depend on how many there are
# On fewer, a classifier's accuracy is only known to some points, and not worth its training.
MIN_EXAMPLES = 1000


class Evaluator(Protocol):
    """What evaluates images: see `keras_fm.evaluation.generator_evaluation`."""

    def predict_with_features(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the predicted labels `[images]`, and the features `[images, width]`."""

    def train_on_generated(self, generated: Examples, images: np.ndarray) -> np.ndarray:
        """Return the labels that a classifier trained on `generated` alone predicts."""


@dataclass(frozen=True)
class EvaluatedImages:
    """The evaluation of generated images.

    Attributes:
        metrics: By name.
        is_correct: Of the first metric, whether each label was predicted, bool `[images]`.
        labels: The indices of these labels, `[images]`.
    """

    metrics: dict[str, float]
    is_correct: np.ndarray
    labels: np.ndarray


class GANObjective(Objective):
    """Two losses against each other."""

    @property
    def slices(self) -> tuple[str, ...]:
        """The first metric for each class."""
        return ("label",)

    @property
    def evaluator_name(self) -> str:
        """The classifier of the zoo that evaluates the images."""
        return str(self.spec.entry.evaluator)

    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return what is added to the two losses."""
        return {"r1_gamma": recipe.r1_gamma, "ema_momentum": recipe.ema_momentum}

    def optimizer_averages(self, recipe: Any) -> bool:
        """Return False: the trainer averages the generator alone."""
        return False

    def has_custom_step(self, recipe: Any) -> bool:
        """Return True: generator and discriminator are trained in one step."""
        return True

    def compiled_model(self, model: keras.Model, recipe: Any, steps: int) -> keras.Model:
        """Return the generator with its discriminator, in the same precision."""
        discriminator = self.spec.package.module("model").discriminator
        with keras_settings(precision_of(model)):
            trainer = GANTrainer(model, discriminator(num_classes=len(self.spec.labels)))
        trainer.compile(
            make_optimizer(recipe, steps, use_ema=False),  # the trainer averages the generator
            make_optimizer(recipe, steps, recipe.discriminator_learning_rate, use_ema=False),
            **self.compile_options(recipe),
        )
        return trainer

    def evaluator_outputs(
        self,
        model: keras.Model,
        examples: Examples,
        evaluator: Evaluator,
        *,
        quick: bool = False,
        on_metrics: OnMetrics | None = None,
    ) -> EvaluatedImages:
        """Compare generated images, equally many of each class, with real ones.

        classification_accuracy_score: The accuracy on the examples of a classifier trained on
            `NUM_GENERATED` generated images alone; only on `MIN_EXAMPLES` examples, and not where
            it has to be quick.
        evaluator_accuracy: The fraction of `NUM_COMPARED` generated images whose label the
            evaluator predicts.
        frechet_distance: Between their features and those of the examples, as a fraction of the
            variance of the examples' features. It is no FID, which has other features.
        frechet_distance_real: The same of as many real training images; where these are here, and
            on `MIN_EXAMPLES` examples.
        min_class_variance_ratio: The features' variance within a class, as a fraction of that of
            the real images, of the class where it is least. Near 0 where the mode has collapsed.

        Two examples are the fewest that have a variance.
        """
        trains = len(examples) >= MIN_EXAMPLES and not quick
        labels = np.arange(NUM_GENERATED if trains else NUM_COMPARED) % len(self.spec.labels)
        images = self.predictor.generate(model, labels)
        compared = labels[:NUM_COMPARED]
        predicted, features = evaluator.predict_with_features(images[:NUM_COMPARED])
        is_correct = predicted == compared
        scores = {
            "evaluator_accuracy": float(is_correct.mean()),
            **self._compare(evaluator, features, compared, examples),
        }
        if on_metrics is not None:
            on_metrics(scores)
        if not trains:
            return EvaluatedImages(scores, is_correct, compared)
        generated = Examples(images, labels, "generated images")
        is_correct = evaluator.train_on_generated(generated, examples.inputs) == examples.targets
        scores = {"classification_accuracy_score": float(is_correct.mean()), **scores}
        return EvaluatedImages(scores, is_correct, examples.targets)

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return the metrics that `evaluator_outputs` computed."""
        assert isinstance(outputs, EvaluatedImages), "evaluation.evaluate_model provides them"
        return outputs.metrics

    def example_scores(self, outputs: Any, examples: Examples) -> ExampleScores:
        """Return the first metric: whether each image's label was predicted."""
        return ExampleScores(next(iter(outputs.metrics)), outputs.is_correct.astype("float64"))

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return the class of each image."""
        return np.array(self.spec.labels, object)[outputs.labels]

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return nothing: no constant is an image of every class."""
        return {}

    def _compare(
        self, evaluator: Evaluator, features: np.ndarray, labels: np.ndarray, examples: Examples
    ) -> dict[str, float]:
        """Return the metrics of the features of generated images, with those of the examples."""
        _, real = evaluator.predict_with_features(examples.inputs)
        variance = total_variance(real)
        scores = {"frechet_distance": frechet_distance(features, real) / variance}
        entry = self.spec.entry
        split = entry.split("train")
        if len(examples) >= MIN_EXAMPLES and datasets.is_prepared(entry.dataset, split):
            training = datasets.load(entry.dataset, split).inputs[:NUM_COMPARED]
            _, others = evaluator.predict_with_features(training)
            scores["frechet_distance_real"] = frechet_distance(others, real) / variance
        class_variances = {
            label: (features[labels == label], total_variance(real[examples.targets == label]))
            for label in np.unique(examples.targets)
        }
        ratios = [
            total_variance(generated) / real_variance
            for generated, real_variance in class_variances.values()
            if real_variance > 0
        ]
        if ratios:
            scores["min_class_variance_ratio"] = min(ratios)
        return scores


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """Return the distance of two Gaussians with the means and covariances of `[examples, width]`.

    Source: Dowson and Landau 1982. Heusel et al. 2017 take it in the features of an Inception
    network and call it FID; in the features of another network it is another number.
    """
    means, covariances = zip(
        *((x.mean(axis=0), np.cov(x, rowvar=False)) for x in (features, others)), strict=True
    )
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # The eigenvalues of root @ C @ root are those of the product of both, without being complex.
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    variances = sum(np.trace(covariance) for covariance in covariances)
    return float(np.square(means[0] - means[1]).sum() + variances - 2 * shared)


def total_variance(features: np.ndarray) -> float:
    """Return the sum of the variances of all features, of `[examples, width]`."""
    return float(features.var(axis=0).sum())
