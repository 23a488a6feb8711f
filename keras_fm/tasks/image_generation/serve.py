"""The signatures of an exported generator."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks
from keras_fm.tasks import label_tables
from keras_fm.tasks.base import Serving, Signature, Signatures, call_any_batch
from keras_fm.tasks.image_generation.data import sample_latents, to_uint8

MAX_LATENT = 100  # of a latent's values; a standard normal one is seldom as far as 5 from 0


class GeneratorServing(Serving):
    """Latents or seeds, and labels."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return two signatures; `label`, string `[batch]`, is one of `assets/labels.txt`.

        serving_default: `latent`, float32 `[batch, latent_dim]`, standard normal, and `label` ->
            `image`, uint8 `[batch, rows, columns, channels]`.
        sample: `label` and `seed`, int64 `[batch]`, 0 or above -> `image_bytes`, string `[batch]`,
            PNG files. The same label and seed are the same image, whatever else is in the batch.
        """
        labels, latent_dim = self.spec.labels, self.data.latent_dim
        index_of = label_tables.by_label(folder, labels)

        def serving_default(latent: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
            index = index_of.lookup(label)
            index = graph_checks.assert_rows(
                index, index >= 0, "label", f"one of {', '.join(labels)}", lambda: label
            )
            in_range = tf.reduce_all(tf.abs(latent) <= MAX_LATENT, axis=1)  # NaN is not
            latent = graph_checks.assert_rows(
                latent,
                in_range,
                "latent",
                f"numbers from {-MAX_LATENT} to {MAX_LATENT}",
                lambda: tf.strings.reduce_join(graph_checks.as_text(latent), axis=1, separator=" "),
            )
            inputs = {"latent": latent, "label": tf.cast(index, tf.int32)}
            return {"image": to_uint8(call_any_batch(model, inputs))}

        def sample(label: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            seed = graph_checks.assert_rows(seed, seed >= 0, "seed", "0 or above", lambda: seed)
            images = serving_default(sample_latents(seed, latent_dim), label)["image"]
            files = tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)
            return {"image_bytes": files}

        latent = tf.TensorSpec((None, latent_dim), tf.float32, name="latent")
        label = tf.TensorSpec((None,), tf.string, name="label")
        seed = tf.TensorSpec((None,), tf.int64, name="seed")
        every_label = np.array([name.encode() for name in labels], object)
        seeds = np.arange(len(labels))
        drawn = {"latent": sample_latents(seeds, latent_dim).numpy(), "label": every_label}
        seeded = {"label": every_label, "seed": seeds}
        by_name = {
            "serving_default": Signature(
                serving_default, [latent, label], _first(drawn), parity_inputs=drawn
            ),
            "sample": Signature(sample, [label, seed], _first(seeded), parity_inputs=seeded),
        }
        return Signatures(by_name, [index_of])


def _first(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values[:1] for name, values in inputs.items()}
