"""The signatures of an exported classifier of images."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.models.backbone import backbone
from keras_fm.preprocessing.images.decoding import decode_files
from keras_fm.preprocessing.images.pixels import check_pixels, crop_and_resize
from keras_fm.tasks.base import Serving, Signature, Signatures, call_any_batch
from keras_fm.tasks.classification import ClassOutputs

PARITY_EXAMPLES = 256
_FILES_NOTE = (
    "JPEG or PNG files, which are turned by their EXIF orientation, and composited on white where "
    "they are transparent."
)


class ImageServing(Serving):
    """Images of any size, or the bytes of files."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return four signatures, whose outputs are float32 but `label`, a string.

        serving_default: `image`, uint8 `[batch, rows, columns, channels]`, any size ->
            `probabilities`, `logits` `[batch, classes]`, `label` `[batch]`.
        serve_bytes: `image_bytes`, string `[batch]`, JPEG or PNG files -> the same. They are turned
            and composited as `decode_image` says. A broken one is an error for the batch,
            which names its row; `decode_files` says why.
        features: `image` -> `embedding` `[batch, width]`.
        pixels: `image`, float32 `[batch, rows, columns, channels]` of the model's own size, 0..255
            -> all of these. Nothing is resized, which other runtimes can't do. Values of 0..1
            are an error.
        """
        rows, columns, channels = self.data.shape
        class_outputs = ClassOutputs(self.spec, folder)
        embed = backbone(model)
        classify_and_embed = keras.Model(model.inputs, [model.output, embed.output])

        def serving_default(image: tf.Tensor) -> dict[str, tf.Tensor]:
            resized = crop_and_resize(image, rows, columns)
            return class_outputs(call_any_batch(model, resized))

        def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = decode_files(image_bytes, rows, columns, channels)
            return class_outputs(call_any_batch(model, batch))

        def features(image: tf.Tensor) -> dict[str, tf.Tensor]:
            embedding = call_any_batch(embed, crop_and_resize(image, rows, columns))
            return {"embedding": tf.cast(embedding, tf.float32)}

        def pixels(image: tf.Tensor) -> dict[str, tf.Tensor]:
            logits, embedding = call_any_batch(classify_and_embed, check_pixels(image))
            return {**class_outputs(logits), "embedding": tf.cast(embedding, tf.float32)}

        any_image = tf.TensorSpec((None, None, None, channels), tf.uint8, name="image")
        any_file = tf.TensorSpec((None,), tf.string, name="image_bytes")
        model_image = tf.TensorSpec((None, *self.data.shape), tf.float32, name="image")
        sample = {"image": self.data.sample_images(PARITY_EXAMPLES)}
        example = {"image": sample["image"][:1]}
        file = np.array([tf.io.encode_png(sample["image"][0]).numpy()], object)
        as_floats = {"image": example["image"].astype("float32")}
        by_name = {
            "serving_default": Signature(
                serving_default, [any_image], example, parity_inputs=sample
            ),
            "serve_bytes": Signature(
                serve_bytes, [any_file], {"image_bytes": file}, note=_FILES_NOTE
            ),
            "features": Signature(features, [any_image], example, parity_inputs=sample),
            "pixels": Signature(pixels, [model_image], as_floats, note="Values from 0 to 255."),
        }
        return Signatures(by_name, [class_outputs.lookup_table])
