"""Images in, labels out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import datasets, user_data, user_images
from keras_fm.data.augmentation import AugmentedImages
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import RawExamples, UserData
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.explanation import attribution
from keras_fm.explanation.attribution import Attribution
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import images
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import pictures
from keras_fm.tasks.classification import Classification
from keras_fm.tasks.task import Signature, Signatures


class ImageClassification(Classification):
    """Classifies uint8 images 0..255, each of one shape; raw ones of any size are made to fit."""

    unit = "images"
    explains = ("grad_cam", "occlusion")
    recipes = "images"

    @property
    def shape(self) -> list[int]:
        """Rows, columns and channels of the model's images."""
        return self.identity.inputs[0].sizes

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where the examples are not such images with such labels."""
        self.check_images(examples, self.shape)
        self.check_labels(examples)

    def learn_from(
        self, source: UserData, seed: int, *, going_on: bool = False
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """Images of any size, and the classes that they have."""
        return self.adopt(self._given(source), self._fit, source, seed)

    def read(self, source: UserData) -> Examples:
        """Images of any size, of the model's own classes."""
        return self.place(self._given(source), self._fit)

    def _given(self, source: UserData) -> RawExamples:
        if source.text is not None or source.target is not None or source.problem_type is not None:
            raise InvalidInputError("text, target and kind are for a CSV file; images have none")
        path = source.path
        return (
            user_data.read_arrays(source, rank=3) if path is None else user_images.read_folder(path)
        )

    def _fit(self, given: RawExamples) -> tuple[np.ndarray, np.ndarray]:
        return user_images.fit_images(given, self.shape)

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Batches of (uint8 images, one-hot labels), augmented by the recipe."""
        return AugmentedImages(examples.inputs, self.targets(examples), recipe=recipe, seed=seed)

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`accuracy`, `cross_entropy` (nats), and `accuracy_mirror`.

        The last averages the logits of each image and its mirror image: test-time augmentation.
        """
        logits = self.predict(model, examples.inputs)
        scores = self.score(logits, examples, slices)
        logits += self.predict(model, examples.inputs[:, :, ::-1])
        return {**scores, "accuracy_mirror": self.score(logits, examples, None)["accuracy"]}

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Labels and probabilities of paths, the bytes of files, or arrays 0..255 of any size."""
        return self.name(self.predict(model, images.load_images(inputs, *self.shape)))

    def explain(self, model: keras.Model, inputs: Any, method: str) -> list[Attribution]:
        """Where in each image; see `keras_fm.explain`."""
        batch = images.load_images(inputs, *self.shape)
        logits = self.predict(model, batch)
        if method == "grad_cam":
            scores = attribution.grad_cam(model, batch)
        else:
            scores = np.stack([self._occlude(model, image) for image in batch])
        seen = batch.round().astype("uint8")
        return [
            Attribution(answer, score, image=image)
            for answer, score, image in zip(self.name(logits), scores, seen, strict=True)
        ]

    def _occlude(self, model: keras.Model, image: np.ndarray) -> np.ndarray:
        places, images = zip(*attribution.occluded_squares(image), strict=True)
        logits = self.predict(model, np.stack([image, *images]))
        judged = attribution.log_odds(logits, int(logits[0].argmax()))
        return attribution.upsample_scores(places, judged[0] - judged[1:], image.shape)

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """Every output is float32 but `label`, a string.

        serving_default: `image`, uint8 `[batch, rows, columns, channels]`, any size ->
            `probabilities`, `logits` `[batch, classes]`, `label` `[batch]`.
        serve_bytes: `image_bytes`, string `[batch]`, JPEG or PNG files -> the same. A broken one is
            an error for the batch, which names its row; `images.read_files` says why.
        features: `image` -> `embedding` `[batch, width]`.
        pixels: `image`, float32 `[batch, rows, columns, channels]` of the model's own size, 0..255
            -> all of these. Nothing is scaled, which other runtimes do not know how to.
        """
        rows, columns, channels = self.shape
        table = self.label_table(folder)
        body = keras.Model(model.inputs, model.get_layer("embedding").output)
        ends = keras.Model(model.inputs, [model.output, body.output])

        def serving_default(image: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = self.serve_any(model, images.crop_and_resize(image, rows, columns))
            return self.serve(logits, table)

        def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = images.decode_files(image_bytes, rows, columns, channels)
            return self.serve(self.serve_any(model, batch), table)

        def features(image: tf.Tensor) -> dict[str, tf.Tensor]:
            embedding = self.serve_any(body, images.crop_and_resize(image, rows, columns))
            return {"embedding": tf.cast(embedding, tf.float32)}

        def pixels(image: tf.Tensor) -> dict[str, tf.Tensor]:
            logits, embedding = self.serve_any(ends, images.check_pixels(image))
            return {**self.serve(logits, table), "embedding": tf.cast(embedding, tf.float32)}

        any_image = tf.TensorSpec((None, None, None, channels), tf.uint8, name="image")
        any_file = tf.TensorSpec((None,), tf.string, name="image_bytes")
        fitting = tf.TensorSpec((None, *self.shape), tf.float32, name="image")
        example = self._some_images()[:1]
        file = {"image_bytes": np.array([tf.io.encode_png(example[0]).numpy()], object)}
        by_name = {
            "serving_default": Signature(serving_default, [any_image], {"image": example}),
            "serve_bytes": Signature(serve_bytes, [any_file], file),
            "features": Signature(features, [any_image], {"image": example}),
            "pixels": Signature(pixels, [fitting], {"image": example.astype("float32")}),
        }
        return Signatures(by_name, [table])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a logit."""
        batch = self._some_images()
        answers = served.signatures["serving_default"](tf.constant(batch))
        difference = np.abs(answers["logits"] - self.predict(model, batch)).max()
        return {"largest_difference_of_logits": float(difference), "examples": len(batch)}

    def _some_images(self) -> np.ndarray:
        try:
            return datasets.sample(self.identity.entry.dataset).inputs
        except UnknownNameError:  # another package's data set: noise shows a difference as well
            random = np.random.default_rng(0)
            return random.integers(0, 256, (64, *self.shape), dtype=np.uint8)

    def draw_inputs(self, batches: Batches) -> dict[str, np.ndarray]:
        """A grid of the first augmented images."""
        first, _ = batches[0]
        return {"augmented_inputs": pictures.image_grid(first[:64], columns=8)}

    def draw_answers(self, model: keras.Model, examples: Examples) -> dict[str, np.ndarray]:
        """The confusion matrix."""
        logits = self.predict(model, examples.inputs)
        return {"confusion_matrix": self.confusion_matrix(logits, examples)}
