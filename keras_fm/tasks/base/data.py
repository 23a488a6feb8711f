"""What models of a task are trained and evaluated on."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from keras_fm.data import datasets
from keras_fm.data.batches import Batches, Dataset, dataset_from_arrays
from keras_fm.data.example_digests import example_digests
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData, describe_data
from keras_fm.errors import DataError, UnknownNameError
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import TEACHER_FIELDS, Recipe
from keras_fm.tasks.base.predict import PREDICT_BATCH_SIZE


class TaskData(ABC):
    """What models of a task are trained and evaluated on."""

    eval_batch_size: ClassVar[int] = PREDICT_BATCH_SIZE
    # Whether the examples are one sequence, whose end validates; else they are drawn at random.
    is_sequence: ClassVar[bool] = False
    # Whether a teacher sees the augmented batches; else the examples as they are, once.
    teacher_sees_batches: ClassVar[bool] = False
    digest_unit: ClassVar[str] = "examples"

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def load(self, split: str) -> Examples:
        """Load a split of the data set of the model's entry.

        Args:
            split: Such as `"test"`; `"sample"` is the bundled one.

        Raises:
            DataError: The model was trained on other data, or the data set can't be had.
        """
        entry = self.spec.entry
        if not self.spec.is_default:
            raise DataError(
                f"this {entry.name} was trained on other data than {entry.dataset}: name "
                "its run directory to evaluate it on what validated it, or other data (data=, or "
                "--data)"
            )
        examples = self.load_dataset(entry.dataset, entry.split(split))
        if split not in entry.splits:
            return examples
        description = f"{entry.dataset} {split} ({entry.split(split)})"
        return replace(examples, description=description)

    def sample_inputs(self, count: int) -> Any | None:
        """Return inputs of some bundled examples; None where the data set has no sample."""
        try:
            sample = self.prepare_dataset(datasets.sample(self.spec.entry.dataset))
        except UnknownNameError:  # another package's data set
            return None
        return sample.subset(slice(count), sample.description).inputs

    def load_dataset(self, dataset: str, split: str) -> Examples:
        """Load a split of a data set, as the task learns it.

        Args:
            dataset: TFDS name.
            split: In TFDS's terms; `"sample"` is the bundled one.

        Raises:
            DataError: The data set can't be had.
        """
        return self.prepare_dataset(datasets.load(dataset, split))

    def prepare_dataset(self, examples: Examples) -> Examples:
        """Turn a split of a TFDS data set into what the task learns; most take it as it is."""
        return examples

    def check(self, examples: Examples) -> None:
        """Check that the model can be trained and evaluated on the examples.

        Raises:
            DataError: It can't.
        """
        if not isinstance(examples, Examples):
            raise DataError(
                "expected keras_fm.data.Examples(inputs, targets, description); received "
                f"{type(examples).__name__}"
            )
        self.validate(examples)

    @abstractmethod
    def validate(self, examples: Examples) -> None:
        """Check the arrays of the examples; raise a `DataError` that says what was received."""

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load a user's own data to train on.

        Args:
            user_data: What the user says of it.
            seed: Of the examples' order.
            keep_columns: Whether a pretrained model keeps the columns of a table that it knows.

        Returns:
            The specification of a model of this data, the examples, and notes on them.

        Raises:
            DataError: The data can't be read, or nothing can be learned from it.
        """
        raise self._no_user_data(user_data)

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load a user's own data to evaluate this model on.

        Raises:
            DataError: The data can't be read, or does not fit the model.
        """
        raise self._no_user_data(user_data)

    def adapt_recipe(self, num_examples: int, recipe: Recipe) -> dict[str, Any]:
        """Return the recipe fields that so many examples of a user's own need otherwise.

        An epoch is one pass over them; there are as many passes as in the recipe.
        """
        batch_size = min(recipe.batch_size, max(1, num_examples // 32))
        fields: dict[str, Any] = {
            "validation_examples": num_examples // 5,
            "batch_size": batch_size,
            "epochs": -(-recipe.epochs // recipe.epochs_per_pass),
            "epochs_per_pass": 1,
        }
        if recipe.teacher:  # it knows the classes of the recipe's data
            fields |= {name: recipe.default_of(name) for name in TEACHER_FIELDS}
        if recipe.optimizer == "sgd":  # whose steps grow with the batch; Adam's do not
            fields["learning_rate"] = recipe.learning_rate * batch_size / recipe.batch_size
        return fields

    def digests(self, examples: Examples) -> np.ndarray:
        """Return a digest of each of `digest_unit`, uint64, by which the same are found again."""
        return example_digests(examples.inputs)

    def encode(self, examples: Examples) -> Examples:
        """Return the examples with inputs as the model takes them."""
        return examples

    def targets(self, examples: Examples) -> np.ndarray:
        """Return the targets as the loss takes them."""
        return np.asarray(examples.targets)

    @abstractmethod
    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return the training batches of the examples."""

    def validation_dataset(self, examples: Examples) -> "Dataset | None":
        """Return batches of (inputs, targets) for `fit`'s validation, with weights if needed.

        None where there is nothing that an epoch could be evaluated on quickly.
        """
        inputs = self.encode(examples).inputs
        return dataset_from_arrays(inputs, self.targets(examples), batch_size=self.eval_batch_size)

    def _no_user_data(self, user_data: UserData) -> DataError:
        received = user_data.data if user_data.path is None else str(user_data.path)
        return DataError(
            f"{self.spec.name} can't be trained or evaluated on a user's files; received "
            f"{received!r}: {describe_data(self.spec.task_name, self.spec.entry.dataset)}"
        )
