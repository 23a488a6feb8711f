"""Texts with gaps in, the pieces that fill them out: what a BERT learns first.

Source: Devlin et al. 2018, "BERT" (arXiv:1810.04805).
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_fm.data.batches import dataset_from_arrays
from keras_fm.data.examples import Examples, take_rows
from keras_fm.data.text_batches import MaskedLMBatches, MaskGenerator, pad_sequences
from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing import graph_checks, lookup_tables, text_inputs, tokenizers, wordpiece
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import vocabulary
from keras_fm.tasks.task import Signature, Signatures, Task

LENGTH = 128  # pieces of a window that is measured
SHARE = 0.15  # of them is asked for, as BERT's authors measure
ALL = 1_000_000  # pieces of a text: every one, but of what is no text any more
TOP = 5  # pieces that fill a gap


class FillMask(Task):
    """Fills gaps: `text_ids` and `places` -> logits `[batch, asked, vocabulary]`."""

    unit = "windows"
    builder = "build_masked_language_model"
    at_once = 64  # 64 x 19 x 8192 logits are 40 MB

    def __init__(self, identity: Any) -> None:
        super().__init__(identity)
        self.tokens = vocabulary.token_names(identity)

    @property
    def output(self) -> tuple[str, tuple[int | None, ...]]:
        """A logit for each piece."""
        return "logits", (None, vocabulary.vocabulary_size(self.identity))

    @property
    def build_arguments(self) -> dict[str, Any]:
        """How many numbers of pieces there are."""
        return {"vocabulary": vocabulary.vocabulary_size(self.identity)}

    @property
    def longest(self) -> int:
        """How many pieces of a text the model reads."""
        return self.identity.inputs[0].longest or 512

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where the examples are not texts; targets don't count."""
        vocabulary.check_texts(examples)

    def fit_to(self, count: int, recipe: Recipe) -> dict[str, Any]:
        """A fifth to validate; a batch stays as it is, for a text has many windows."""
        return {"validation_examples": count // 5}

    def encode(self, examples: Examples) -> Examples:
        """Windows with gaps, always the same ones, and what fills them."""
        stream = np.concatenate(vocabulary.token_id_rows(self.identity, examples, ALL))
        length = min(LENGTH, len(stream))
        windows = stream[: len(stream) // length * length].reshape(-1, length)
        inputs, targets = self._hiding(SHARE)(windows, np.random.default_rng(0))
        return Examples(inputs, targets, examples.description)

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> MaskedLMBatches:
        """Windows of all texts one behind the other; the recipe's share of each is hidden."""
        rows = vocabulary.token_id_rows(self.identity, examples, ALL)
        hiding = self._hiding(recipe.hide_words)
        return MaskedLMBatches(rows, hiding, recipe=recipe, seed=seed)

    def held_out(self, examples: Examples) -> tf.data.Dataset:
        """The windows that `measure` takes."""
        encoded = self.encode(examples)
        return dataset_from_arrays(encoded.inputs, encoded.targets, batch_size=self.at_once)

    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """Cross-entropy of the hidden pieces (nats)."""
        return {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`masked_accuracy`: how often the most probable piece is right; and `perplexity`."""
        encoded = self.encode(examples)
        inputs, targets = encoded.inputs, encoded.targets
        loss, right = 0.0, 0.0
        for first in range(0, len(targets), self.at_once):
            some = slice(first, first + self.at_once)
            logits = ops.convert_to_tensor(model.predict_on_batch(take_rows(inputs, some)))
            losses = keras.losses.sparse_categorical_crossentropy(
                targets[some], logits, from_logits=True
            )
            loss += float(ops.sum(losses))
            best = ops.convert_to_numpy(ops.argmax(logits, axis=-1))
            right += float((best == targets[some]).sum())
        return {
            "masked_accuracy": right / targets.size,
            "perplexity": float(np.exp(loss / targets.size)),
        }

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """How often the most common piece comes."""
        learned = np.concatenate(vocabulary.token_id_rows(self.identity, examples, ALL))
        usual = np.bincount(learned[learned >= len(wordpiece.SPECIAL_TOKENS)]).argmax()
        return {"masked_accuracy": float((self.encode(held_out).targets == usual).mean())}

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """What fills each "[MASK]" of texts: one string or several.

        `gaps` of a text: for each gap the most probable pieces and their probabilities.
        """
        texts = text_inputs.read_texts(inputs)
        for text in texts:
            if wordpiece.MASK_TOKEN.encode() not in text:
                raise InvalidInputError(
                    f'expected {wordpiece.MASK_TOKEN} where something is missing, as in "a '
                    f'{wordpiece.MASK_TOKEN} film"; received {text[:60].decode("utf-8", "replace")!r}'
                )
        tokenize = tokenizers.WordPieceTokenizer(vocabulary.vocabulary_file(self.identity))
        rows = tokenize(tf.constant(texts), self.longest, parse_masks=True)
        names = np.array(self.tokens)
        answers = []
        for text, pieces in zip(texts, rows.to_list(), strict=True):
            row, marks = np.array(pieces, "int32"), text.count(wordpiece.MASK_TOKEN.encode())
            places = np.flatnonzero(row == tokenize.mask_id).astype("int32")
            if len(places) < marks:
                raise InvalidInputError(
                    f"expected {self._expected}; received {marks}, of which {len(places)} are "
                    f"there, in {text[:60].decode('utf-8', 'replace')!r}"
                )
            shown = {"text_ids": pad_sequences([row]), "places": places[None]}
            chances = _softmax(np.asarray(model.predict_on_batch(shown), "float64"))[0]
            best = np.argsort(-chances, axis=1)[:, :TOP]
            answers.append(
                {
                    "gaps": [
                        {str(names[piece]): float(chance[piece]) for piece in order}
                        for chance, order in zip(chances, best, strict=True)
                    ]
                }
            )
        return answers

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """Texts are UTF-8. The longest of a batch decides how long it takes.

        serving_default, fill_mask: `text`, string `[batch]`, with "[MASK]" where something is
            missing -> `tokens`, string, and `scores`, float32 `[batch, gaps, 5]`: the most probable
            pieces of each gap; "" and 0 behind a text's last one. A text that is so long that a
            gap lies in what is left out is refused.
        """
        tokenize = tokenizers.WordPieceTokenizer(vocabulary.vocabulary_file(self.identity))
        names = lookup_tables.line_of_index(vocabulary.vocabulary_file(self.identity))

        def fill_mask(text: tf.Tensor) -> dict[str, tf.Tensor]:
            text_ids = tokenize(text, self.longest, parse_masks=True).to_tensor(tokenizers.PAD_ID)
            hidden = text_ids == tokenize.mask_id
            found = tf.reduce_sum(tf.cast(hidden, tf.int32), axis=1)
            text_ids = graph_checks.assert_rows(
                text_ids, found == _marks(text), "text", self._expected, lambda: text
            )
            gaps = tf.ragged.boolean_mask(
                tf.broadcast_to(tf.range(tf.shape(text_ids)[1]), tf.shape(text_ids)), hidden
            )
            asked = tf.sequence_mask(gaps.row_lengths())
            places = gaps.to_tensor(0)
            logits = model({"text_ids": text_ids, "places": places}, training=False)
            scores, pieces = tf.math.top_k(tf.nn.softmax(logits), TOP)
            tokens = names.lookup(tf.cast(pieces, tf.int64))
            return {
                "tokens": tf.where(asked[..., None], tokens, ""),
                "scores": tf.where(asked[..., None], scores, 0.0),
            }

        text = tf.TensorSpec((None,), tf.string, name="text")
        example = {"text": np.array([f"A {wordpiece.MASK_TOKEN} film.".encode()], object)}
        endpoint = Signature(fill_mask, [text], example)
        by_name = {"serving_default": endpoint, "fill_mask": endpoint}
        return Signatures(by_name, [tokenize.lookup_table, names])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a probability of the most probable pieces."""
        texts = [
            f"a {wordpiece.MASK_TOKEN} film",
            f"{wordpiece.MASK_TOKEN} ! i {wordpiece.MASK_TOKEN} it <br />",
        ]
        served_scores = served.signatures["fill_mask"](tf.constant(texts))["scores"].numpy()
        differences = [
            abs(score - served_score)
            for answer, text_scores in zip(self.answer(model, texts), served_scores, strict=True)
            for gap, gap_scores in zip(answer["gaps"], text_scores, strict=False)
            for score, served_score in zip(gap.values(), gap_scores, strict=True)
        ]
        return {"largest_difference_of_scores": float(max(differences)), "examples": len(texts)}

    @property
    def _expected(self) -> str:
        return (
            f"every {wordpiece.MASK_TOKEN} among the {self.longest} pieces that are read of a text"
        )

    def _hiding(self, share: float) -> MaskGenerator:
        mask = self.tokens.index(wordpiece.MASK_TOKEN)
        return MaskGenerator(share, mask, vocabulary.vocabulary_size(self.identity))


def _marks(texts: tf.Tensor) -> tf.Tensor:
    """How often "[MASK]" stands in each text, int32 `[batch]`."""
    rest = tf.strings.regex_replace(texts, r"\[MASK\]", "")
    return (tf.strings.length(texts) - tf.strings.length(rest)) // len(wordpiece.MASK_TOKEN)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
