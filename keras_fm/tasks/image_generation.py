"""Labels and latents in, images out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.augmentation import AugmentedImages
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError, UnknownNameError, suggest
from keras_fm.evaluation.generator_evaluation import (
    GeneratorEvaluator,
    frechet_distance,
    total_variance,
)
from keras_fm.models import precision
from keras_fm.optimizers import optimizers
from keras_fm.preprocessing import graph_checks
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import label_tables, pictures
from keras_fm.tasks.task import Signature, Signatures, Task
from keras_fm.trainers.gan import GANTrainer

NUM_GENERATED = 60_000  # for a classifier to learn from: as many as Fashion-MNIST has
NUM_COMPARED = 10_000  # for distances, which depend on how many there are
MAX_LATENT = 100  # of a latent's numbers from 0; a standard normal one is seldom as far as 5
# On fewer, a classifier's accuracy is only known to some points, and not worth its training.
MIN_EXAMPLES = 1000


class ImageGeneration(Task):
    """A generator of uint8 images of one shape, each of a class that is asked for.

    It learns against the `discriminator` that its room's `model.py` has beside `build`.
    """

    unit = "images"

    @property
    def slices(self) -> tuple[str, ...]:
        """Each label can be measured alone."""
        return ("label",)

    @property
    def build_arguments(self) -> dict[str, Any]:
        """The number of classes."""
        return {"num_classes": len(self.identity.labels)}

    @property
    def output(self) -> tuple[str, tuple[int, ...]]:
        """The image."""
        output = self.identity.entry.output
        assert output is not None  # the schema of the entry sees to it
        return output.name, tuple(output.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and channels of an image."""
        return self.output[1]

    @property
    def width(self) -> int:
        """How many numbers a latent has."""
        (latent,) = (given for given in self.identity.inputs if given.name == "latent")
        return latent.sizes[0]

    @property
    def judge(self) -> str:
        """The name of the classifier that the images are measured by."""
        judge = self.identity.entry.judge
        assert judge is not None  # likewise
        return judge

    def check(self, examples: Examples) -> None:
        """Also that the judge can be had: not after an hour's training, before it."""
        super().check(examples)
        registry.info(self.judge).weights_of()

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where the examples are not such images with such labels."""
        self.check_images(examples, self.shape)
        self.check_labels(examples)

    def encode(self, examples: Examples) -> Examples:
        """What the generator is given for as many images of the same labels."""
        return Examples(self.order(examples.targets), examples.targets, examples.description)

    def order(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """The generator's inputs for images of these labels, the same at each call."""
        random = np.random.default_rng(0)
        latent = random.standard_normal((len(labels), self.width), "float32")
        return {"latent": latent, "label": np.asarray(labels, "int32")}

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Batches of ({`image`, `latent`}, labels), augmented by the recipe."""
        labels = np.asarray(examples.targets, "int32")
        return GANBatches(examples.inputs, labels, recipe=recipe, seed=seed, width=self.width)

    def held_out(self, examples: Examples) -> None:
        """Nothing: a loss on other images does not say how good the drawn ones are."""

    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """The weights of what is added to the two losses."""
        return {
            "gradient_penalty": recipe.gradient_penalty,
            "moving_average": recipe.moving_average,
        }

    def learner(self, model: keras.Model, recipe: Recipe, steps: int) -> keras.Model:
        """The generator with its discriminator, in the same precision."""
        room, _ = registry.find(self.identity.entry.name)
        with precision.dtype_policy(precision.precision_of(model)):
            learner = GANTrainer(model, room.module("model").discriminator(**self.build_arguments))
        learner.compile(
            optimizers.make_optimizer(recipe, steps),
            optimizers.make_optimizer(recipe, steps, recipe.discriminator_rate),
            **self.objective(recipe),
        )
        return learner

    def draw(self, model: keras.Model, labels: np.ndarray) -> np.ndarray:
        """uint8 images `[labels, rows, columns, channels]` of labels, indices `[labels]`."""
        return to_uint8(self.predict(model, self.order(labels))).numpy()

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """Generated images beside the real ones, all classes alike often, in the judge's eyes.

        accuracy_on_real: the share of the examples known by a classifier that learned from
            `GENERATED` generated images alone; only on `ENOUGH` examples.
        judge_accuracy: the share of `COMPARED` generated images that show their label.
        feature_distance: the Fréchet distance of these from the examples, as a share of the
            variance of the examples' features. It is no FID, which has other features.
        feature_distance_floor: the same of as many real training images; where these are here, and
            on `ENOUGH` examples.
        diversity: the features' variance within a class, as a share of that of the real ones, of
            the class where it is least. Near 0 where one image stands for a class.

        Two examples are the fewest that have a variance. Slices are of the first one.
        """
        judge, enough = GeneratorEvaluator(self.judge), len(examples) >= MIN_EXAMPLES
        labels = np.arange(NUM_GENERATED if enough else NUM_COMPARED) % len(self.identity.labels)
        images = self.draw(model, labels)
        of = labels[:NUM_COMPARED]
        answers, features = judge.look(images[:NUM_COMPARED])
        right = answers == of
        scores: dict[str, Any] = {"judge_accuracy": float(right.mean())}
        scores |= self._compare(judge, features, of, examples)
        if enough:
            lessons = Examples(images, labels, "generated images")
            right = judge.answers_of_a_pupil(lessons, examples.inputs) == examples.targets
            of = examples.targets
            scores = {"accuracy_on_real": float(right.mean()), **scores}
        if slices is not None:
            names = enumerate(self.identity.labels)
            scores["slices"] = {
                name: float(right[of == index].mean()) for index, name in names if index in of
            }
        return scores

    def _compare(
        self, judge: GeneratorEvaluator, drawn: np.ndarray, labels: np.ndarray, examples: Examples
    ) -> dict[str, float]:
        """The features `drawn` of generated images of `labels`, beside those of the examples."""
        _, real = judge.look(examples.inputs)
        variance = total_variance(real)
        scores = {"feature_distance": frechet_distance(drawn, real) / variance}
        entry = self.identity.entry
        if len(examples) >= MIN_EXAMPLES and datasets.is_prepared(entry.dataset):
            training = datasets.load(entry.dataset, entry.split("train")).inputs[:NUM_COMPARED]
            _, others = judge.look(training)
            scores["feature_distance_floor"] = frechet_distance(others, real) / variance
        spreads = {
            label: (drawn[labels == label], total_variance(real[examples.targets == label]))
            for label in np.unique(examples.targets)
        }
        shares = [total_variance(its) / spread for its, spread in spreads.values() if spread > 0]
        if shares:
            scores["diversity"] = min(shares)
        return scores

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """None: without a look at its inputs a generator draws nothing."""
        return {}

    def answer(
        self, model: keras.Model, labels: str | Sequence[str], seed: int = 0
    ) -> list[dict[str, Any]]:
        """`image`, uint8 `[rows, columns, channels]`, with its `label` and its `seed`.

        Args:
            labels: a label or several, one for each image.
            seed: of the first image; each next one has the next. The same label and seed are the
                same image, here and in an export.
        """
        given = [labels] if isinstance(labels, str) else list(labels)
        for label in given:
            if label not in self.identity.labels:
                raise UnknownNameError(
                    f"{model.name} has no label {label!r}. {suggest(label, self.identity.labels)}"
                )
        if not given:
            raise InvalidInputError("expected at least one label; received an empty list")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**62:
            raise InvalidInputError(f"seed is a whole number from 0 to 2**62; received {seed!r}")
        seeds = list(range(seed, seed + len(given)))
        indices = [self.identity.labels.index(label) for label in given]
        inputs = {"latent": latents(seeds, self.width).numpy(), "label": np.array(indices, "int32")}
        images = to_uint8(self.predict(model, inputs)).numpy()
        return [
            {"label": label, "seed": number, "image": image}
            for label, number, image in zip(given, seeds, images, strict=True)
        ]

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """`label`, string `[batch]`, is one of `assets/labels.txt`; another one is an error.

        serving_default: `latent`, float32 `[batch, width]`, standard normal, and `label` ->
            `image`, uint8 `[batch, rows, columns, channels]`.
        sample: `label` and `seed`, int64 `[batch]`, 0 or above -> `image_bytes`, string `[batch]`,
            PNG files. The same label and seed are the same image, whatever else is in the batch.
        """
        labels = self.identity.labels
        table = label_tables.by_label(folder, labels)

        def serving_default(latent: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
            index = table.lookup(label)
            index = graph_checks.assert_rows(
                index, index >= 0, "label", f"one of {', '.join(labels)}", lambda: label
            )
            usual = tf.reduce_all(tf.abs(latent) <= MAX_LATENT, axis=1)  # NaN is not
            latent = graph_checks.assert_rows(
                latent,
                usual,
                "latent",
                f"numbers from {-MAX_LATENT} to {MAX_LATENT}",
                lambda: tf.strings.reduce_join(graph_checks.as_text(latent), axis=1, separator=" "),
            )
            given = {"latent": latent, "label": tf.cast(index, tf.int32)}
            return {"image": to_uint8(self.serve_any(model, given))}

        def sample(label: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            seed = graph_checks.assert_rows(seed, seed >= 0, "seed", "0 or above", lambda: seed)
            images = serving_default(latents(seed, self.width), label)["image"]
            files = tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)
            return {"image_bytes": files}

        latent = tf.TensorSpec((None, self.width), tf.float32, name="latent")
        label = tf.TensorSpec((None,), tf.string, name="label")
        seed = tf.TensorSpec((None,), tf.int64, name="seed")
        first, number = np.array([labels[0].encode()], object), np.zeros(1, "int64")
        drawn = {"latent": latents(number, self.width).numpy(), "label": first}
        by_name = {
            "serving_default": Signature(serving_default, [latent, label], drawn),
            "sample": Signature(sample, [label, seed], {"label": first, "seed": number}),
        }
        return Signatures(by_name, [table])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a pixel, in 255ths; and whether PNG files hold the answers."""
        labels = list(self.identity.labels)
        inputs = self.order(np.arange(len(labels)))
        images = served.signatures["serving_default"](
            latent=tf.constant(inputs["latent"]), label=tf.constant(labels)
        )["image"].numpy()
        expected = self.draw(model, inputs["label"])
        return {
            "largest_difference_of_image": int(np.abs(images.astype(int) - expected).max()),
            "examples": len(labels),
        }

    def draw_inputs(self, batches: Batches) -> dict[str, np.ndarray]:
        """A grid of the first real images."""
        first, _ = batches[0]
        return {"augmented_inputs": pictures.image_grid(first["image"][:64], columns=8)}

    def draw_progress(self, model: keras.Model) -> dict[str, np.ndarray]:
        """The same latents after each epoch: a row a label, a column a latent."""
        return {"generated": pictures.image_grid(self._sheet(model), columns=10)}

    def draw_card(self, model: keras.Model) -> dict[str, np.ndarray]:
        """The grid, and beside the first images of each label their nearest training images."""
        images = self._sheet(model).reshape(-1, 10, *self.shape)[:, :2].reshape(-1, *self.shape)
        training = self.load("train").inputs
        rows = [[image, *training[nearest(image, training, 5)]] for image in images]
        neighbours = np.stack(rows).reshape(-1, *self.shape)
        return {**self.draw_progress(model), "nearest": pictures.image_grid(neighbours, columns=6)}

    def _sheet(self, model: keras.Model) -> np.ndarray:
        """Ten images of each label, from the same ten latents."""
        labels = self.identity.labels
        latent = np.tile(latents(range(10), self.width).numpy(), (len(labels), 1))
        label = np.repeat(np.arange(len(labels), dtype="int32"), 10)
        return to_uint8(self.predict(model, {"latent": latent, "label": label})).numpy()


class GANBatches(AugmentedImages):
    """Batches of ({`image`: uint8 images, `latent`: `[batch, width]`}, labels)."""

    def __init__(self, *arrays: np.ndarray, width: int, **options: Any) -> None:
        super().__init__(*arrays, **options)
        self.width = width

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Make the augmented images at `indices`, and as many random latents."""
        image = super().inputs_for(indices, rng)
        latent = rng.standard_normal((len(indices), self.width), "float32")
        return {"image": image, "latent": latent}

    def inputs_spec(self) -> Any:
        """Return the specs of both."""
        latent = tf.TensorSpec((None, self.width), tf.float32)
        return {"image": super().inputs_spec(), "latent": latent}


def latents(seeds: Any, width: int) -> tf.Tensor:
    """A standard normal latent of each seed alone, `[seeds, width]`; stock ops, on any machine.

    Args:
        seeds: whole numbers `[seeds]`.
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal((width,), tf.stack([seed, 0]), alg="philox"),
        tf.cast(seeds, tf.int64),
        fn_output_signature=tf.TensorSpec((width,), tf.float32),
    )


def to_uint8(images: Any) -> tf.Tensor:
    """Images 0..255, rounded."""
    return tf.cast(tf.round(tf.clip_by_value(images, 0.0, 255.0)), tf.uint8)


def nearest(image: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """Indices of the images among `others` that differ least, in their squared pixels."""
    flat = others.reshape(len(others), -1).astype("float32")
    return np.square(flat - image.reshape(-1)).sum(axis=1).argsort(kind="stable")[:count]
