"""Characters in, the next character out; and so, one after the other, a text."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from keras_fm import tasks
from keras_fm.backend import need_tensorflow
from keras_fm.data import character_texts, datasets
from keras_fm.data.batches import dataset_from_arrays
from keras_fm.data.character_texts import EvalWindows
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import SequenceWindows
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import generation
from keras_fm.tasks.generation import CharacterTables
from keras_fm.tasks.task import Signature, Signatures, Task

CONTEXT = 512  # characters that a measured one has before it
WINDOWS_PER_BATCH = 64  # windows in memory: 64 x 1024 x 66 logits are 17 MB
MAX_SEED = 2**31 - 1  # the served graph takes an int32
SHOWN = 300  # characters that TensorBoard shows after each epoch
_WRITE = [
    tf.TensorSpec((None,), tf.string, name="prompt"),
    tf.TensorSpec((None,), tf.int32, name="length"),
    tf.TensorSpec((None,), tf.float32, name="temperature"),
    tf.TensorSpec((None,), tf.int32, name="seed"),
]


class TextGeneration(Task):
    """A chain of layers from `text_ids` `[batch, length]` to the next character's logits.

    Its only input's values are the characters that it knows, number 1 the first; 0 is any other.
    """

    unit = "windows"

    def __init__(self, identity: ModelSpec) -> None:
        super().__init__(identity)
        self._writer: tuple[keras.Model, Any] | None = None

    @property
    def known(self) -> list[str]:
        """The characters of the vocabulary."""
        return self.identity.inputs[0].values

    @property
    def build_arguments(self) -> dict[str, Any]:
        """How many numbers a character can have."""
        return {"vocabulary": len(self.known) + 1}

    @property
    def output(self) -> tuple[str, tuple[int | None, ...]]:
        """Logits for each character."""
        return "logits", (None, len(self.known) + 1)

    def arrange(self, examples: Examples) -> Examples:
        """The characters of one text; many texts are read one after the other."""
        is_one = np.asarray(examples.inputs).dtype.kind in "iu"
        return examples if is_one else character_texts.concatenate_texts(examples)

    def translated(self, source: keras.Model, model: keras.Model) -> dict[str, list[np.ndarray]]:
        """The rows and logits of the characters that both know; the others stay as they are."""
        theirs = tasks.task_of(source)
        if not isinstance(theirs, TextGeneration) or theirs.known == self.known:
            return {}
        number = {character: place for place, character in enumerate(theirs.known, 1)}
        places = np.array(
            [character_texts.UNKNOWN_ID, *(number.get(character, -1) for character in self.known)]
        )
        both = places >= 0
        found = {}
        for name, axis in (("embedding", 0), ("logits", -1)):
            given, own = (
                [np.moveaxis(array, axis, 0) for array in one.get_layer(name).get_weights()]
                for one in (source, model)
            )
            if any(a.shape[1:] != b.shape[1:] for a, b in zip(given, own, strict=True)):
                return {}  # of other arguments: they do not fit, whatever the characters
            for old, new in zip(given, own, strict=True):
                new[both] = old[places[both]]
            found[name] = [np.moveaxis(array, 0, axis) for array in own]
        return found

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where the examples are not the characters of a text."""
        arrays = [np.asarray(examples.inputs), np.asarray(examples.targets)]
        if len(examples) == 0 or any(a.ndim != 1 or a.dtype.kind not in "iu" for a in arrays):
            raise DataError(
                f"{examples.description}: expected a text, as keras_fm.data.character_examples "
                f"makes it; received {' and '.join(f'{a.dtype} {list(a.shape)}' for a in arrays)}"
            )

    def learn_from(
        self, source: UserData, seed: int, *, going_on: bool = False
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """A text file, and the identity of a model that knows its characters."""
        if source.target is not None or source.problem_type is not None:
            raise InvalidInputError("target and kind are for a CSV file; a text has no columns")
        examples, path = self.read(source), source.path
        known = character_texts.character_vocabulary(examples)
        if len(known) < 2:
            raise DataError(f"{path}: nothing to learn; fewer than 2 characters come twice")
        missing = int(
            (
                character_texts.encode_characters(known, examples.targets)
                == character_texts.UNKNOWN_ID
            ).sum()
        )
        notes = [f"{len(known)} different characters, {missing} others count as unknown"]
        (given,) = self.identity.inputs
        given = msgspec.structs.replace(given, values=known)
        return replace(self.identity, inputs=(given,)), examples, notes

    def read(self, source: UserData) -> Examples:
        """The characters of a text file."""
        if source.path is None:
            raise self._no_own_data(source)
        return character_texts.read_text_file(source.path)

    def fit_to(self, count: int, recipe: Recipe) -> dict[str, Any]:
        """A tenth to validate; 32 steps an epoch or more."""
        windows = count * 9 // 10 // max(1, recipe.window)
        return {
            "validation_examples": count // 10,
            "batch_size": min(recipe.batch_size, max(1, windows // 32)),
        }

    def encode(self, examples: Examples) -> Examples:
        """Windows of the text, `[windows, length]`, in the numbers of the vocabulary."""
        cut = self._cut(examples)
        return Examples(cut.inputs, cut.targets, examples.description)

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> SequenceWindows:
        """Windows of the recipe's size, from another offset in each epoch."""
        return SequenceWindows(*self._numbers(examples), recipe=recipe, seed=seed)

    def held_out(self, examples: Examples) -> tf.data.Dataset:
        """The windows that `measure` takes, and which of their characters count."""
        cut = self._cut(examples)
        return dataset_from_arrays(cut.inputs, cut.targets, cut.weights, batch_size=self.at_once)

    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """Cross-entropy of the next character (nats)."""
        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            "weighted_metrics": [
                keras.metrics.MeanMetricWrapper(bits, name="bits_per_character"),
                keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            ],
        }

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`bits_per_character`, and `accuracy`: how often the most probable next one is right.

        Each character but the first is scored once, with the 512 or more before it as context, or
        as many as there are; see `texts.Measuring`.
        """
        cut = self._cut(examples)
        total, right = 0.0, 0.0
        for first in range(0, len(cut.inputs), WINDOWS_PER_BATCH):
            some = slice(first, first + WINDOWS_PER_BATCH)
            logits = self.predict(model, cut.inputs[some])
            targets, scored = cut.targets[some], cut.weights[some]
            total += (_bits(logits, targets) * scored).sum(dtype="float64")
            right += ((logits.argmax(-1) == targets) * scored).sum(dtype="float64")
        return {"bits_per_character": total / len(examples), "accuracy": right / len(examples)}

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """How often each character comes, without a look at those before it."""
        (_, learned), (_, asked) = self._numbers(examples), self._numbers(held_out)
        # One more of each, so that none is impossible.
        counts = np.bincount(learned, minlength=len(self.known) + 1) + 1
        bits_of = -np.log2(counts / counts.sum())
        return {
            "bits_per_character": float(bits_of[asked].mean()),
            "accuracy": float((asked == counts.argmax()).mean()),
        }

    def answer(
        self,
        model: keras.Model,
        inputs: str | Sequence[str],
        *,
        length: int = 200,
        temperature: float = 0.8,
        seed: int = 0,
    ) -> list[dict[str, Any]]:
        """`text` for each prompt: how it goes on, without the prompt itself.

        Args:
            inputs: a prompt, or several, of at most 4,000 characters; an empty one begins a line.
            length: characters to write, at most as many.
            temperature: 0 always takes the most probable character; 1 draws by the model's
                probabilities; below is safer, above is wilder.
            seed: of the first prompt; each further one has the next.
        """
        prompts = [inputs] if isinstance(inputs, str) else list(inputs)
        _check_options(prompts, length, temperature, seed)
        need_tensorflow("text is written by")
        seeds = [(seed + row) % (MAX_SEED + 1) for row in range(len(prompts))]
        written = self.writer(model)(
            # A lone surrogate has no UTF-8: it becomes bytes that count as unknown.
            tf.constant([prompt.encode("utf-8", "surrogatepass") for prompt in prompts], tf.string),
            tf.constant([length]),
            tf.constant([temperature], tf.float32),
            tf.constant(seeds, tf.int32),
        )
        return [{"text": text.decode("utf-8")} for text in written.numpy()]

    def writer(self, model: keras.Model) -> Any:
        """`generating.write` for this model as one graph, made once."""
        if self._writer is None or self._writer[0] is not model:
            with tempfile.TemporaryDirectory() as folder:
                tables = CharacterTables(self.known, Path(folder))

            @tf.function(input_signature=_WRITE)
            def write(*given: tf.Tensor) -> tf.Tensor:
                return generation.generate_text(model, tables, *given)

            self._writer = model, write
        return self._writer[1]

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """Text is UTF-8; every input is one value a row, so a server can put requests together.

        serving_default: `text`, string `[batch]` -> `probabilities` of the next character, float32
            `[batch, characters]`; `label`, the most probable one, string `[batch]`;
            `bits_per_character` of the text, float32 `[batch]`.
        generate: `prompt`, string; `length`, int32, `temperature`, float32, `seed`, int32, each
            `[batch]` (the latter three also `[1]`) -> `text`, string `[batch]`, without the prompt.

        A text, a prompt and a length of more than 4,000 characters is an error.
        """
        tables = CharacterTables(self.known, folder)

        def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return generation.score_text(model, tables, text)

        def generate(*given: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"text": generation.generate_text(model, tables, *given)}

        text = tf.TensorSpec((None,), tf.string, name="text")
        start = np.array(["".join(self.known[number - 1] for number in self._some_numbers()[0])])
        prompt = {
            "prompt": start,
            "length": np.array([20], "int32"),
            "temperature": np.array([0.8], "float32"),
            "seed": np.array([0], "int32"),
        }
        by_name = {
            "serving_default": Signature(serving_default, [text], {"text": start}),
            "generate": Signature(generate, _WRITE, prompt, ("length", "temperature", "seed")),
        }
        return Signatures(by_name, [tables.numbers, tables.codes])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a next character's probability."""
        numbers = self._some_numbers()
        asked = ["".join(self.known[number - 1] for number in row) for row in numbers]
        answers = served.signatures["serving_default"](text=tf.constant(asked))
        start = character_texts.encode_characters(
            self.known, np.full((len(numbers), 1), ord(generation.START))
        )
        logits = self.predict(model, np.concatenate([start, numbers], 1))[:, -1, 1:]
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        difference = np.abs(answers["probabilities"] - expected).max()
        return {"largest_difference_of_probabilities": float(difference), "examples": len(asked)}

    def write_samples(self, model: keras.Model) -> dict[str, str]:
        """A text that begins a line."""
        if keras.backend.backend() != "tensorflow":
            return {}
        return {"written": self.answer(model, "", length=SHOWN)[0]["text"]}

    def _numbers(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = (
            character_texts.encode_characters(self.known, codes)
            for codes in (examples.inputs, examples.targets)
        )
        return inputs, targets

    def _cut(self, examples: Examples) -> EvalWindows:
        return EvalWindows.from_arrays(*self._numbers(examples), context=CONTEXT)

    def _some_numbers(self) -> np.ndarray:
        """Eight pieces of text without an unknown character."""
        try:
            numbers, _ = self._numbers(self.arrange(datasets.sample(self.identity.entry.dataset)))
            pieces = numbers[: 8 * 64].reshape(8, 64)
        except UnknownNameError:  # another package's data set
            pieces = np.zeros((8, 64), "int32")
        random = np.random.default_rng(0).integers(1, len(self.known) + 1, pieces.shape)
        return np.where(pieces == character_texts.UNKNOWN_ID, random, pieces)


def bits(targets: Any, logits: Any) -> Any:
    """Of each character, `[batch, length]`: minus the binary logarithm of its probability."""
    nats = keras.ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return nats / generation.LOG_2


def _bits(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=-1))
    own = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return (log_sum - own) / generation.LOG_2


def _check_options(prompts: list[Any], length: Any, temperature: Any, seed: Any) -> None:
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise InvalidInputError(f"a prompt is a string; received {type(prompt).__name__}")
        if len(prompt) > generation.MAX_LENGTH:
            raise InvalidInputError(
                f"a prompt has at most {generation.MAX_LENGTH:,} characters; received {len(prompt):,}"
            )
    wholes = {"length": (length, generation.MAX_LENGTH), "seed": (seed, MAX_SEED)}
    for name, (value, largest) in wholes.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
            raise InvalidInputError(
                f"{name} is a whole number from 0 to {largest}; received {value!r}"
            )
    number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
    if not number or not 0 <= temperature < float("inf"):
        raise InvalidInputError(f"temperature is a number from 0.0 on; received {temperature!r}")
