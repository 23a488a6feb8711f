"""What every task says."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.backend import compiles_steps
from keras_fm.data import datasets
from keras_fm.data.batches import Batches, dataset_from_arrays
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.explanation.attribution import Attribution
from keras_fm.models.spec import ModelSpec
from keras_fm.optimizers import optimizers
from keras_fm.preprocessing import graph_checks
from keras_fm.registry.recipe import Recipe

PREDICT_BATCH_SIZE = 500


@dataclass(frozen=True)
class Signature:
    """One serving signature: a function of named tensors, and the `tf.TensorSpec` of each.

    The function refuses inputs of other shapes, which a server lets through.

    example: real inputs by name, some rows each. A server warms up with them, a reader copies them.
    shared: the inputs of which one row may stand for all.
    """

    answer: Callable[..., dict[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec] | Sequence[dict[str, tf.TensorSpec]]
    example: dict[str, np.ndarray]
    shared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        answer = graph_checks.with_shape_checks(self.answer, self.inputs, self.shared)
        object.__setattr__(self, "answer", answer)

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """The inputs by name."""
        columns = [one if isinstance(one, dict) else {one.name: one} for one in self.inputs]
        return {name: spec for some in columns for name, spec in some.items()}


@dataclass(frozen=True)
class Embeddings:
    """Points for TensorBoard's projector: `vectors` `[points, width]`, what is known of each."""

    vectors: np.ndarray
    about: dict[str, list[str]]


@dataclass(frozen=True)
class Signatures:
    """What an export serves. `resources`: the tables that the endpoints look things up in."""

    by_name: dict[str, Signature]
    resources: list[Any] = field(default_factory=list)


class Task(ABC):
    """A task for one model: `identity` has its entry and its labels."""

    unit = "examples"  # what a training counts by the second
    builder = "build"  # the function in the room's `model.py`
    at_once = PREDICT_BATCH_SIZE  # examples that are validated at once
    recipes: str | None = None  # the folder of the recipes that it is fine-tuned by
    explains: tuple[str, ...] = ()  # the methods of `explain`, the usual one first

    def __init__(self, identity: ModelSpec) -> None:
        self.identity = identity

    @property
    def slices(self) -> tuple[str, ...]:
        """By what the metrics can be split."""
        return ()

    @property
    @abstractmethod
    def output(self) -> tuple[str, tuple[int | None, ...]]:
        """The name of the model's last layer, and the shape of its answer without the batch."""

    @property
    @abstractmethod
    def build_arguments(self) -> dict[str, Any]:
        """The arguments of the model's `build` that follow from its identity."""

    def load(self, split: str) -> Examples:
        """A split of the data set that the model is for; `"sample"` is the bundled one."""
        entry = self.identity.entry
        if self.identity not in (ModelSpec.of(entry), ModelSpec.of_pretraining(entry)):
            raise DataError(
                f"this {entry.name} learned from other data than {entry.dataset}: say what to "
                "measure it on (data=, or --data)"
            )
        examples = self.arrange(datasets.load(entry.dataset, entry.split(split)))
        if split not in entry.splits:
            return examples
        return replace(examples, description=f"{entry.dataset} {split} ({entry.split(split)})")

    def arrange(self, examples: Examples) -> Examples:
        """A split of a TFDS data set as the task learns from it: most take it as it is."""
        return examples

    def translated(self, source: keras.Model, model: keras.Model) -> dict[str, list[np.ndarray]]:
        """What `model`, this task's, takes over otherwise than as it stands in `source`.

        Returns:
            The weights by layer; those of the other layers are copied.
        """
        return {}

    def check(self, examples: Examples) -> None:
        """Raises a `DataError` where the model can't learn from or be measured on the examples."""
        if not isinstance(examples, Examples):
            raise DataError(
                "expected keras_fm.data.Examples(inputs, targets, description); received "
                f"{type(examples).__name__}"
            )
        self.check_arrays(examples)

    def learn_from(
        self, source: UserData, seed: int, *, going_on: bool = False
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """What there is to learn in a user's own data, in an order by `seed`; and notes on it.

        Args:
            going_on: the model learned before, and keeps of its inputs what it can.
        """
        raise self._no_own_data(source)

    def read(self, source: UserData) -> Examples:
        """Examples of the user's own, to measure the model on."""
        raise self._no_own_data(source)

    def fit_to(self, count: int, recipe: Recipe) -> dict[str, Any]:
        """The fields of the recipe that `count` examples of the user's own need otherwise.

        An epoch visits all of them, as often as the recipe visits its own.
        """
        batch_size = min(recipe.batch_size, max(1, count // 32))
        fields: dict[str, Any] = {
            "validation_examples": count // 5,
            "batch_size": batch_size,
            "epochs": -(-recipe.epochs // recipe.parts),
            "parts": 1,
        }
        if recipe.optimizer == "sgd":  # whose steps grow with the batch; Adam's do not
            fields["learning_rate"] = recipe.learning_rate * batch_size / recipe.batch_size
        return fields

    def _no_own_data(self, source: UserData) -> DataError:
        given = source.data if source.path is None else str(source.path)
        return DataError(
            f"data is None (the model's own data set), {datasets.SAMPLE!r} or Examples, for "
            f"{self.identity.entry.name!r} does not learn from files; received {given!r}"
        )

    @abstractmethod
    def check_arrays(self, examples: Examples) -> None:
        """The same of its arrays."""

    @staticmethod
    def check_images(examples: Examples, shape: Sequence[int]) -> None:
        """Raises a `DataError` where the inputs are not uint8 images of this shape."""
        given = np.asarray(examples.inputs)
        fits = list(given.shape[1:]) == list(shape) and given.dtype == np.uint8
        if len(given) == 0 or not fits:
            raise DataError(
                f"{examples.description}: expected uint8 images "
                f"[examples, {', '.join(map(str, shape))}]; "
                f"received {given.dtype} {list(given.shape)}"
            )

    def check_labels(self, examples: Examples) -> None:
        """Raises a `DataError` where a target is not the index of a label."""
        labels, count = np.asarray(examples.targets), len(self.identity.labels)
        if labels.shape != (len(examples),) or labels.dtype.kind not in "iu":
            raise DataError(
                f"{examples.description}: expected one whole number for each of the "
                f"{len(examples)} examples as labels; received {labels.dtype} {list(labels.shape)}"
            )
        if labels.min() < 0 or labels.max() >= count:
            raise DataError(
                f"{examples.description}: expected labels from 0 to {count - 1}; received "
                f"{labels.min()} to {labels.max()}"
            )

    def encode(self, examples: Examples) -> Examples:
        """The examples with their inputs as the model takes them."""
        return examples

    @abstractmethod
    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Training batches of the examples."""

    def targets(self, examples: Examples) -> np.ndarray:
        """What the compiled model is to answer to each example."""
        return np.asarray(examples.targets)

    def held_out(self, examples: Examples) -> tf.data.Dataset | None:
        """Batches of (inputs, targets) as the compiled model takes them, for `fit`'s validation.

        And where not every answer counts, the weight of each. None where there is nothing that an
        epoch could be measured on quickly.
        """
        return dataset_from_arrays(
            self.encode(examples).inputs, self.targets(examples), batch_size=self.at_once
        )

    @abstractmethod
    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """What `compile` is told beside the optimizer: `loss`, `metrics`, `weighted_metrics`."""

    def learner(self, model: keras.Model, recipe: Recipe, steps: int) -> keras.Model:
        """What `fit` trains, compiled by the recipe: the model, or one that has it as a part.

        Args:
            steps: the length of the whole training.
        """
        model.compile(
            optimizers.make_optimizer(recipe, steps),
            **self.objective(recipe),
            jit_compile=compiles_steps(),
        )
        return model

    def check_recipe(self, model: keras.Model, recipe: Recipe) -> None:
        """Raises a `KerasFmError` where the recipe asks of the model what it can't learn by."""
        if recipe.adversarial:
            raise InvalidInputError(
                f"adversarial is for classifiers of texts, which {self.identity.entry.name} is not "
                f"here: leave it out; received {recipe.adversarial}"
            )

    @abstractmethod
    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """The task's metrics on all examples, by name, and where asked `slices`: of each part."""

    @abstractmethod
    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """The metrics on `held_out` of the best answer that never looks at the inputs."""

    def class_weight(self, examples: Examples, recipe: Recipe) -> dict[int, float] | None:
        """How much each class counts in a training, where not all examples count the same."""
        if recipe.class_weights != "equal":
            raise InvalidInputError(f"{self.identity.entry.name} has no classes to weigh here")
        return None

    def features(self, body: keras.Model, examples: Examples) -> np.ndarray:
        """What a model's body makes of the examples, float32 `[examples, width]`."""
        return self.predict(body, self.encode(examples).inputs)

    def score(self, answers: np.ndarray, examples: Examples) -> dict[str, float]:
        """The metrics of answers as the model gives them."""
        raise NotImplementedError

    @abstractmethod
    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """What `pipeline` answers to raw inputs, a dict each."""

    def explain(self, model: keras.Model, inputs: Any, method: str) -> list[Attribution]:
        """What counts for each answer, by one of the methods that the task `explains` by."""
        raise NotImplementedError

    @abstractmethod
    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """The serving signatures; files written into `folder` become assets of the SavedModel."""

    @abstractmethod
    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """How near the loaded SavedModel `served` is to the Keras model."""

    @staticmethod
    def predict(model: keras.Model, inputs: Any) -> np.ndarray:
        """What the model answers to inputs as it takes them, `[examples, ...]`, float32."""
        return np.asarray(
            model.predict(inputs, batch_size=PREDICT_BATCH_SIZE, verbose=0), np.float32
        )

    @staticmethod
    def serve_any(model: keras.Model, inputs: Any) -> Any:
        """The model in a graph, for inputs `[batch, ...]` of any batch, also an empty one.

        oneDNN's convolutions refuse an empty batch, or leave its shape as it was: they get no such.
        """
        count = tf.shape(tf.nest.flatten(inputs)[0])[0]
        added = tf.cast(count == 0, tf.int32)
        filled = tf.nest.map_structure(
            lambda rows: tf.pad(rows, [[0, added], *[[0, 0]] * (rows.shape.rank - 1)]), inputs
        )
        return tf.nest.map_structure(lambda rows: rows[:count], model(filled, training=False))

    def draw_inputs(self, batches: Batches) -> dict[str, np.ndarray]:
        """Pictures of what a training sees, uint8 `[rows, columns, channels]`, by name."""
        return {}

    def write_samples(self, model: keras.Model) -> dict[str, str]:
        """Texts that the model in training writes, by name; TensorBoard shows each epoch's."""
        return {}

    def draw_progress(self, model: keras.Model) -> dict[str, np.ndarray]:
        """Pictures that the model in training draws, by name; TensorBoard shows each epoch's."""
        return {}

    def draw_card(self, model: keras.Model) -> dict[str, np.ndarray]:
        """Pictures for the card of a model that is released, by name."""
        return {}

    def embeddings(self, model: keras.Model, examples: Examples) -> Embeddings | None:
        """What the trained model makes of some examples, to look at in TensorBoard's projector."""
        return None

    def draw_answers(self, model: keras.Model, examples: Examples) -> dict[str, np.ndarray]:
        """Pictures of what the trained model answers, by name."""
        return {}
