"""The characters of one long text."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from keras_fm.data import character_texts
from keras_fm.data.batches import Dataset, dataset_from_arrays
from keras_fm.data.character_texts import UNKNOWN_ID, EvalWindows
from keras_fm.data.example_digests import example_digests
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import SequenceWindows
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.formatting import choose_form, format_count
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import TaskData

CONTEXT = 512  # characters before one that is evaluated
WINDOWS_PER_BATCH = 64  # in memory: 64 x 1024 x 66 logits are 17 MB


class CharacterData(TaskData):
    """Examples are the characters of a text, as code points; each target is the next one."""

    eval_batch_size = WINDOWS_PER_BATCH
    is_sequence = True
    digest_unit = "lines"

    @property
    def characters(self) -> list[str]:
        """The characters of the vocabulary."""
        return self.spec.inputs[0].categories

    def prepare_dataset(self, examples: Examples) -> Examples:
        """Return the characters of one text; many texts are concatenated."""
        is_one_text = np.asarray(examples.inputs).dtype.kind in "iu"
        return examples if is_one_text else character_texts.concatenate_texts(examples)

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where the examples are not the characters of a text."""
        arrays = [np.asarray(examples.inputs), np.asarray(examples.targets)]
        if len(examples) == 0 or any(a.ndim != 1 or a.dtype.kind not in "iu" for a in arrays):
            received = " and ".join(f"{a.dtype} {list(a.shape)}" for a in arrays)
            raise DataError(
                f"{examples.description}: expected characters, as from "
                f"keras_fm.data.character_examples; received {received}"
            )

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load a text file, for a model with a vocabulary of its characters."""
        if user_data.target is not None or user_data.problem_type is not None:
            raise InvalidInputError(
                "target and problem_type are for a CSV file; a text has no columns"
            )
        examples, path = self.load_eval_data(user_data), user_data.path
        characters = character_texts.character_vocabulary(examples)
        if len(characters) < 2:
            raise DataError(f"{path}: nothing to learn; fewer than 2 characters come twice")
        codes = character_texts.encode_characters(characters, examples.targets)
        num_unknown = int((codes == UNKNOWN_ID).sum())
        notes = DataNotes()
        notes.append(
            f"{len(characters)} different characters; of {format_count(len(codes), 'character')} "
            f"{num_unknown:,} {choose_form(num_unknown, 'is', 'are')} unknown"
        )
        (text_input,) = self.spec.inputs
        text_input = msgspec.structs.replace(text_input, categories=characters)
        return replace(self.spec, inputs=(text_input,)), examples, notes

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load the characters of a text file."""
        if user_data.path is None:
            raise self._no_user_data(user_data)
        return character_texts.read_text_file(user_data.path)

    def adapt_recipe(self, num_examples: int, recipe: Any) -> dict[str, Any]:
        """Return a validation of a tenth, and a batch size for 32 steps or more in an epoch."""
        windows = num_examples * 9 // 10 // max(1, recipe.sequence_length)
        return {
            "validation_examples": num_examples // 10,
            "batch_size": min(recipe.batch_size, max(1, windows // 32)),
        }

    def digests(self, examples: Examples) -> np.ndarray:
        """Return digests of the lines that are long enough to be no coincidence."""
        return example_digests(character_texts.long_lines(examples))

    def encode(self, examples: Examples) -> Examples:
        """Return windows of the text, `[windows, length]`, in the IDs of the vocabulary."""
        windows = self.eval_windows(examples)
        return Examples(windows.inputs, windows.targets, examples.description)

    def batches(self, examples: Examples, recipe: Any, seed: int) -> SequenceWindows:
        """Return windows of the recipe's length, from another offset in each epoch."""
        return SequenceWindows(*self.character_ids(examples), recipe=recipe, seed=seed)

    def validation_dataset(self, examples: Examples) -> Dataset:
        """Return the windows that `evaluate` takes, and which of their characters count."""
        windows = self.eval_windows(examples)
        return dataset_from_arrays(
            windows.inputs, windows.targets, windows.weights, batch_size=self.eval_batch_size
        )

    def character_ids(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Return the IDs of the characters, and of those that follow them."""
        inputs, targets = (
            character_texts.encode_characters(self.characters, codes)
            for codes in (examples.inputs, examples.targets)
        )
        return inputs, targets

    def eval_windows(self, examples: Examples) -> EvalWindows:
        """Return the windows in which each character is evaluated once."""
        return EvalWindows.from_arrays(*self.character_ids(examples), context=CONTEXT)

    def sample_ids(self) -> np.ndarray:
        """Return eight pieces of text without an unknown character, `[8, 64]`."""
        random = np.random.default_rng(0).integers(1, len(self.characters) + 1, (8, 64))
        codes = self.sample_inputs(8 * 64)
        if codes is None:
            return random.astype("int32")
        ids = character_texts.encode_characters(self.characters, codes).reshape(8, 64)
        return np.where(ids == UNKNOWN_ID, random, ids).astype("int32")

    def sample_texts(self) -> list[str]:
        """Return the same as strings."""
        return ["".join(self.characters[index - 1] for index in row) for row in self.sample_ids()]
