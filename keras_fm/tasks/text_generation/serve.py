"""The signatures of an exported character model."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.tasks.base import Serving, Signature, Signatures
from keras_fm.tasks.text_generation import generation
from keras_fm.tasks.text_generation.generation import CharacterTables
from keras_fm.tasks.text_generation.predict import generate_specs


class CharacterServing(Serving):
    """The next character of texts, and continuations of prompts."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return two signatures; each input is one value a row, so a server can batch requests.

        serving_default: `text`, string `[batch]`, UTF-8 -> `probabilities` of the next character,
            float32 `[batch, characters]`; `label`, the most probable one, string `[batch]`;
            `bits_per_character` of the text, float32 `[batch]`.
        generate: `prompt`, string; `length`, int32, `temperature`, float32, `seed`, int32, each
            `[batch]` (the latter three also `[1]`) -> `text`, string `[batch]`, without the prompt.

        A text, a prompt and a length of more than 4,000 characters is an error.
        """
        tables = CharacterTables(self.data.characters, folder)

        def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return generation.score_text(model, tables, text)

        def generate(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"text": generation.generate_text(model, tables, *arguments)}

        text = tf.TensorSpec((None,), tf.string, name="text")
        texts = np.array([text.encode() for text in self.data.sample_texts()], object)
        prompt = {
            "prompt": texts[:1],
            "length": np.array([20], "int32"),
            "temperature": np.array([0.8], "float32"),
            "seed": np.array([0], "int32"),
        }
        broadcast = ("length", "temperature", "seed")
        by_name = {
            "serving_default": Signature(
                serving_default, [text], {"text": texts[:1]}, parity_inputs={"text": texts}
            ),
            "generate": Signature(generate, generate_specs(), prompt, broadcast),
        }
        return Signatures(by_name, [tables.ids, tables.codes])
