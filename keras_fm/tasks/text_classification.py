"""Texts in, labels out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import datasets, user_texts
from keras_fm.data.batches import Batches, dataset_from_function
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import BucketedTexts, bucket_by_length, pad_sequences
from keras_fm.data.user_data import RawExamples, UserData
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.explanation import attribution
from keras_fm.explanation.attribution import Attribution
from keras_fm.models.backbone import backbone
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import text_inputs, tokenizers
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import vocabulary
from keras_fm.tasks.classification import Classification
from keras_fm.tasks.task import Embeddings, Signature, Signatures
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer

SHOWN = 1000  # texts in TensorBoard's projector


class TextClassification(Classification):
    """Classifies texts. Their words are numbered by the vocabulary in the model's room."""

    unit = "texts"
    explains = ("occlusion", "attention")
    recipes = "texts"
    at_once = 128  # of 512 pieces each: the scores of an attention of 4 heads are half a gigabyte

    @property
    def longest(self) -> int:
        """How many words of a text the model reads."""
        return self.identity.inputs[0].longest or 512

    @property
    def build_arguments(self) -> dict[str, Any]:
        """One output a label; the numbers of words, and those of padding and of the unknown."""
        return {**super().build_arguments, "vocabulary": vocabulary.vocabulary_size(self.identity)}

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where the examples are not texts with labels."""
        vocabulary.check_texts(examples)
        self.check_labels(examples)

    def learn_from(
        self, source: UserData, seed: int, *, going_on: bool = False
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """Texts, and the classes that they have."""
        return self.adopt(self._given(source), user_texts.fit_texts, source, seed)

    def read(self, source: UserData) -> Examples:
        """Texts of the model's own classes."""
        return self.place(self._given(source), user_texts.fit_texts)

    @staticmethod
    def _given(source: UserData) -> RawExamples:
        if source.problem_type is not None:
            raise InvalidInputError("kind is for a table; texts have classes")
        return user_texts.read_user_texts(source)

    def encode(self, examples: Examples) -> Examples:
        """Padded numbers of words, int32 `[examples, length]`."""
        return Examples(pad_sequences(self.rows(examples)), examples.targets, examples.description)

    def rows(self, examples: Examples) -> np.ndarray:
        """Each text as an array of its words' numbers, int32, of its own length."""
        return vocabulary.token_id_rows(self.identity, examples, self.longest)

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Batches of texts about as long as each other, padded, and one-hot labels."""
        rows = self.rows(examples)
        # A model that learned to fill gaps knows what a hidden piece is.
        mask = vocabulary.tokenizer(self.identity).mask_id
        return BucketedTexts(rows, self.targets(examples), recipe=recipe, seed=seed, mask_id=mask)

    def held_out(self, examples: Examples) -> tf.data.Dataset:
        """Texts of like length together, so that little is padding, and one-hot labels."""
        rows, targets = self.rows(examples), self.targets(examples)
        groups = bucket_by_length(rows, self.at_once)
        signature = (
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, *targets.shape[1:]), targets.dtype),
        )

        def make(group: int) -> tuple[np.ndarray, np.ndarray]:
            return pad_sequences(rows[groups[group]]), targets[groups[group]]

        return dataset_from_function(make, len(groups), signature)

    def check_recipe(self, model: keras.Model, recipe: Recipe) -> None:
        """Raises a `KerasFmError` where the words of the model can't be moved against it."""
        if recipe.adversarial:
            AdversarialTextTrainer(model, recipe.adversarial)

    def learner(self, model: keras.Model, recipe: Recipe, steps: int) -> keras.Model:
        """The model, or what moves its words against it."""
        learns = AdversarialTextTrainer(model, recipe.adversarial) if recipe.adversarial else model
        return super().learner(learns, recipe, steps)

    def read_rows(self, model: keras.Model, rows: np.ndarray) -> np.ndarray:
        """What a model answers to texts in numbers, `[texts, width]`; those of like length at once.

        Args:
            rows: arrays of numbers, as `rows` makes them.
        """
        answers = np.empty((len(rows), model.output_shape[-1]), np.float32)
        for some in bucket_by_length(rows, self.at_once):
            answers[some] = self.predict(model, pad_sequences(rows[some]))
        return answers

    def features(self, body: keras.Model, examples: Examples) -> np.ndarray:
        """What a model's body makes of the texts, `[texts, width]`."""
        return self.read_rows(body, self.rows(examples))

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`accuracy` and `cross_entropy` (nats)."""
        return self.score(self.read_rows(model, self.rows(examples)), examples, slices)

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Labels and probabilities of texts: one string or several."""
        return self.name(self.read_rows(model, self._given_rows(inputs)))

    def explain(self, model: keras.Model, inputs: Any, method: str) -> list[Attribution]:
        """Which words or pieces of each text; see `keras_fm.explain`."""
        names, mask = (
            vocabulary.token_names(self.identity),
            vocabulary.tokenizer(self.identity).mask_id,
        )
        found = []
        for row in self._given_rows(inputs):
            logits = self.read_rows(model, np.array([row, None], object)[:1])
            maps = None
            if method == "attention":
                maps = attribution.attention(model, row[None])[0]
                scores = attribution.rollout(maps).mean(axis=0)
            else:
                label = int(logits[0].argmax())
                hidden = np.where(np.eye(len(row), dtype=bool), mask, row)
                left = self.predict(model, hidden)
                scores = attribution.log_odds(logits[0], label) - attribution.log_odds(left, label)
            [answer] = self.name(logits)
            parts = tuple(names[number] for number in row)
            found.append(Attribution(answer, scores, parts, attention=maps))
        return found

    def _given_rows(self, inputs: Any) -> np.ndarray:
        """Rows of numbers of what a user gave: one text or several."""
        raw = text_inputs.read_texts(inputs)
        return self.rows(Examples(raw, np.zeros(len(raw), int), "texts"))

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """Texts are UTF-8. The longest of a batch decides how long it takes.

        serving_default: `text`, string `[batch]` -> `probabilities`, `logits` `[batch, classes]`,
            `embedding` `[batch, width]`, float32; `label` `[batch]`, string.
        token_ids: the same of `text_ids`, int32 `[batch, length]`, 0 behind the shorter texts; the
            first numbers of a text that is longer than the model reads.
        features: `text` -> `embedding` alone.
        """
        tokenize = vocabulary.tokenizer(self.identity)
        table = self.label_table(folder)
        ends = keras.Model(model.inputs, [model.output, model.get_layer("embedding").output])

        def answer(text_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            # Of no text at all one word: TensorFlow's loop does not answer for none.
            none = tf.cast(tf.shape(text_ids)[1] == 0, tf.int32)
            logits, embedding = ends(tf.pad(text_ids, [[0, 0], [0, none]]), training=False)
            embedding = tf.cast(embedding, tf.float32)
            return {**self.serve(logits, table), "embedding": embedding}

        def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return answer(tokenize(text, self.longest).to_tensor(tokenizers.PAD_ID))

        def token_ids(text_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            return answer(vocabulary.check_token_ids(text_ids, self.identity)[:, : self.longest])

        def features(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"embedding": serving_default(text)["embedding"]}

        text = tf.TensorSpec((None,), tf.string, name="text")
        numbers = tf.TensorSpec((None, None), tf.int32, name="text_ids")
        texts = np.array([b"A dull film, but great actors."], object)
        example = {"text": texts}
        some = {"text_ids": self.encode(Examples(texts, np.zeros(1, int), "a text")).inputs}
        by_name = {
            "serving_default": Signature(serving_default, [text], example),
            "token_ids": Signature(token_ids, [numbers], some),
            "features": Signature(features, [text], example),
        }
        return Signatures(by_name, [tokenize.lookup_table, table])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a logit."""
        texts = self._some_texts()
        answers = served.signatures["serving_default"](tf.constant(list(texts), tf.string))
        rows = self.rows(Examples(texts, np.zeros(len(texts), int), "texts"))
        difference = np.abs(answers["logits"] - self.read_rows(model, rows)).max()
        return {"largest_difference_of_logits": float(difference), "examples": len(texts)}

    def _some_texts(self) -> np.ndarray:
        try:
            return datasets.sample(self.identity.entry.dataset).inputs[:64]
        except UnknownNameError:  # another package's data set
            known = vocabulary.vocabulary_file(self.identity).read_text("utf-8").split("\n")[:500]
            random = np.random.default_rng(0)
            return np.array([" ".join(random.choice(known, 50)) for _ in range(16)], object)

    def embeddings(self, model: keras.Model, examples: Examples) -> Embeddings:
        """Of some texts, with their labels and first words."""
        some = examples.subset(slice(SHOWN), "some")
        texts = [" ".join(bytes(text).decode("utf-8", "replace").split()) for text in some.inputs]
        return Embeddings(
            self.features(backbone(model), some),
            {
                "label": [self.identity.labels[target] for target in some.targets],
                "text": [text[:80] for text in texts],
            },
        )

    def draw_answers(self, model: keras.Model, examples: Examples) -> dict[str, np.ndarray]:
        """The confusion matrix."""
        logits = self.read_rows(model, self.rows(examples))
        return {"confusion_matrix": self.confusion_matrix(logits, examples)}
